/* Calls of known depth: `outer` calls `middle` and `hidden`, both on top of `hidden`'s 40 bytes. */
#include "harness.h"

int outer(int x);
int middle(int x);
int endless(volatile const char *flag);
int unbounded(int x);
int copied(const char *from, int n);

void *memcpy(void *to, const void *from, size_t n);

__attribute__((noinline)) static int hidden(int x)
{
    volatile char room[40];
    room[0] = 1;
    room[39] = (char)x;
    return room[0] + room[39];
}

__attribute__((noinline)) int middle(int x)
{
    volatile char room[100];
    room[0] = (char)x;
    room[99] = 1;
    return room[0] + hidden(room[99]);
}

int outer(int x)
{
    volatile int kept = x;
    return middle(kept) + hidden(kept) + kept;
}

/* Its loop leads back to its first instruction, which is no call. */
int endless(volatile const char *flag)
{
    do {
    } while (*flag);
    return 0;
}

int unbounded(int x)
{
    volatile int kept = x;
    return kept > 0 ? unbounded(kept - 1) * kept + unbounded(kept - 2) : 1;
}

int copied(const char *from, int n)
{
    char room[32];
    memcpy(room, from, (size_t)n);
    return room[0];
}

int main(void)
{
    harness_start();
    const int y = outer(3);
    harness_stop();
    const char told = (char)y;
    harness_write(&told, 1);
    return 0;
}
