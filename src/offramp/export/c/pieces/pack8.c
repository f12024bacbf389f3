/* All n symbols; returns the bytes. */
static uint16_t packed(const uint8_t *q, uint16_t n, uint8_t *out)
{
    uint16_t i;
    for (i = 0; i < n; i++) {
        out[i] = q[i];
    }
    return n;
}
