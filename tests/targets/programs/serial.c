/* Sends the input along the serial port, three bytes at a time, and keeps what comes back. */
#include "harness.h"
#include "serial.h"

int main(void)
{
    uint8_t piece[3];
    size_t n;
    while ((n = harness_read(piece, sizeof piece)) > 0) {
        serial_write(piece, n);
        for (size_t i = 0; i < n; i++) {
            piece[i] = serial_read();
        }
        harness_write(piece, n);
    }
    return 0;
}
