/* A device under test: samples come in, everything that the exported code computes goes out.

   PREFIX stands for the names of the exported code. With OFFRAMP_TRACE every layer's output is written as it is
   computed; without it only the verdict, and the work is counted. With PUSHED there is no buffer for a sample. */
#include "harness.h"
#include "@prefix@.h"

#ifdef OFFRAMP_TRACE
extern void offramp_trace(const void *from, uint32_t n_bytes);
void offramp_trace(const void *from, uint32_t n_bytes)
{
    harness_write(from, n_bytes);
}
#define START()
#define STOP()
#else
#define START() harness_start()
#define STOP() harness_stop()
#endif

static void tell(uint32_t value, uint8_t n_bytes)
{
    for (; n_bytes > 0; n_bytes--, value >>= 8) {
        uint8_t byte = (uint8_t)value;
        harness_write(&byte, 1);
    }
}

int main(void)
{
#ifdef PUSHED
    @prefix@_stream stream;
#else
    static union {
        @prefix@_input values[@PREFIX@_N_INPUTS];
        uint32_t aligned;
    } sample;
#endif
    @prefix@_feature features[@PREFIX@_N_FEATURES];
#ifdef OFFRAMP_TRACE
    uint8_t coded[@PREFIX@_MAX_CODED_BYTES];
    uint16_t n, i;
#ifdef WITH_TAIL
    float scores[@PREFIX@_N_CLASSES];
#endif
#endif
    for (;;) {
        @prefix@_verdict verdict;
#ifdef PUSHED
        @prefix@_input value;
        uint16_t left;
        if (harness_read(&value, sizeof value) != sizeof value) {
            return 0;
        }
        START();
        @prefix@_begin(&stream);
        for (left = @PREFIX@_N_RAW; left > 0; left--) {
            @prefix@_push(&stream, value);
            if (left > 1) {
                harness_read(&value, sizeof value);
            }
        }
        @prefix@_end(&stream, features);
#else
        if (harness_read(sample.values, @PREFIX@_N_RAW * sizeof *sample.values) != @PREFIX@_N_RAW * sizeof *sample.values) {
            return 0;
        }
        START();
        @prefix@_head(sample.values, features);
#endif
        verdict = @prefix@_exit(features);
        STOP();
        tell(verdict.label, 2);
        tell(verdict.sure, 1);
        tell((uint32_t)verdict.level, 4);
#ifdef OFFRAMP_TRACE
        n = @prefix@_encode(features, coded);
        tell(n, 2);
        for (i = 0; i < @PREFIX@_MAX_CODED_BYTES; i++) {
            tell(i < n ? coded[i] : 0, 1);
        }
#ifdef WITH_TAIL
        @prefix@_tail(features, scores);
#endif
#endif
    }
}
