/* Sends every byte of the input along the serial port, and keeps what comes back. */
#include "harness.h"
#include "serial.h"

int main(void)
{
    uint8_t byte;
    while (harness_read(&byte, 1) == 1) {
        serial_write(&byte, 1);
        byte = serial_read();
        harness_write(&byte, 1);
    }
    return 0;
}
