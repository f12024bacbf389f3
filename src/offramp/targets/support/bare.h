/* What harness and processor owe one another on bare metal under QEMU. */
#ifndef OFFRAMP_BARE_H
#define OFFRAMP_BARE_H

#include <stdint.h>

/* One call of the semihosting protocol: the operation, and its block of arguments. */
uintptr_t bare_call(uintptr_t operation, const void *block);

/* A counter that begins anew, and how far it got; in units that `Target.units_per_count` turns into instructions. */
void bare_counter_begin(void);
uint64_t bare_counter_read(void);

/* The stack pointer of the caller. */
uintptr_t bare_stack_pointer(void);

/* Copies .data, clears .bss, calls main() and ends with its result; what the processor's reset leads to. */
void bare_begin(void);

/* Ends with a line on the emulator's standard error. */
void bare_fault(const char *line);

#endif
