/* How far a score is behind the best, in powers of two of the softmax, with 12 fractional bits. */
static uint32_t octaves_of(int32_t best, int32_t score)
{
    uint32_t d = (uint32_t)best - (uint32_t)score, high, low;
#if DISTANCE_LIFT
    d = (d < UINT32_MAX >> DISTANCE_LIFT ? d : UINT32_MAX >> DISTANCE_LIFT) << DISTANCE_LIFT;
#endif
    high = (d >> 16) * DISTANCE_MULTIPLIER;
    low = (d & 0xFFFF) * DISTANCE_MULTIPLIER;
    d = (high + (low >> 16)) >> (DISTANCE_SHIFT - 16);
    return d < 0xFFFFF ? d : 0xFFFFF;
}
