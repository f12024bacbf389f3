/* The serial port of a program under QEMU, on targets which have one here. Bytes are never lost: both ends wait. */
#ifndef OFFRAMP_SERIAL_H
#define OFFRAMP_SERIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether a byte has come in that serial_read would give without waiting. */
bool serial_ready(void);

/* The next byte; waits for it. */
uint8_t serial_read(void);

void serial_write(const void *from, size_t n);

#endif
