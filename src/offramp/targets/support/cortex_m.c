/* Start, vectors, semihosting and counting of a Cortex-M; instructions are counted by SysTick. */
#include "bare.h"

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define SYST_CSR REGISTER(0xE000E010u)
#define SYST_RVR REGISTER(0xE000E014u)
#define SYST_CVR REGISTER(0xE000E018u)
#define CPACR REGISTER(0xE000ED88u)

enum { ENABLE = 1, TICKINT = 2, CLKSOURCE = 4, TOP = 0xFFFFFF };

extern uint32_t bare_stack_top[];

static volatile uint32_t wraps; /* the counter has 24 bits */

__attribute__((naked)) uintptr_t bare_call(uintptr_t operation, const void *block)
{
    (void)operation;
    (void)block;
    __asm__ volatile("bkpt 0xAB\n\tbx lr");
}

__attribute__((naked)) uintptr_t bare_stack_pointer(void)
{
    __asm__ volatile("mov r0, sp\n\tbx lr");
}

/* Beginning anew makes equal work count equally, whatever ran before it. */
void bare_counter_begin(void)
{
    wraps = 0;
    SYST_CVR = 0;
    SYST_CSR = ENABLE | TICKINT | CLKSOURCE;
}

/* Stops the counter too, so that its interrupts disturb nothing but what is counted. */
uint64_t bare_counter_read(void)
{
    uint32_t before, value;
    do {
        before = wraps;
        value = SYST_CVR;
    } while (before != wraps);
    SYST_CSR = 0;
    return ((uint64_t)before << 24) + (TOP - value);
}

static void on_tick(void) { wraps++; }

static void on_fault(void) { bare_fault("the processor stopped with a fault\n"); }

static void on_reset(void)
{
#if defined(__ARM_FP) || defined(__ARM_FEATURE_MVE)
    CPACR |= 0xFu << 20; /* floating point and vectors are off after a reset */
    __asm__ volatile("dsb\n\tisb" ::: "memory");
#endif
    SYST_RVR = TOP;
    bare_begin();
}

__attribute__((section(".vectors"), used)) static const struct {
    uint32_t *stack;
    void (*handlers[15])(void);
} vectors = {
    bare_stack_top,
    {on_reset, on_fault /* NMI */, on_fault /* HardFault */, on_fault, on_fault, on_fault, on_fault, 0, 0, 0,
     on_fault, on_fault, 0, on_fault, on_tick},
};
