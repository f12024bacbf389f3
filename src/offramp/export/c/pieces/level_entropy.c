/* The level of the criterion entropy. */
static int32_t level_of(const SCORE *z, uint_fast16_t best)
{
    uint32_t whole = 65536, surprise = 0, octaves, share;
    uint_fast16_t i;
    for (i = 0; i < N_CLASSES; i++) {
        if (i != best && IS_NEAR(z[best], z[i])) {
            octaves = octaves_of(z[best], z[i]);
            share = exp2_of(octaves);
            whole += share;
            surprise += (share * octaves) >> 8;
        }
    }
    return -(int32_t)(log2_of(whole) + surprise / (whole >> 8));
}
