/* log2(w) - 16 with 12 fractional bits, for w from 2^16 on. */
static uint32_t log2_of(uint32_t w)
{
    uint32_t top = 16, g, t;
    while (w >> top > 1) {
        top++;
    }
    g = (w >> (top - 12)) & 0xFFF;
    t = 21081 - ((g * 5397) >> 12);
    t = 44440 - ((g * t) >> 12);
    t = 94293 - ((g * t) >> 12);
    return ((top - 16) << 12) + ((g * t) >> 16);
}
