/* Images of 28 x 28 bytes averaged over windows, four pixels of a row at a time. */
#ifndef POOL_H
#define POOL_H

#include <stdint.h>

enum { SIDE = 28, WORDS = SIDE / 4 };

static inline uint32_t pairs(uint32_t word) { return (word & 0x00FF00FFu) + (word >> 8 & 0x00FF00FFu); }

/* Calls PUT(mean) for each window of 2 x 2, rounded half up; pixels from a multiple of 4 on, little-endian. */
#define POOL_2(pixels, PUT)                                                                                           \
    do {                                                                                                              \
        const uint32_t *word = (const uint32_t *)(const void *)(pixels);                                              \
        for (int y = 0; y < SIDE / 2; y++, word += WORDS) {                                                           \
            for (int x = 0; x < WORDS; x++, word++) {                                                                 \
                const uint32_t sums = pairs(word[0]) + pairs(word[WORDS]) + 0x00020002u;                              \
                PUT(sums >> 2 & 0xFF);                                                                                \
                PUT(sums >> 18);                                                                                      \
            }                                                                                                         \
        }                                                                                                             \
    } while (0)

/* The same of 4 x 4. */
#define POOL_4(pixels, PUT)                                                                                           \
    do {                                                                                                              \
        const uint32_t *word = (const uint32_t *)(const void *)(pixels);                                              \
        for (int y = 0; y < SIDE / 4; y++, word += 3 * WORDS) {                                                       \
            for (int x = 0; x < WORDS; x++, word++) {                                                                 \
                const uint32_t sums =                                                                                 \
                    pairs(word[0]) + pairs(word[WORDS]) + pairs(word[2 * WORDS]) + pairs(word[3 * WORDS]);            \
                PUT(((sums & 0xFFFF) + (sums >> 16) + 8) >> 4);                                                       \
            }                                                                                                         \
        }                                                                                                             \
    } while (0)

#endif
