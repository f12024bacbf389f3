/* What a program under test has in place of an operating system: input, output, counting and an end.

   The same program runs natively, under QEMU and under simavr; which of the files beside this one is linked
   decides. On bare metal main() is called by the harness, and returning from it ends the program. */
#ifndef OFFRAMP_HARNESS_H
#define OFFRAMP_HARNESS_H

#include <stddef.h>

/* Reads up to n bytes of the input; fewer only where the input ends. */
size_t harness_read(void *to, size_t n);

void harness_write(const void *from, size_t n);

/* What runs between the two is counted: instructions under QEMU, cycles under simavr, nothing on the host.
   Each pair is an interval of its own, and an empty one counts 0. The first also tells how deep the stack went. */
void harness_start(void);
void harness_stop(void);

/* Ends the program; any status but 0 is a failure. */
void harness_exit(int status);

#endif
