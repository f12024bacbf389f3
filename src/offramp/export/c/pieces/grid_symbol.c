/* The nearest level of a grid (docs/formats/codecs.md): every operation rounded to float32 by itself. */
static uint8_t level_on_grid(float x, float low, float step, float limit)
{
    float high = limit * step;
    high = low + high;
    x = x > low ? x : low;
    x = x < high ? x : high;
    x = x - low;
    x = x / step;
    x = x + 8388608.0f; /* 2^23: what is behind the point goes, ties to even */
    x = x - 8388608.0f;
    return (uint8_t)(x < limit ? x : limit);
}
