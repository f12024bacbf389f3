/* The level of the criterion learned: weights by rank. */
static int32_t level_of(const SCORE *z, uint_fast16_t best)
{
    uint32_t ranked[N_CLASSES];
    int32_t level = LEARNED_CONSTANT;
    uint_fast16_t i, k;
    for (i = 0; i < N_CLASSES; i++) {
        uint32_t octaves = octaves_of(z[best], z[i]);
        for (k = i; k > 0 && ranked[k - 1] > octaves; k--) {
            ranked[k] = ranked[k - 1];
        }
        ranked[k] = octaves;
    }
    for (k = 1; k < N_CLASSES; k++) {
        level -= READ_I16(learned_weight + k) * (int32_t)(ranked[k] >> 4);
    }
    return level;
}
