/* The device's side of a serial line to `offramp gateway`. Format: docs/formats/serial.md.

   ISO C99, no memory but the caller's, no clock, and no buffer beyond one reply. The application brings a function
   that puts a byte on the line, and feeds every byte that it gets. A line that damages frames costs their answers:
   whoever waits for one keeps time, and goes on with the exit's own verdict. */
#ifndef OFFRAMP_SERIAL_LINE_H
#define OFFRAMP_SERIAL_LINE_H

#include <stdbool.h>
#include <stdint.h>

/* Who the device is. Digests and codec are the macros NAME_HEAD_DIGEST, NAME_CODEC_DIGEST and NAME_CODEC of the
   exported head; "" for each where the device has none and sends samples. */
typedef struct {
    const char *head_digest;
    const char *codec_digest;
    const char *codec;
    const char *name; /* for people: letters, digits and "._-"; may be "" */
} offramp_identity;

/* Where a verdict of the device's own comes from. */
enum { OFFRAMP_BY_EXIT, OFFRAMP_BY_LOCAL, OFFRAMP_BY_FALLBACK };

/* Why there is no answer. */
enum {
    OFFRAMP_SAY_HELLO = 1,    /* the gateway is new: offramp_serial_feed has said hello */
    OFFRAMP_OTHER_HEAD = 2,   /* the gateway serves another head: it has no answers for this device */
    OFFRAMP_NO_ANSWER = 3,    /* from the tail in time */
    OFFRAMP_BUSY = 4,         /* too much to do; a pause helps */
    OFFRAMP_TAIL_REFUSED = 5, /* the tail said no */
    OFFRAMP_UNREADABLE = 6    /* this head cannot have made what was sent */
};

/* What a byte was the last one of. */
typedef enum {
    OFFRAMP_NOTHING, /* no reply, or one that is not complete yet */
    OFFRAMP_WELCOME, /* from now on the gateway takes what is sent */
    OFFRAMP_ANSWER,  /* sequence, label, confidence */
    OFFRAMP_REFUSED  /* sequence (0: no sample in particular), why */
} offramp_event;

typedef struct {
    uint16_t sequence;
    uint16_t label;
    uint8_t confidence; /* of the tail, 0 to 255 */
    uint8_t why;
} offramp_reply;

enum { OFFRAMP_MAX_REPLY = 10 }; /* bytes: kind, content, check */

/* One line. Its content is this library's own. */
typedef struct {
    void (*put)(void *context, uint8_t byte);
    void *context;
    const offramp_identity *identity;
    bool welcome;
    bool lost;      /* what is being received cannot be a reply */
    uint8_t run;    /* bytes to come before the next length */
    bool zero;      /* whether a zero stands before the next run */
    uint8_t n_held; /* bytes in `held` */
    uint8_t held[OFFRAMP_MAX_REPLY];
} offramp_serial;

/* Makes a line and says hello. `identity` is kept; `put` may wait for the line, and is given `context`. */
void offramp_serial_begin(offramp_serial *line, const offramp_identity *identity,
                          void (*put)(void *context, uint8_t byte), void *context);

/* Says hello: once more where no welcome came within a second, say. */
void offramp_serial_hello(offramp_serial *line);

/* The next three send nothing, and give false, before the gateway has said welcome.
   `sequence` is 1 to 65535; answers and refusals name it. */

/* Asks the tail about coded features, as NAME_encode has written them. */
bool offramp_serial_offload(offramp_serial *line, uint16_t sequence, const uint8_t *coded, uint16_t n_bytes);

/* Asks the whole network on the server about a raw sample. */
bool offramp_serial_sample(offramp_serial *line, uint16_t sequence, const void *values, uint16_t n_bytes);

/* Tells what the device has answered by itself. */
bool offramp_serial_verdict(offramp_serial *line, uint16_t sequence, uint16_t label, uint8_t source);

/* Takes one byte from the line; `reply` is filled where the result is an answer or a refusal. */
offramp_event offramp_serial_feed(offramp_serial *line, uint8_t byte, offramp_reply *reply);

#endif
