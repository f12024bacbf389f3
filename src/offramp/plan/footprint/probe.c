/* Calls everything that the exported code offers, sample after sample, each call an interval of its own.

   With EMPTY it calls nothing: what the exported code adds is the difference. With OFFRAMP_TRACE every junction is
   an interval. With PUSHED values come one by one, and there is no buffer for a sample. */
#include "harness.h"
#include "@prefix@.h"

#ifdef EMPTY
#define CALL(call) if (0) call
#else
#define CALL(call) call
#endif

#ifdef OFFRAMP_TRACE
extern void offramp_trace(const void *from, uint32_t n_bytes);
void offramp_trace(const void *from, uint32_t n_bytes)
{
    (void)from;
    (void)n_bytes;
    harness_stop();
    harness_start();
}
#endif

#define COUNTED(call)                                                                                                  \
    do {                                                                                                               \
        harness_start();                                                                                               \
        CALL(call);                                                                                                    \
        harness_stop();                                                                                                \
    } while (0)

#ifdef PUSHED
static @prefix@_stream stream;
#else
static union {
    @prefix@_input values[@PREFIX@_N_INPUTS];
    uint32_t aligned;
} sample;
#endif
static @prefix@_feature features[@PREFIX@_N_FEATURES];
static uint8_t coded[@PREFIX@_MAX_CODED_BYTES];

int main(void)
{
    @prefix@_verdict verdict = {0, false, 0};
    uint16_t n = 0;
    for (;;) {
#ifdef PUSHED
        uint16_t i;
        COUNTED(@prefix@_begin(&stream));
        for (i = 0; i < @PREFIX@_N_RAW; i++) {
            @prefix@_input value;
            if (harness_read(&value, sizeof value) != sizeof value) {
                return 0;
            }
            COUNTED(@prefix@_push(&stream, value));
        }
        COUNTED(@prefix@_end(&stream, features));
#else
        const size_t n_bytes = @PREFIX@_N_RAW * sizeof *sample.values;
        if (harness_read(sample.values, n_bytes) != n_bytes) {
            return 0;
        }
        COUNTED(@prefix@_head(sample.values, features));
#endif
        COUNTED(verdict = @prefix@_exit(features));
        COUNTED(n = @prefix@_encode(features, coded));
        harness_write(&verdict, sizeof verdict);
        harness_write(coded, n);
    }
}
