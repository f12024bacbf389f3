/* n products of neighbours. */
static int32_t row_dense(int32_t sum, const uint8_t *x, const int8_t *w, uint_fast16_t n)
{
#if DO_MVE
    int32_t offset = 0; /* symbols less 128 are signed; the weights' sum makes up for it */
    for (; n >= 16; n -= 16, x += 16, w += 16) {
        int8x16_t weights = vldrbq_s8(w);
        sum = vmladavaq_s8(sum, vreinterpretq_s8_u8(veorq_u8(vldrbq_u8(x), vdupq_n_u8(128))), weights);
        offset = vaddvaq_s8(offset, weights);
    }
    if (n > 0) {
        mve_pred16_t p = vctp8q(n);
        int8x16_t weights = vldrbq_z_s8(w, p);
        sum = vmladavaq_s8(sum, vreinterpretq_s8_u8(veorq_u8(vldrbq_z_u8(x, p), vdupq_n_u8(128))), weights);
        offset = vaddvaq_s8(offset, weights);
    }
    return sum + 128 * offset;
#else
    for (; n >= 4; n -= 4, x += 4, w += 4) {
        sum = mac4(sum, x, w);
    }
    for (; n > 0; n--, x++, w++) {
        sum += READ_I8(w) * *x;
    }
    return sum;
#endif
}
