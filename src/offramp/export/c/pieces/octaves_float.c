/* How far a score is behind the best, in powers of two of the softmax, with 12 fractional bits. */
static uint32_t octaves_of(float best, float score)
{
    float d = (best - score) * DISTANCE;
    return d < 1048575.0f ? (uint32_t)d : 0xFFFFF;
}
