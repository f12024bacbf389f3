/* Intervals of none, one and a thousand instructions that do nothing; each takes one cycle of an AVR. */
#include "harness.h"

int main(void)
{
    harness_start();
    harness_stop();
    harness_start();
    __asm__ volatile("nop");
    harness_stop();
    harness_start();
    __asm__ volatile(".rept 1000\n\tnop\n\t.endr");
    harness_stop();
    return 0;
}
