/* Values to the codec's bytes, little-endian. */
static uint16_t code(const float *values, uint8_t *out)
{
    uint16_t i;
    for (i = 0; i < N_SENT; i++) {
        uint32_t bits;
        memcpy(&bits, values + i, 4);
        out[4 * i] = (uint8_t)bits;
        out[4 * i + 1] = (uint8_t)(bits >> 8);
        out[4 * i + 2] = (uint8_t)(bits >> 16);
        out[4 * i + 3] = (uint8_t)(bits >> 24);
    }
    return 4 * N_SENT;
}
