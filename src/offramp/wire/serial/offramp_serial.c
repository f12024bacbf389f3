#include "offramp_serial.h"

#include <string.h>

enum { VERSION = 1 };
enum { HELLO = 1, OFFLOAD = 2, SAMPLE = 3, VERDICT = 4, WELCOME = 8, ANSWER = 9, REFUSAL = 10 };
enum { MARK_BYTES = 8, CHECK_BYTES = 4, LONGEST_RUN = 254, N_PIECES = 4 };

/* A frame is sent from the pieces that it lies in: nothing is copied. */
typedef struct {
    const uint8_t *bytes;
    uint16_t n_bytes;
} piece;

typedef struct {
    const piece *piece;
    const piece *end;
    uint16_t at;
} cursor;

static bool next(cursor *from, uint8_t *byte)
{
    while (from->piece != from->end && from->at == from->piece->n_bytes) {
        from->piece++;
        from->at = 0;
    }
    if (from->piece == from->end) {
        return false;
    }
    *byte = from->piece->bytes[from->at++];
    return true;
}

/* CRC-32 as Ethernet and zlib have it, bit by bit: a table would cost more than the time that it saves. */
static uint32_t check_on(uint32_t check, uint8_t byte)
{
    check ^= byte;
    for (uint8_t bit = 0; bit < 8; bit++) {
        check = (check >> 1) ^ (0xEDB88320u & (0u - (check & 1u)));
    }
    return check;
}

static uint8_t byte_of(uint32_t value, uint8_t number) { return (uint8_t)(value >> (8 * number)); }

static uint8_t kind_byte(uint8_t kind) { return (uint8_t)(VERSION << 4 | kind); }

/* The last piece is the check's. Stuffing reads ahead to the next zero instead of keeping what it has read. */
static void send(offramp_serial *line, piece pieces[N_PIECES])
{
    uint8_t byte = 0, check_bytes[CHECK_BYTES];
    uint32_t check = 0xFFFFFFFFu;
    cursor from = {pieces, pieces + N_PIECES - 1, 0};
    while (next(&from, &byte)) {
        check = check_on(check, byte);
    }
    for (uint8_t i = 0; i < CHECK_BYTES; i++) {
        check_bytes[i] = byte_of(~check, i);
    }
    pieces[N_PIECES - 1] = (piece){check_bytes, CHECK_BYTES};
    from = (cursor){pieces, pieces + N_PIECES, 0};
    line->put(line->context, 0); /* ends whatever noise there was */
    for (;;) {
        uint8_t run = 0;
        cursor ahead = from;
        while (run < LONGEST_RUN && next(&ahead, &byte) && byte != 0) {
            run++;
        }
        line->put(line->context, (uint8_t)(run + 1));
        for (uint8_t i = 0; i < run; i++) {
            (void)next(&from, &byte);
            line->put(line->context, byte);
        }
        if (run < LONGEST_RUN && !next(&from, &byte)) { /* else that was the zero */
            break;
        }
    }
    line->put(line->context, 0);
}

static uint8_t nibble(char digit) { return (uint8_t)(digit <= '9' ? digit - '0' : digit - 'a' + 10); }

/* The first bytes of a digest in hex digits; zeros for "". */
static void mark(const char *digest, uint8_t bytes[MARK_BYTES])
{
    memset(bytes, 0, MARK_BYTES);
    for (uint8_t i = 0; *digest != 0 && i < MARK_BYTES; i++) {
        bytes[i] = (uint8_t)(nibble(digest[2 * i]) << 4 | nibble(digest[2 * i + 1]));
    }
}

static piece text(const char *of) { return (piece){(const uint8_t *)of, (uint16_t)strlen(of)}; }

void offramp_serial_begin(offramp_serial *line, const offramp_identity *identity,
                          void (*put)(void *context, uint8_t byte), void *context)
{
    *line = (offramp_serial){.put = put, .context = context, .identity = identity};
    offramp_serial_hello(line);
}

void offramp_serial_hello(offramp_serial *line)
{
    const offramp_identity *who = line->identity;
    uint8_t head[1 + 2 * MARK_BYTES + 1];
    head[0] = kind_byte(HELLO);
    mark(who->head_digest, head + 1);
    mark(who->codec_digest, head + 1 + MARK_BYTES);
    head[1 + 2 * MARK_BYTES] = (uint8_t)strlen(who->codec);
    piece pieces[N_PIECES] = {{head, sizeof head}, text(who->codec), text(who->name), {0, 0}};
    line->welcome = false;
    send(line, pieces);
}

static bool send_values(offramp_serial *line, uint8_t kind, uint16_t sequence, const uint8_t *values,
                        uint16_t n_bytes)
{
    const uint8_t head[3] = {kind_byte(kind), byte_of(sequence, 0), byte_of(sequence, 1)};
    piece pieces[N_PIECES] = {{head, sizeof head}, {values, n_bytes}, {0, 0}, {0, 0}};
    if (line->welcome) {
        send(line, pieces);
    }
    return line->welcome;
}

bool offramp_serial_offload(offramp_serial *line, uint16_t sequence, const uint8_t *coded, uint16_t n_bytes)
{
    return send_values(line, OFFLOAD, sequence, coded, n_bytes);
}

bool offramp_serial_sample(offramp_serial *line, uint16_t sequence, const void *values, uint16_t n_bytes)
{
    return send_values(line, SAMPLE, sequence, values, n_bytes);
}

bool offramp_serial_verdict(offramp_serial *line, uint16_t sequence, uint16_t label, uint8_t source)
{
    const uint8_t verdict[3] = {byte_of(label, 0), byte_of(label, 1), source};
    return send_values(line, VERDICT, sequence, verdict, sizeof verdict);
}

static uint16_t number(const uint8_t *bytes) { return (uint16_t)(bytes[0] | bytes[1] << 8); }

static bool is_sound(const uint8_t *held, uint8_t n_held)
{
    uint32_t check = 0xFFFFFFFFu;
    for (uint8_t i = 0; i < n_held; i++) {
        check = check_on(check, held[i]);
    }
    return n_held > CHECK_BYTES && check == 0xDEBB20E3u; /* what a check leaves of itself */
}

static offramp_event meaning(offramp_serial *line, offramp_reply *reply)
{
    const uint8_t *held = line->held, n_bytes = (uint8_t)(line->n_held - CHECK_BYTES);
    if (held[0] == kind_byte(WELCOME) && n_bytes == 1) {
        line->welcome = true;
        return OFFRAMP_WELCOME;
    }
    if (held[0] == kind_byte(ANSWER) && n_bytes == 6 && line->welcome) { /* else it is for another life */
        *reply = (offramp_reply){number(held + 1), number(held + 3), held[5], 0};
        return OFFRAMP_ANSWER;
    }
    if (held[0] == kind_byte(REFUSAL) && n_bytes == 4) {
        *reply = (offramp_reply){number(held + 1), 0, 0, held[3]};
        if (reply->why == OFFRAMP_SAY_HELLO) {
            offramp_serial_hello(line);
        } else if (reply->why == OFFRAMP_OTHER_HEAD) {
            line->welcome = false;
        }
        return OFFRAMP_REFUSED;
    }
    return OFFRAMP_NOTHING;
}

static void hold(offramp_serial *line, uint8_t byte)
{
    if (line->n_held == OFFRAMP_MAX_REPLY) {
        line->lost = true;
    } else {
        line->held[line->n_held++] = byte;
    }
}

offramp_event offramp_serial_feed(offramp_serial *line, uint8_t byte, offramp_reply *reply)
{
    offramp_event event = OFFRAMP_NOTHING;
    if (byte == 0) {
        if (!line->lost && line->run == 0 && is_sound(line->held, line->n_held)) {
            event = meaning(line, reply);
        }
        line->n_held = line->run = 0;
        line->lost = line->zero = false;
    } else if (line->run > 0) {
        hold(line, byte);
        line->run--;
    } else {
        if (line->zero) {
            hold(line, 0);
        }
        line->run = (uint8_t)(byte - 1);
        line->zero = true; /* not behind a run of 254, but no reply is as long */
    }
    return event;
}
