// What every benchmark program starts from: an end with a message, random numbers, and memory for tables.
//
// Nothing here uses the allocator under test: tables come from mmap, so that two allocators differ by the measured
// blocks only.

#ifndef BENCH_BASE_H
#define BENCH_BASE_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

// Whether a simulator counts this run. It then prints nothing that varies: how many instructions a number takes to print
// depends on its digits, and the counts of two runs have to be equal.
static inline bool bench_is_counted(void)
{
    return getenv("LAYERED_COUNTED") != NULL;
}

#define BENCH_ALWAYS_INLINE static inline __attribute__((always_inline))

// One line on stderr, exit status 2. No JSON line follows, so that a run that failed gives no figure.
__attribute__((noreturn, cold, format(printf, 1, 2))) static inline void bench_die(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(2);
}

// ---- random numbers -------------------------------------------------------------------------------------

__extension__ typedef unsigned __int128 bench_u128;

// A counter with an odd step, folded by one wide multiplication: a handful of instructions, and no chain of
// dependent multiplications from one number to the next.
BENCH_ALWAYS_INLINE uint64_t bench_random(uint64_t *state)
{
    *state += UINT64_C(0x9e3779b97f4a7c15);
    bench_u128 wide = (bench_u128)*state * (*state ^ UINT64_C(0xd6e8feb86659fd93));
    return (uint64_t)wide ^ (uint64_t)(wide >> 64);
}

// The low half of a random number picks a slot, the high half a size: a multiply and a shift each, and no
// division.
BENCH_ALWAYS_INLINE size_t bench_slot_of(uint64_t random, uint64_t slots)
{
    return (size_t)((random & UINT32_MAX) * slots >> 32);
}

BENCH_ALWAYS_INLINE size_t bench_size_of(uint64_t random, uint64_t min, uint64_t span)
{
    return (size_t)(min + ((random >> 32) * span >> 32));
}

// ---- memory for tables ----------------------------------------------------------------------------------

// Zeroed pages for the tables; they live until the program ends, and cost memory where they are used only.
static inline void *bench_pages(uint64_t bytes)
{
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    void *pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (pages == MAP_FAILED) bench_die("no memory for a table of %" PRIu64 " bytes", bytes);
    return pages;
}

#endif
