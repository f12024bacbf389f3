/* Whether all pixels of both are 0. */
static inline bool is_dark(const uint8_t *sample)
{
    return (word_at(sample) | word_at(sample + WIDTH)) == 0;
}
