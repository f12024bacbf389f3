/* Two windows of 2 x 2 pixels, in a word of a row and the one below it. */
static inline uint32_t windows_at(const uint8_t *sample)
{
#if LITTLE_ENDIAN_WORDS
    const uint32_t a = word_at(sample), b = word_at(sample + WIDTH), every = 0x00FF00FF;
    return (a & every) + ((a >> 8) & every) + (b & every) + ((b >> 8) & every) + 0x00020002;
#else
    const uint8_t *below = sample + WIDTH;
    const uint32_t left = (uint32_t)sample[0] + sample[1] + below[0] + below[1];
    const uint32_t right = (uint32_t)sample[2] + sample[3] + below[2] + below[3];
    return left + (right << 16) + 0x00020002;
#endif
}
