/* The program without a network: what is left of a contender's flash and RAM is taken off. */
#include "network.h"

uint8_t classify(const uint8_t *pixels) { return pixels[0]; }
