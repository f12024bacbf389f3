/* A device under test: samples come in, everything that the exported code computes goes out.

   PREFIX stands for the names of the exported code. With OFFRAMP_TRACE every layer's output is written as it is
   computed; without it only the verdict, and the work is counted. With PUSHED a sample is taken value by value, and
   where it is not BUFFERED too, reading it is counted. */
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

#define RAW_BYTES (@PREFIX@_N_RAW * sizeof(@prefix@_input))

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
#endif
#ifdef BUFFERED
    static union {
        @prefix@_input values[@PREFIX@_N_INPUTS];
        uint32_t aligned;
    } sample;
#endif
    @prefix@_feature features[@PREFIX@_N_FEATURES];
#ifdef OFFRAMP_TRACE
    uint8_t coded[@PREFIX@_MAX_CODED_BYTES];
    uint16_t n, k;
#ifdef WITH_TAIL
    float scores[@PREFIX@_N_CLASSES];
#endif
#endif
    for (;;) {
        @prefix@_verdict verdict;
#ifdef BUFFERED
        if (harness_read(sample.values, RAW_BYTES) != RAW_BYTES) {
            return 0;
        }
        START();
#else
        @prefix@_input first;
        if (harness_read(&first, sizeof first) != sizeof first) {
            return 0;
        }
        START();
#endif
#ifdef PUSHED
        uint32_t i;
        @prefix@_begin(&stream);
        for (i = 0; i < @PREFIX@_N_RAW; i++) {
#ifdef BUFFERED
            @prefix@_push(&stream, sample.values[i]);
#else
            @prefix@_input next = first;
            if (i > 0) {
                harness_read(&next, sizeof next);
            }
            @prefix@_push(&stream, next);
#endif
        }
        @prefix@_end(&stream, features);
#else
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
        for (k = 0; k < @PREFIX@_MAX_CODED_BYTES; k++) {
            tell(k < n ? coded[k] : 0, 1);
        }
#ifdef WITH_TAIL
        @prefix@_tail(features, scores);
#endif
#endif
    }
}
