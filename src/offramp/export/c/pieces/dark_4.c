/* Most words of a drawing are dark; a compiler that knows computes nothing ahead of the question. */
#if defined(__GNUC__)
#define LIKELY(condition) __builtin_expect(condition, 1)
#else
#define LIKELY(condition) (condition)
#endif

/* Whether all its pixels are 0. */
static inline bool is_dark(const uint8_t *sample)
{
    return (word_at(sample) | word_at(sample + WIDTH) | word_at(sample + 2 * WIDTH) | word_at(sample + 3 * WIDTH)) == 0;
}
