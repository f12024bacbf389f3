#if DO_MVE
{
    int32_t offset = 0; /* symbols less 128 are signed; the weights' sum makes up for it */
    for (; n >= 16; n -= 16, x += 16, w += 16) {
        int8x16_t weights = vldrbq_s8(w);
        s0 = vmladavaq_s8(s0, vreinterpretq_s8_u8(veorq_u8(vldrbq_u8(x), vdupq_n_u8(128))), weights);
        offset = vaddvaq_s8(offset, weights);
    }
    if (n > 0) {
        mve_pred16_t p = vctp8q(n);
        int8x16_t weights = vldrbq_z_s8(w, p);
        s0 = vmladavaq_s8(s0, vreinterpretq_s8_u8(veorq_u8(vldrbq_z_u8(x, p), vdupq_n_u8(128))), weights);
        offset = vaddvaq_s8(offset, weights);
    }
    sum[0] = s0 + 128 * offset;
    return;
}
#endif
