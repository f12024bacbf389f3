/* A window of 4 x 4 pixels: two sums, to be added. */
static inline uint32_t windows_at(const uint8_t *sample)
{
    uint32_t sums = 0;
    uint_fast8_t row;
    for (row = 0; row < 4; row++, sample += WIDTH) {
#if LITTLE_ENDIAN_WORDS
        const uint32_t a = word_at(sample), every = 0x00FF00FF;
        sums += (a & every) + ((a >> 8) & every);
#else
        sums += (uint32_t)sample[0] + sample[1] + sample[2] + sample[3];
#endif
    }
    return sums;
}

/* Its mean. */
static inline uint8_t window_of(uint32_t sums)
{
    return (uint8_t)(((sums & 0xFFFF) + (sums >> 16) + 8) >> 4);
}
