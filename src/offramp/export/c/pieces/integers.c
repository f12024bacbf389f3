/* From a sum to a symbol: one rounding, docs/formats/int8.md. */
static uint8_t symbol(int32_t sum, uint16_t multiplier, uint8_t lift, uint8_t shift, uint8_t limit)
{
    uint32_t a = sum > 0 ? (uint32_t)sum << lift : 0;
#if defined(__AVR__) || defined(__ARM_ARCH_6M__) /* a product of 64 bits would be a call */
    uint32_t high = (a >> 16) * multiplier;
    uint32_t low = (a & 0xFFFF) * multiplier;
    a = (high + (low >> 16) + ((uint32_t)1 << (shift - 17))) >> (shift - 16);
#else
    if (shift <= 32) {
        a = (uint32_t)(((uint64_t)a * ((uint32_t)multiplier << (32 - shift)) + 0x80000000u) >> 32);
    } else {
        a = (uint32_t)(((uint64_t)a * multiplier + ((uint64_t)1 << (shift - 1))) >> shift);
    }
#endif
#if DO_SATURATE
    if (limit == 255) {
        return (uint8_t)__usat((int32_t)a, 8);
    }
#endif
    return a < limit ? (uint8_t)a : limit;
}
