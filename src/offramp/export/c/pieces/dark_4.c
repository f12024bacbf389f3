/* Whether all its pixels are 0. */
static inline bool is_dark(const uint8_t *sample)
{
    return (word_at(sample) | word_at(sample + WIDTH) | word_at(sample + 2 * WIDTH) | word_at(sample + 3 * WIDTH)) == 0;
}
