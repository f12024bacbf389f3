/* Symbols to the codec's bytes: a bit for each that is not zero, then these. */
static uint16_t code(const uint8_t *q, uint8_t *out)
{
    uint8_t others[N_SENT];
    uint16_t i, n = 0;
    for (i = 0; i < (N_SENT + 7) / 8; i++) {
        out[i] = 0;
    }
    for (i = 0; i < N_SENT; i++) {
        if (q[i] != ZERO_SYMBOL(i)) {
            out[i / 8] |= (uint8_t)(1u << (i % 8));
            others[n++] = q[i];
        }
    }
    return trimmed(out, (uint16_t)((N_SENT + 7) / 8 + packed(others, n, out + (N_SENT + 7) / 8)));
}
