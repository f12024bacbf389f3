/* Values to the codec's bytes: half precision, ties to even, at most 65504, little-endian. */
static uint16_t code(const float *values, uint8_t *out)
{
    uint16_t i;
    for (i = 0; i < N_SENT; i++) {
        uint32_t bits, sign, half, rest, shift;
        memcpy(&bits, values + i, 4);
        sign = (bits >> 16) & 0x8000;
        bits &= 0x7FFFFFFF;
        if (bits >= 0x477FE000) { /* 65504 */
            half = 0x7BFF;
        } else if (bits >= 0x38800000) { /* normal: 2^-14 or more */
            rest = bits & 0x1FFF;
            half = (bits - 0x38000000) >> 13;
            half += rest > 0x1000 || (rest == 0x1000 && (half & 1));
        } else if (bits >= 0x33000000) { /* 2^-25 or more */
            shift = 126 - (bits >> 23);
            bits = (bits & 0x7FFFFF) | 0x800000;
            rest = bits & (((uint32_t)1 << shift) - 1);
            half = bits >> shift;
            half += rest > (uint32_t)1 << (shift - 1) || (rest == (uint32_t)1 << (shift - 1) && (half & 1));
        } else {
            half = 0;
        }
        half |= sign;
        out[2 * i] = (uint8_t)half;
        out[2 * i + 1] = (uint8_t)(half >> 8);
    }
    return 2 * N_SENT;
}
