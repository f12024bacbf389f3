/* Ends as its first byte of input says: with that status, and never for 255. */
#include "harness.h"

#include <stdint.h>

int main(void)
{
    uint8_t status = 0;
    (void)harness_read(&status, 1);
    harness_write(&status, 1);
    volatile uint8_t endless = status == 255;
    while (endless) {
    }
    return status;
}
