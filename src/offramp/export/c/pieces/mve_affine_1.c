#if DO_MVE
if (n >= 8 && of <= 0x8000) {
    uint16x8_t inputs = vdupq_n_u16((uint16_t)at);
    uint32_t lane = 0, far;
    uint_fast8_t i;
    uint16_t lanes[8];
    for (i = 0; i < 8; i++) {
        lanes[i] = (uint16_t)lane;
        lane += step;
        lane -= lane >= of ? of : 0;
    }
    far = lane;
    inputs = vaddq_u16(inputs, vldrhq_u16(lanes));
    inputs = vminq_u16(inputs, vsubq_n_u16(inputs, (uint16_t)of));
    for (; n >= 8; n -= 8, w += 8) {
        uint16x8_t values = vldrbq_gather_offset_u16(x, inputs);
        s0 = vmladavaq_s16(s0, vreinterpretq_s16_u16(values), vldrbq_s16(w));
        at += far;
        at -= at >= of ? of : 0;
        inputs = vaddq_n_u16(inputs, (uint16_t)far);
        inputs = vminq_u16(inputs, vsubq_n_u16(inputs, (uint16_t)of));
    }
}
#endif
