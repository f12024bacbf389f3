/* Numbers of steps come in as 32 bits, least byte first; out goes what a generator of that many steps ends on. */
#include "harness.h"

#include <stdint.h>

static volatile uint32_t seed = 1; /* a variable that has its value from the start */

int main(void)
{
    uint8_t word[4];
    while (harness_read(word, sizeof word) == sizeof word) {
        const uint32_t n_steps = word[0] | (uint32_t)word[1] << 8 | (uint32_t)word[2] << 16 | (uint32_t)word[3] << 24;
        volatile uint32_t state = seed; /* volatile, so that no compiler makes steps cheaper by the dozen */
        harness_start();
        for (uint32_t i = 0; i < n_steps; i++) {
            state = state * 1664525u + 1013904223u;
        }
        harness_stop();
        for (int i = 0; i < 4; i++) {
            word[i] = (uint8_t)(state >> (8 * i));
        }
        harness_write(word, sizeof word);
    }
    return 0;
}
