/* Runs a program on an emulated AVR: avr_runner MCU PROGRAM.bin, where PROGRAM.bin is the content of the flash.

   The files `input`, `output`, `counts` and `stack` in the working directory are those of `bare.c`; see `avr.c` for
   the registers. Counts are cycles. */
#include <simavr/sim_avr.h>
#include <simavr/sim_io.h>

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { GPIOR0 = 0x3E, GPIOR1 = 0x4A, GPIOR2 = 0x4B, MOST_WAITING = 255 };
enum { CYCLES_A_CALL = 1000 };

typedef struct {
    uint8_t *bytes;
    size_t n;
    size_t at;
} content;

static content input;
static FILE *output, *counts;
static bool counting, empty_known, stack_known, ended;
static avr_cycle_count_t began, empty;
static unsigned stack_before, deepest;
static int status;

static FILE *opened(const char *name, const char *mode)
{
    FILE *file = fopen(name, mode);
    if (file == NULL) {
        perror(name);
        exit(EXIT_FAILURE);
    }
    return file;
}

static content content_of(const char *name)
{
    FILE *file = opened(name, "rb");
    fseek(file, 0, SEEK_END);
    content whole = {NULL, (size_t)ftell(file), 0};
    rewind(file);
    whole.bytes = malloc(whole.n + 1);
    if (whole.bytes == NULL || fread(whole.bytes, 1, whole.n, file) != whole.n) {
        perror(name);
        exit(EXIT_FAILURE);
    }
    fclose(file);
    return whole;
}

static unsigned stack_pointer(const avr_t *avr) { return avr->data[R_SPL] | (unsigned)avr->data[R_SPH] << 8; }

static uint8_t read_waiting(avr_t *avr, avr_io_addr_t address, void *parameter)
{
    (void)avr, (void)address, (void)parameter;
    const size_t left = input.n - input.at;
    return (uint8_t)(left < MOST_WAITING ? left : MOST_WAITING);
}

static uint8_t read_input(avr_t *avr, avr_io_addr_t address, void *parameter)
{
    (void)avr, (void)address, (void)parameter;
    return input.at < input.n ? input.bytes[input.at++] : 0;
}

static void write_output(avr_t *avr, avr_io_addr_t address, uint8_t value, void *parameter)
{
    (void)avr, (void)address, (void)parameter;
    fputc(value, output);
}

static void write_status(avr_t *avr, avr_io_addr_t address, uint8_t value, void *parameter)
{
    (void)avr, (void)address, (void)parameter;
    status = value;
    ended = true;
}

static void write_marker(avr_t *avr, avr_io_addr_t address, uint8_t value, void *parameter)
{
    (void)address, (void)parameter;
    if (value == 1) {
        began = avr->cycle;
        stack_before = stack_pointer(avr) + 2; /* harness_start's return address lies on it */
    } else if (!empty_known) {
        empty = avr->cycle - began;
        empty_known = true;
    } else {
        const uint64_t counted = avr->cycle - began - empty;
        fwrite(&counted, sizeof counted, 1, counts);
        stack_known = true;
    }
    counting = value == 1;
}

int main(int argc, char **argv)
{
    avr_t *avr = argc == 3 ? avr_make_mcu_by_name(argv[1]) : NULL;
    if (avr == NULL) {
        fprintf(stderr, "avr_runner: simavr knows no such chip\n");
        return EXIT_FAILURE;
    }
    input = content_of("input");
    output = opened("output", "wb");
    counts = opened("counts", "wb");
    content program = content_of(argv[2]);
    avr_init(avr);
    avr->log = LOG_ERROR;
    avr_loadcode(avr, program.bytes, (uint32_t)program.n, 0);
    avr_register_io_read(avr, GPIOR0, read_waiting, NULL);
    avr_register_io_read(avr, GPIOR1, read_input, NULL);
    avr_register_io_write(avr, GPIOR0, write_marker, NULL);
    avr_register_io_write(avr, GPIOR1, write_status, NULL);
    avr_register_io_write(avr, GPIOR2, write_output, NULL);
    while (!ended) {
        /* One instruction a call, to see the stack, in the first interval only: many a call are twice as fast. */
        const bool watched = counting && empty_known && !stack_known;
        avr->run_cycle_limit = stack_known ? CYCLES_A_CALL : 1;
        const int state = avr_run(avr);
        if (state == cpu_Done || state == cpu_Crashed) {
            fprintf(stderr, "avr_runner: the processor stopped at 0x%x\n", (unsigned)avr->pc);
            return EXIT_FAILURE;
        }
        if (watched) {
            const unsigned here = stack_pointer(avr);
            if (here < stack_before && stack_before - here > deepest) {
                deepest = stack_before - here;
            }
        }
    }
    const uint32_t depth = deepest;
    FILE *stack = opened("stack", "wb");
    fwrite(&depth, sizeof depth, 1, stack);
    if (fclose(stack) != 0 || fclose(counts) != 0 || fclose(output) != 0) {
        perror("avr_runner");
        return EXIT_FAILURE;
    }
    return status;
}
