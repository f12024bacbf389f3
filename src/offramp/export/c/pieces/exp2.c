/* 2^-octaves: 12 fractional bits in, 16 out. */
static uint32_t exp2_of(uint32_t octaves)
{
    uint32_t f = octaves & 0xFFF, whole = octaves >> 12;
    uint32_t t = 15110 - ((f * 2565) >> 12);
    t = 45313 - ((f * t) >> 12);
    return whole < 32 ? (65536 - ((f * t) >> 12)) >> whole : 0;
}
