#if DO_MVE
for (; n >= 8; n -= 8, w += 8, index += 8) {
    uint16x8_t inputs = vldrbq_gather_offset_u16(x, vldrXq_u16(index));
    s0 = vmladavaq_s16(s0, vreinterpretq_s16_u16(inputs), vldrbq_s16(w));
}
if (n > 0) {
    mve_pred16_t p = vctp16q(n);
    uint16x8_t inputs = vldrbq_gather_offset_z_u16(x, vldrXq_z_u16(index, p), p);
    sum[0] = vmladavaq_p_s16(s0, vreinterpretq_s16_u16(inputs), vldrbq_z_s16(w, p), p);
    return;
}
#endif
