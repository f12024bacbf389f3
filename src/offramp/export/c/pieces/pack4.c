/* All n symbols, the first of two in the lower half of a byte; returns the bytes. */
static uint16_t packed(const uint8_t *q, uint16_t n, uint8_t *out)
{
    uint16_t i;
    for (i = 0; i < n; i++) {
        if (i % 2 == 0) {
            out[i / 2] = q[i];
        } else {
            out[i / 2] |= (uint8_t)(q[i] << 4);
        }
    }
    return (uint16_t)((n + 1) / 2);
}
