/* Start, semihosting and counting of a 32-bit RISC-V; instructions are counted by `instret`. */
#include "bare.h"

static uint64_t began;

/* The three instructions stand together, uncompressed, on one page: that is how an emulator knows the call. */
__attribute__((naked)) uintptr_t bare_call(uintptr_t operation, const void *block)
{
    (void)operation;
    (void)block;
    __asm__ volatile(".option push\n\t"
                     ".option norvc\n\t"
                     ".balign 16\n\t"
                     "slli x0, x0, 0x1f\n\t"
                     "ebreak\n\t"
                     "srai x0, x0, 7\n\t"
                     ".option pop\n\t"
                     "ret");
}

__attribute__((naked)) uintptr_t bare_stack_pointer(void)
{
    __asm__ volatile("mv a0, sp\n\tret");
}

static uint64_t instructions(void)
{
    uint32_t high, low, again;
    do {
        __asm__ volatile(".option push\n\t"
                         ".option arch, +zicsr\n\t"
                         "rdinstreth %0\n\t"
                         "rdinstret %1\n\t"
                         "rdinstreth %2\n\t"
                         ".option pop"
                         : "=r"(high), "=r"(low), "=r"(again));
    } while (high != again);
    return ((uint64_t)high << 32) + low;
}

/* What the counter advances by for one instruction: 1, or in some versions of QEMU the time that it takes. */
static uint32_t step(void)
{
    uint32_t before, after;
    __asm__ volatile(".option push\n\t"
                     ".option arch, +zicsr\n\t"
                     "rdinstret %0\n\t"
                     "rdinstret %1\n\t"
                     ".option pop"
                     : "=r"(before), "=r"(after));
    return after - before;
}

void bare_counter_begin(void) { began = instructions(); }

uint64_t bare_counter_read(void)
{
    const uint64_t counted = instructions() - began;
    return counted / step();
}

__attribute__((aligned(4), used)) static void on_fault(void) { bare_fault("the processor stopped with a fault\n"); }

__attribute__((naked, section(".vectors"), used)) static void on_reset(void)
{
    __asm__ volatile(".option push\n\t"
                     ".option norelax\n\t"
                     ".option arch, +zicsr\n\t"
                     "la gp, __global_pointer$\n\t"
                     "la sp, bare_stack_top\n\t"
                     "la t0, on_fault\n\t"
                     "csrw mtvec, t0\n\t"
                     ".option pop\n\t"
                     "j bare_begin");
}
