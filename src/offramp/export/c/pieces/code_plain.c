/* Symbols to the codec's bytes. */
static uint16_t code(const uint8_t *q, uint8_t *out)
{
    return packed(q, N_SENT, out);
}
