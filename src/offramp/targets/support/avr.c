/* The harness on an AVR under simavr: the three general purpose registers, which do nothing on the chip, are lines to
   `avr_runner.c`.

   register  read                                write
   GPIOR0    input bytes that wait, at most 255  1: an interval begins, 0: it ends
   GPIOR1    the next input byte                 the program ends with this status
   GPIOR2                                        the next output byte                                             */
#include "harness.h"

#include <avr/io.h>
#include <stdint.h>

size_t harness_read(void *to, size_t n)
{
    uint8_t *at = to;
    uint8_t waiting;
    while (n > 0 && (waiting = GPIOR0) > 0) {
        if (waiting > n) {
            waiting = (uint8_t)n;
        }
        n -= waiting;
        do {
            *at++ = GPIOR1;
        } while (--waiting > 0);
    }
    return (size_t)(at - (uint8_t *)to);
}

void harness_write(const void *from, size_t n)
{
    for (const uint8_t *at = from; n > 0; n--) {
        GPIOR2 = *at++;
    }
}

void harness_start(void) { GPIOR0 = 1; }

void harness_stop(void) { GPIOR0 = 0; }

void harness_exit(int status)
{
    GPIOR1 = (uint8_t)status;
    for (;;) {
    }
}

/* Before main(); the runner takes the first interval for an empty one. */
__attribute__((naked, used, section(".init8"))) static void measure_empty(void)
{
    __asm__ volatile("call harness_start\n\tcall harness_stop");
}

/* What the C library's exit() runs into with its argument still in r24; main() returns to exit(). */
__attribute__((naked, used, section(".fini8"))) static void end(void)
{
    __asm__ volatile("out %0, r24" ::"I"(_SFR_IO_ADDR(GPIOR1)));
}
