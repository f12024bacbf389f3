/* n products of neighbours. */
static int32_t mac(int32_t sum, const uint8_t *x, const int8_t *w, uint_fast16_t n)
{
#if DO_MVE
    for (; n >= 8; n -= 8, x += 8, w += 8) {
        sum = vmladavaq_s16(sum, vreinterpretq_s16_u16(vldrbq_u16(x)), vldrbq_s16(w));
    }
    if (n > 0) {
        mve_pred16_t p = vctp16q(n);
        sum = vmladavaq_p_s16(sum, vreinterpretq_s16_u16(vldrbq_z_u16(x, p)), vldrbq_z_s16(w, p), p);
    }
#else
    for (; n >= 4; n -= 4, x += 4, w += 4) {
        sum = mac4(sum, x, w);
    }
    for (; n > 0; n--, x++, w++) {
        sum += READ_I8(w) * *x;
    }
#endif
    return sum;
}
