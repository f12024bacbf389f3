/* Four products of neighbours. */
static inline int32_t mac4(int32_t sum, const uint8_t *x, const int8_t *w)
{
#if DO_MVE
    return vmladavaq_s32(sum, vreinterpretq_s32_u32(vldrbq_u32(x)), vldrbq_s32(w));
#elif DO_DSP
    uint32_t a, b;
    memcpy(&a, x, 4);
    memcpy(&b, w, 4);
    sum = __smlad((int16x2_t)__uxtb16(a), __sxtb16((int8x4_t)b), sum);
    a = (a >> 8) | (a << 24);
    b = (b >> 8) | (b << 24);
    return __smlad((int16x2_t)__uxtb16(a), __sxtb16((int8x4_t)b), sum);
#else
    sum += READ_I8(w) * x[0];
    sum += READ_I8(w + 1) * x[1];
    sum += READ_I8(w + 2) * x[2];
    sum += READ_I8(w + 3) * x[3];
    return sum;
#endif
}
