/* How many bytes stay without the zeros at the end; one at least. */
static uint16_t trimmed(const uint8_t *out, uint16_t n)
{
    while (n > 1 && out[n - 1] == 0) {
        n--;
    }
    return n;
}
