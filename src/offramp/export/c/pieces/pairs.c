#if DO_DSP
/* Bytes 1 and 3 in two lanes; compilers do not find that one instruction rotates and widens. */
static inline uint32_t odd_symbols(uint32_t four)
{
    uint32_t two;
    __asm__("uxtb16 %0, %1, ror #8" : "=r"(two) : "r"(four));
    return two;
}

static inline int16x2_t odd_weights(uint32_t four)
{
    int16x2_t two;
    __asm__("sxtb16 %0, %1, ror #8" : "=r"(two) : "r"(four));
    return two;
}
#endif
