/* The level of the criterion max_softmax. */
static int32_t level_of(const SCORE *z, uint_fast16_t best)
{
    uint32_t others = 0;
    uint_fast16_t i;
    for (i = 0; i < N_CLASSES; i++) {
        if (i != best && IS_NEAR(z[best], z[i])) {
            others += exp2_of(octaves_of(z[best], z[i]));
        }
    }
    return -(int32_t)others;
}
