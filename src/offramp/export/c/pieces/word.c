#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define LITTLE_ENDIAN_WORDS 1
#else
#define LITTLE_ENDIAN_WORDS 0
#endif

/* Four pixels, the first of which lies at a multiple of four. */
static inline uint32_t word_at(const uint8_t *sample)
{
    uint32_t word;
#if defined(__GNUC__) && ((defined(__arm__) && !defined(__ARM_FEATURE_UNALIGNED)) || defined(__riscv))
    sample = __builtin_assume_aligned(sample, 4);
#endif
    memcpy(&word, sample, 4);
    return word;
}

