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

/* What is written for each sample, little-endian. */
typedef struct {
    uint16_t label;
    uint16_t source; /* of the verdict; BY_TAIL */
    uint32_t bytes_out;
    uint32_t bytes_in;
} told;

enum { BY_TAIL = 3 };

static told now;

#ifdef TALKS
static const offramp_identity identity = {@PREFIX@_HEAD_DIGEST, @PREFIX@_CODEC_DIGEST, @PREFIX@_CODEC, "emulated"};
static offramp_serial line;

static void put(void *context, uint8_t byte)
{
    (void)context;
    serial_write(&byte, 1);
    now.bytes_out++;
}

/* The next event of the line that matters; OFFRAMP_NOTHING when patience ends. */
static offramp_event await(offramp_reply *reply)
{
    for (uint32_t looks = 0; looks < PATIENCE; looks++) {
        if (serial_ready()) {
            const offramp_event event = offramp_serial_feed(&line, serial_read(), reply);
            now.bytes_in++;
            if (event != OFFRAMP_NOTHING) {
                return event;
            }
        }
    }
    return OFFRAMP_NOTHING;
}

static bool become_welcome(void)
{
    offramp_reply reply = {0, 0, 0, 0};
    offramp_serial_begin(&line, &identity, put, NULL);
    for (;;) {
        const offramp_event event = await(&reply);
        if (event == OFFRAMP_WELCOME) {
            return true;
        }
        if (event == OFFRAMP_NOTHING || (event == OFFRAMP_REFUSED && reply.why == OFFRAMP_OTHER_HEAD)) {
            return false;
        }
    }
}

/* Whether the tail has said what this sample is. */
static bool is_answered(uint16_t sequence)
{
    offramp_reply reply = {0, 0, 0, 0};
    offramp_event event;
    do {
        event = await(&reply);
        if (event == OFFRAMP_WELCOME) { /* said twice: to a hello of its own, and to one that it was asked for */
            now.bytes_in = 0;
        }
    } while (event == OFFRAMP_WELCOME || (event != OFFRAMP_NOTHING && reply.sequence != sequence));
    if (event != OFFRAMP_ANSWER) {
        return false;
    }
    now.label = reply.label;
    now.source = BY_TAIL;
    return true;
}

#endif

#if MODE == LOCAL
static uint16_t largest(const float scores[@PREFIX@_N_CLASSES])
{
    uint16_t best = 0;
    for (uint16_t i = 1; i < @PREFIX@_N_CLASSES; i++) {
        if (scores[i] > scores[best]) {
            best = i;
        }
    }
    return best;
}
#endif

/* Two intervals are counted for each sample: the network, and the frame around what it sends. */
int main(void)
{
    static union {
        @prefix@_input values[@PREFIX@_N_INPUTS];
        uint32_t aligned;
    } sample;
    const size_t n_bytes = @PREFIX@_N_RAW * sizeof *sample.values;
    uint16_t sequence = 0;
#ifdef TALKS
    if (!become_welcome()) {
        return 1;
    }
#endif
    while (harness_read(sample.values, n_bytes) == n_bytes) {
        bool sent = false;
        sequence = sequence == 65535 ? 1 : (uint16_t)(sequence + 1);
        memset(&now, 0, sizeof now);
        harness_start();
#if MODE == REMOTE
        harness_stop();
        harness_start();
        sent = offramp_serial_sample(&line, sequence, sample.values, (uint16_t)n_bytes);
        harness_stop();
#else
        @prefix@_feature features[@PREFIX@_N_FEATURES];
        @prefix@_head(sample.values, features);
#if MODE == LOCAL
        float scores[@PREFIX@_N_CLASSES];
        @prefix@_tail(features, scores);
        now.label = largest(scores);
        now.source = OFFRAMP_BY_LOCAL;
        harness_stop();
        harness_start();
        harness_stop();
#else
        uint8_t coded[@PREFIX@_MAX_CODED_BYTES];
        uint16_t n_coded = 0;
        const bool asks_exit = MODE == SPLIT_EXIT;
        @prefix@_verdict verdict = {0, false, 0};
        if (asks_exit) {
            verdict = @prefix@_exit(features);
        }
        now.label = verdict.label;
        now.source = verdict.sure ? OFFRAMP_BY_EXIT : OFFRAMP_BY_FALLBACK;
        if (!verdict.sure) {
            n_coded = @prefix@_encode(features, coded);
        }
        harness_stop();
        harness_start();
        sent = !verdict.sure && offramp_serial_offload(&line, sequence, coded, n_coded);
        harness_stop();
#endif
#endif
        if (sent && !is_answered(sequence) && MODE != SPLIT_EXIT) {
            return 1; /* no exit whose verdict could stand */
        }
#ifdef TELL
        if (now.source != BY_TAIL && !offramp_serial_verdict(&line, sequence, now.label, (uint8_t)now.source)) {
            return 1;
        }
#endif
        harness_write(&now, sizeof now);
    }
    return 0;
}
