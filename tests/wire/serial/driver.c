/* The device's side of a line, driven by lines of text: a command in, one line out, of words: bytes that were put
   on the line in hex, whether the function sent, events. */
#include "offramp_serial.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST_LINE = 150000 };

static void put(void *context, uint8_t byte)
{
    (void)context;
    printf("%02x", byte);
}

/* Exactly as long as needed, so that a byte too far is seen. */
static uint8_t *bytes_of(const char *hex, size_t *n)
{
    *n = strcmp(hex, "-") == 0 ? 0 : strlen(hex) / 2;
    uint8_t *bytes = malloc(*n > 0 ? *n : 1);
    for (size_t i = 0; i < *n; i++) {
        unsigned value = 0;
        if (sscanf(hex + 2 * i, "%2x", &value) != 1) {
            abort();
        }
        bytes[i] = (uint8_t)value;
    }
    return bytes;
}

static const char *text_of(const char *word) { return strcmp(word, "-") == 0 ? "" : word; }

static uint16_t number(const char *word) { return (uint16_t)atoi(word); }

int main(void)
{
    static char line[LONGEST_LINE], kept[4][200];
    static offramp_identity identity;
    static offramp_serial serial;
    while (fgets(line, sizeof line, stdin) != NULL) {
        size_t n = 0;
        uint8_t *bytes = NULL;
        bool sent;
        const char *words[5] = {0};
        char *word = strtok(line, " \n");
        for (int i = 0; i < 5 && word != NULL; i++, word = strtok(NULL, " \n")) {
            words[i] = word;
        }
        switch (words[0][0]) {
        case 'b':
            for (int i = 0; i < 4; i++) {
                snprintf(kept[i], sizeof kept[i], "%.199s", text_of(words[i + 1]));
            }
            identity = (offramp_identity){kept[0], kept[1], kept[2], kept[3]};
            offramp_serial_begin(&serial, &identity, put, NULL);
            break;
        case 'o':
        case 's':
            bytes = bytes_of(words[2], &n);
            sent = words[0][0] == 'o'
                       ? offramp_serial_offload(&serial, number(words[1]), bytes, (uint16_t)n)
                       : offramp_serial_sample(&serial, number(words[1]), bytes, (uint16_t)n);
            printf("%s", sent ? " sent" : " kept");
            break;
        case 'v':
            sent = offramp_serial_verdict(&serial, number(words[1]), number(words[2]),
                                          (uint8_t)number(words[3]));
            printf("%s", sent ? " sent" : " kept");
            break;
        default:
            bytes = bytes_of(words[1], &n);
            for (size_t i = 0; i < n; i++) {
                offramp_reply reply = {0, 0, 0, 0};
                const offramp_event event = offramp_serial_feed(&serial, bytes[i], &reply);
                if (event == OFFRAMP_WELCOME) {
                    printf(" welcome");
                } else if (event == OFFRAMP_ANSWER) {
                    printf(" answer,%u,%u,%u", reply.sequence, reply.label, reply.confidence);
                } else if (event == OFFRAMP_REFUSED) {
                    printf(" refused,%u,%u", reply.sequence, reply.why);
                }
            }
        }
        free(bytes);
        printf("\n");
        fflush(stdout);
    }
    return 0;
}
