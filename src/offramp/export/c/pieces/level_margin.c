/* The level of the criterion margin. */
static int32_t level_of(const SCORE *z, uint_fast16_t best)
{
    uint32_t others = 0, second = 0, share;
    uint_fast16_t i;
    for (i = 0; i < N_CLASSES; i++) {
        if (i != best && IS_NEAR(z[best], z[i])) {
            share = exp2_of(octaves_of(z[best], z[i]));
            others += share;
            second = share > second ? share : second;
        }
    }
    return (int32_t)(((65536 - second) << 15) / (65536 + others));
}
