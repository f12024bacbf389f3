/* As much flash and RAM as is asked for. */
#include "harness.h"

#include <stdint.h>

static const uint8_t table[N_TABLE]
#ifdef __AVR__
    __attribute__((section(".progmem.data")))
#endif
    = {1};
static volatile uint8_t zeros[N_ZEROS];

int main(void)
{
    uint8_t at = 0;
    (void)harness_read(&at, 1);
    zeros[0] = table[at % N_TABLE];
    return zeros[N_ZEROS - 1];
}
