/* Symbols to the codec's bytes: one number, its digits as short as they can be (docs/formats/codecs.md). */
static void carry(uint8_t *out, uint16_t n)
{
    while (++out[--n] == 0) {
    }
}

#if SYMBOL_BITS == 4
#define SHARES 16
#define TOTAL_BITS 12
#else
#define SHARES 17
#define TOTAL_BITS 16
#endif

static uint16_t code(const uint8_t *q, uint8_t *out)
{
    uint8_t digits[2 * N_SENT + 1];
    uint32_t low = 0, range = (uint32_t)255 << 24, up;
    uint16_t used = 0, escaped = N_SENT, i, k;
    for (i = 0; i < N_SENT; i++) {
        const uint16_t *f = frequencies + (uint32_t)i * SHARES;
        uint32_t start = 0, frequency;
#if SYMBOL_BITS == 4
        for (k = 0; k < q[i]; k++) {
            start += READ_U16(f + k);
        }
        frequency = READ_U16(f + q[i]);
#else
        frequency = READ_U16(f + 1 + q[i] / 16);
        if (q[i] == 0) {
            frequency += (uint32_t)16 * READ_U16(f);
        } else {
            for (k = 0; k <= q[i] / 16; k++) {
                start += READ_U16(f + k);
            }
            start = 16 * start + (q[i] % 16) * frequency;
        }
#endif
        range >>= TOTAL_BITS;
        low += range * start;
        if (low < range * start) {
            carry(digits, used);
        }
        range *= frequency;
        while (range < (uint32_t)1 << 24) {
            digits[used++] = (uint8_t)(low >> 24);
            low <<= 8;
            range <<= 8;
        }
    }
    up = 0u - low;
    if (up >= range) {
        up &= 0xFFFFFF;
    }
    low += up;
    if (low < up) {
        carry(digits, used);
    }
    digits[used++] = (uint8_t)(low >> 24);
    while (used > 0 && digits[used - 1] == 0) {
        used--;
    }
    while (escaped > 0 && q[escaped - 1] == 0) {
        escaped--;
    }
    escaped = (uint16_t)(1 + (escaped * SYMBOL_BITS + 7) / 8);
    if (used > escaped) {
        out[0] = 255;
        return trimmed(out, (uint16_t)(1 + packed(q, N_SENT, out + 1)));
    }
    for (i = 0; i < used; i++) {
        out[i] = digits[i];
    }
    if (used == 0) {
        out[used++] = 0;
    }
    return used;
}
