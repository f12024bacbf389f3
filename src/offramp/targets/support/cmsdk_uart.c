/* The serial port of the MPS2 boards: the first of their CMSDK UARTs. */
#include "serial.h"

#define REGISTER(offset) (*(volatile uint32_t *)(0x40004000u + (offset)))
#define DATA REGISTER(0x00u)
#define STATE REGISTER(0x04u)
#define CTRL REGISTER(0x08u)
#define BAUDDIV REGISTER(0x10u)

enum { TX_FULL = 1, RX_FULL = 2, TX_ENABLE = 1, RX_ENABLE = 2, LEAST_BAUDDIV = 16 };

static void enable(void)
{
    if (CTRL == 0) {
        BAUDDIV = LEAST_BAUDDIV; /* QEMU sends at once, but at no speed not at all */
        CTRL = TX_ENABLE | RX_ENABLE;
    }
}

bool serial_ready(void)
{
    enable();
    return (STATE & RX_FULL) != 0;
}

uint8_t serial_read(void)
{
    while (!serial_ready()) {
    }
    return (uint8_t)DATA;
}

void serial_write(const void *from, size_t n)
{
    enable();
    for (const uint8_t *at = from; n > 0; n--) {
        while ((STATE & TX_FULL) != 0) {
        }
        DATA = *at++;
    }
}
