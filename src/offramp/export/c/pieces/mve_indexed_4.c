#if DO_MVE
if (((uintptr_t)x & 3) == 0) { /* four blocks of four at once, each a word */
    const uint32_t *words = (const uint32_t *)(const void *)x;
    int32_t offset = 0; /* symbols less 128 are signed; the weights' sum makes up for it */
    for (; n >= 4; n -= 4, w += 16, index += 4) {
        int8x16_t weights = vldrbq_s8(w);
        uint8x16_t inputs = vreinterpretq_u8_u32(vldrwq_gather_shifted_offset_u32(words, vldrXq_u32(index)));
        s0 = vmladavaq_s8(s0, vreinterpretq_s8_u8(veorq_u8(inputs, vdupq_n_u8(128))), weights);
        offset = vaddvaq_s8(offset, weights);
    }
    if (n > 0) {
        mve_pred16_t p = vctp32q(n);
        int8x16_t weights = vldrbq_z_s8(w, p);
        uint8x16_t inputs = vreinterpretq_u8_u32(
            vldrwq_gather_shifted_offset_z_u32(words, vldrXq_z_u32(index, p), p));
        s0 = vmladavaq_s8(s0, vreinterpretq_s8_u8(veorq_u8(inputs, vdupq_n_u8(128))), weights);
        offset = vaddvaq_s8(offset, weights);
    }
    sum[0] = s0 + 128 * offset;
    return;
}
#endif
