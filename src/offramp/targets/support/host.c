/* The harness on the machine that compiles: standard input and output, nothing counted. */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>

size_t harness_read(void *to, size_t n) { return fread(to, 1, n, stdin); }

void harness_write(const void *from, size_t n)
{
    if (fwrite(from, 1, n, stdout) != n) {
        perror("harness_write");
        exit(EXIT_FAILURE);
    }
}

void harness_start(void) {}

void harness_stop(void) {}

void harness_exit(int status) { exit(status); }
