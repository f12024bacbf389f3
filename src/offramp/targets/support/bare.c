/* The harness under QEMU: the files `input`, `output`, `counts` and `stack` in the emulator's working directory,
   reached by semihosting, without a C library in between. */
#include "bare.h"
#include "harness.h"

#include <stdbool.h>
#include <string.h>

enum { SYS_OPEN = 0x01, SYS_WRITE0 = 0x04, SYS_WRITE = 0x05, SYS_READ = 0x06, SYS_EXIT_EXTENDED = 0x20 };
enum { OPEN_READ_BINARY = 1, OPEN_WRITE_BINARY = 5 };
enum { STOPPED_APPLICATION_EXIT = 0x20026, FAILURE = 1, BUFFER_BYTES = 512, MAX_STACK = 65536 };

static const uint32_t PAINT = 0xA5C35A3Cu;

extern uint32_t bare_data_start[], bare_data_end[], bare_data_load[], bare_bss_start[], bare_bss_end[];

int main(void);

/* A call of the emulator costs as much as thousands of instructions, and programs like to write byte by byte. */
typedef struct {
    uintptr_t handle;
    size_t at; /* of what is here, so much was read */
    size_t n;
    uint8_t bytes[BUFFER_BYTES];
} file;

static file input, output, counts;
static uint64_t empty;         /* what an interval with nothing in it counts */
static uintptr_t stack_before; /* where the first interval's caller had the stack; 0 before */
static bool stack_known;

static uintptr_t opened(const char *name, uintptr_t mode)
{
    const uintptr_t block[3] = {(uintptr_t)name, mode, strlen(name)};
    const uintptr_t handle = bare_call(SYS_OPEN, block);
    if (handle == (uintptr_t)-1) {
        bare_fault("the harness cannot open its files\n");
    }
    return handle;
}

static void write_through(uintptr_t handle, const void *from, size_t n)
{
    const uintptr_t block[3] = {handle, (uintptr_t)from, n};
    if (n > 0 && bare_call(SYS_WRITE, block) != 0) {
        bare_fault("the harness cannot write\n");
    }
}

static void flush(file *to)
{
    write_through(to->handle, to->bytes, to->n);
    to->n = 0;
}

static void put(file *to, const void *from, size_t n)
{
    if (n > BUFFER_BYTES - to->n) {
        flush(to);
    }
    if (n > BUFFER_BYTES) {
        write_through(to->handle, from, n);
    } else {
        memcpy(to->bytes + to->n, from, n);
        to->n += n;
    }
}

static void fill(file *from)
{
    const uintptr_t block[3] = {from->handle, (uintptr_t)from->bytes, BUFFER_BYTES};
    from->at = 0;
    from->n = BUFFER_BYTES - bare_call(SYS_READ, block); /* what it returns is what it could not read */
}

size_t harness_read(void *to, size_t n)
{
    size_t done = 0;
    while (done < n) {
        if (input.at == input.n) {
            fill(&input);
            if (input.n == 0) {
                break;
            }
        }
        const size_t here = input.n - input.at < n - done ? input.n - input.at : n - done;
        memcpy((uint8_t *)to + done, input.bytes + input.at, here);
        input.at += here;
        done += here;
    }
    return done;
}

void harness_write(const void *from, size_t n) { put(&output, from, n); }

/* The least that the stack may reach down to: bare_bss_end where RAM is small. */
static uint32_t *stack_bottom(void)
{
    const uintptr_t room = stack_before - (uintptr_t)bare_bss_end;
    return room > MAX_STACK ? (uint32_t *)(stack_before - MAX_STACK) : bare_bss_end;
}

/* Whatever is written there meanwhile loses its paint. */
static void paint_stack(void)
{
    const uintptr_t here = bare_stack_pointer();
    for (volatile uint32_t *word = stack_bottom(); (uintptr_t)word < here; word++) {
        *word = PAINT;
    }
}

/* Apart from harness_stop, and without a frame: what this file needs of the stack would pass for the program's. */
__attribute__((noinline)) static uintptr_t lowest_written(void)
{
    const volatile uint32_t *word = stack_bottom();
    while ((uintptr_t)word < stack_before && *word == PAINT) {
        word++;
    }
    return (uintptr_t)word;
}

__attribute__((noinline)) static void tell_stack(uintptr_t lowest)
{
    const uint32_t depth = (uint32_t)(stack_before - lowest);
    write_through(opened("stack", OPEN_WRITE_BINARY), &depth, sizeof depth);
    stack_known = true;
}

__attribute__((noinline)) static void tell_count(uint64_t count) { put(&counts, &count, sizeof count); }

/* Not inlined where an empty interval is measured: it takes the calls that all intervals take. */
__attribute__((noinline)) void harness_start(void)
{
    if (stack_before == 0) {
        stack_before = (uintptr_t)__builtin_dwarf_cfa();
        paint_stack();
    }
    bare_counter_begin();
}

__attribute__((noinline)) void harness_stop(void)
{
    const uint64_t counted = bare_counter_read();
    if (!stack_known) {
        tell_stack(lowest_written());
    }
    tell_count(counted - empty);
}

void harness_exit(int status)
{
    flush(&counts);
    flush(&output);
    const uintptr_t block[2] = {STOPPED_APPLICATION_EXIT, (uintptr_t)status};
    for (;;) {
        bare_call(SYS_EXIT_EXTENDED, block);
    }
}

void bare_fault(const char *line)
{
    bare_call(SYS_WRITE0, line);
    const uintptr_t block[2] = {STOPPED_APPLICATION_EXIT, FAILURE};
    for (;;) {
        bare_call(SYS_EXIT_EXTENDED, block);
    }
}

static void measure_empty(void)
{
    stack_before = 1;
    stack_known = true;
    harness_start();
    harness_stop();
    memcpy(&empty, counts.bytes, sizeof empty);
    counts.n = 0;
    stack_before = 0;
    stack_known = false;
}

void bare_begin(void)
{
    memcpy(bare_data_start, bare_data_load, (size_t)((char *)bare_data_end - (char *)bare_data_start));
    memset(bare_bss_start, 0, (size_t)((char *)bare_bss_end - (char *)bare_bss_start));
    input.handle = opened("input", OPEN_READ_BINARY);
    output.handle = opened("output", OPEN_WRITE_BINARY);
    counts.handle = opened("counts", OPEN_WRITE_BINARY);
    measure_empty();
    harness_exit(main());
}
