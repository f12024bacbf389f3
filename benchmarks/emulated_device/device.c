/* A device: samples come in through the harness, are judged here or sent over the serial port, and what became of each
   goes out through the harness. MODE is one of the four below; with TELL the gateway is told of the device's own
   verdicts. */
#include "@prefix@.h"
#include "harness.h"
#include "offramp_serial.h"
#include "serial.h"

#include <string.h>

#define LOCAL 0
#define REMOTE 1
#define SPLIT 2
#define SPLIT_EXIT 3
#if MODE != LOCAL || defined TELL
#define TALKS
#endif

/* Looks at the serial port before a sample is given up: seconds of an emulator. */
enum { PATIENCE = 100000000 };

enum { BY_TAIL = 3 }; /* beside the sources of a device's own verdicts */

/* What is written for each sample, little-endian. */
static struct {
    uint16_t label;
    uint16_t source;
    uint32_t bytes_out;
    uint32_t bytes_in;
} told;

static union {
    @prefix@_input values[@PREFIX@_N_INPUTS];
    uint32_t aligned;
} sample;
enum { SAMPLE_BYTES = @PREFIX@_N_RAW * sizeof(@prefix@_input) };

uint8_t coded[@PREFIX@_MAX_CODED_BYTES];

/* The device's own verdict on the sample; how many coded bytes are to be sent, 0 where the verdict stands. */
static uint16_t judged(void)
{
    uint16_t n_coded = 0;
#if MODE != REMOTE
    @prefix@_feature features[@PREFIX@_N_FEATURES];
    @prefix@_head(sample.values, features);
#if MODE == LOCAL
    float scores[@PREFIX@_N_CLASSES];
    @prefix@_tail(features, scores);
    for (uint16_t i = 1; i < @PREFIX@_N_CLASSES; i++) {
        if (scores[i] > scores[told.label]) {
            told.label = i;
        }
    }
    told.source = OFFRAMP_BY_LOCAL;
#else
    bool sure = false;
#if MODE == SPLIT_EXIT
    const @prefix@_verdict verdict = @prefix@_exit(features);
    sure = verdict.sure;
    told.label = verdict.label;
    told.source = sure ? OFFRAMP_BY_EXIT : OFFRAMP_BY_FALLBACK;
#endif
    if (!sure) {
        n_coded = @prefix@_encode(features, coded);
    }
#endif
#endif
    return n_coded;
}

#ifdef TALKS
static const offramp_identity identity = {@PREFIX@_HEAD_DIGEST, @PREFIX@_CODEC_DIGEST, @PREFIX@_CODEC, "emulated"};
static offramp_serial line;

static void put(void *context, uint8_t byte)
{
    (void)context;
    serial_write(&byte, 1);
    told.bytes_out++;
}

/* The next event of the line that matters; OFFRAMP_NOTHING when patience ends. */
static offramp_event next_event(offramp_reply *reply)
{
    for (uint32_t looks = 0; looks < PATIENCE; looks++) {
        if (serial_ready()) {
            const offramp_event event = offramp_serial_feed(&line, serial_read(), reply);
            told.bytes_in++;
            if (event != OFFRAMP_NOTHING) {
                return event;
            }
        }
    }
    return OFFRAMP_NOTHING;
}

/* A welcome is waited for to each hello, its own and one that it is asked for: a line that is closed with bytes unread
   may lose what was sent the other way. */
static bool greeted(void)
{
    offramp_reply reply = {0, 0, 0, 0};
    int awaited = 1;
    offramp_serial_begin(&line, &identity, put, NULL);
    while (awaited > 0) {
        const offramp_event event = next_event(&reply);
        if (event == OFFRAMP_WELCOME) {
            awaited--;
        } else if (event == OFFRAMP_REFUSED && reply.why == OFFRAMP_SAY_HELLO) {
            awaited++;
        } else {
            return false;
        }
    }
    return true;
}

static bool sent(uint16_t sequence, uint16_t n_coded)
{
    if (MODE == REMOTE) {
        return offramp_serial_sample(&line, sequence, sample.values, SAMPLE_BYTES);
    }
    return n_coded > 0 && offramp_serial_offload(&line, sequence, coded, n_coded);
}

/* Takes the tail's answer for its own, unless there is none. */
static void heed(uint16_t sequence)
{
    offramp_reply reply = {0, 0, 0, 0};
    offramp_event event;
    do {
        event = next_event(&reply);
    } while (event != OFFRAMP_NOTHING && reply.sequence != sequence);
    if (event == OFFRAMP_ANSWER) {
        told.label = reply.label;
        told.source = BY_TAIL;
    } else if (MODE == REMOTE || MODE == SPLIT) {
        harness_exit(1); /* there is no exit whose verdict could stand */
    }
}
#endif

/* Two intervals are counted for each sample: the network, and the frame around what is sent of it. */
int main(void)
{
    uint16_t sequence = 0;
#ifdef TALKS
    if (!greeted()) {
        return 1;
    }
#endif
    while (harness_read(sample.values, SAMPLE_BYTES) == SAMPLE_BYTES) {
        uint16_t n_coded;
        sequence = sequence == 65535 ? 1 : (uint16_t)(sequence + 1);
        memset(&told, 0, sizeof told);
        harness_start();
        n_coded = judged();
        harness_stop();
        harness_start();
#ifdef TALKS
        const bool asked = sent(sequence, n_coded);
        harness_stop();
        if (asked) {
            heed(sequence);
        }
#else
        harness_stop();
        (void)n_coded;
#endif
#ifdef TELL
        if (told.source != BY_TAIL) {
            offramp_serial_verdict(&line, sequence, told.label, (uint8_t)told.source);
        }
#endif
        harness_write(&told, sizeof told);
    }
    return 0;
}
