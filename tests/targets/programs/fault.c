/* Does what no program may. */
#include "harness.h"

int main(void)
{
#if defined(__arm__)
    __asm__ volatile("udf #0");
#elif defined(__riscv)
    __asm__ volatile(".word 0");
#elif defined(__AVR__)
    __asm__ volatile("cli\n\tsleep"); /* for ever: nothing can wake it */
#else
    volatile int most = 0x7FFFFFFF;
    most = most + 1;
#endif
    return 0;
}
