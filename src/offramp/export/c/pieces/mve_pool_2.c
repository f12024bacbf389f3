#if DO_MVE
{
    uint_fast8_t y;
    for (y = 0; y < HEIGHT; y++, sample += WIDTH) {
        uint_fast16_t left;
        for (left = WIDTH; left > 0; left -= left < 16 ? left : 16) {
            const uint8_t *at = sample + WIDTH - left;
            mve_pred16_t p = vctp8q(left);
            uint8x16_t a = vldrbq_z_u8(at, p), b = vldrbq_z_u8(at + WIDTH, p);
            uint16x8_t sums = vaddq_u16(vmovlbq_u8(a), vmovltq_u8(a));
            sums = vaddq_u16(sums, vaddq_u16(vmovlbq_u8(b), vmovltq_u8(b)));
            vstrbq_p_u16(input, vrshrq_n_u16(sums, 2), vctp16q(left / 2));
            input += left < 16 ? left / 2 : 8;
        }
        sample += WIDTH;
    }
}
#else
