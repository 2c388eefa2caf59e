// The empty allocator: preloaded into a benchmark, it leaves what the benchmark itself costs.
//
// It does the minimum for blocks that must not overlap: all are of one size, and the block freed last is allocated
// next, while its first line is still in the cache. Nothing is written beside blocks or into them. So the benchmark
// takes its usual branches, and its accesses to blocks miss the cache about as rarely as with any malloc. Counts leave
// out the functions of this file.
//
// pile: the addresses of free blocks, the last one on top.  large: more than PITCH bytes, or an alignment of its own; such a
// block has a power of two as its size and as its alignment, and there is a pile for each power, linked by pages.

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <malloc.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

enum {
    ALIGN = 64,
    PITCH = 17 * ALIGN, // an odd number of cache lines: the blocks spread over all sets of a cache
    BLOCKS = 1 << 17,
    POWERS = 27,
    LARGE = 1 << (POWERS - 1), // bytes for large blocks
    PAGE = 4096,
    LARGE_PAGES = LARGE / PAGE,
};

static unsigned char blocks[BLOCKS][PITCH] __attribute__((aligned(ALIGN)));
static unsigned char large[LARGE] __attribute__((aligned(PAGE)));
static unsigned char *pile[BLOCKS];
static size_t piled, fresh, large_used;
static unsigned char power_of[LARGE_PAGES]; // of the block that begins in this page
static unsigned below[LARGE_PAGES], top[POWERS]; // pages, counted from 1; 0 is the end of a pile
static bool lock;

static void enter(void)
{
    while (__atomic_test_and_set(&lock, __ATOMIC_ACQUIRE)) continue;
}

static void leave(void)
{
    __atomic_clear(&lock, __ATOMIC_RELEASE);
}

static size_t page_of(const void *block)
{
    return ((uintptr_t)block - (uintptr_t)large) / PAGE;
}

static bool is_large(const void *block)
{
    return (uintptr_t)block - (uintptr_t)large < sizeof large;
}

static void *fresh_large(unsigned power)
{
    const size_t size = (size_t)1 << power;
    const uintptr_t place = ((uintptr_t)large + large_used + size - 1) & ~(uintptr_t)(size - 1);
    const size_t start = place - (uintptr_t)large;
    if (start > LARGE || size > LARGE - start) return NULL;
    large_used = start + size;
    power_of[start / PAGE] = (unsigned char)power;
    return large + start;
}

static void *take_large(size_t size, size_t align)
{
    unsigned power = 12; // a page
    if (size > LARGE || align > LARGE) return NULL;
    while ((size_t)1 << power < size || (size_t)1 << power < align) power++;
    const unsigned page = top[power];
    if (page == 0) return fresh_large(power);
    top[power] = below[page - 1];
    return large + (size_t)(page - 1) * PAGE;
}

static void give_large(void *block)
{
    const size_t page = page_of(block);
    below[page] = top[power_of[page]];
    top[power_of[page]] = (unsigned)page + 1;
}

static void *take(size_t size, size_t align)
{
    void *block = NULL;
    enter();
    if (size > PITCH || align > ALIGN) block = take_large(size, align);
    else if (piled > 0) block = pile[--piled];
    else if (fresh < BLOCKS) block = blocks[fresh++];
    leave();
    if (block == NULL) errno = ENOMEM;
    return block;
}

EXPORT void *malloc(size_t size)
{
    return take(size, ALIGN);
}

EXPORT void free(void *block)
{
    const bool is_small = (uintptr_t)block - (uintptr_t)blocks < sizeof blocks;
    if (!is_small && !is_large(block)) return; // NULL
    enter();
    if (is_small) pile[piled++] = block;
    else give_large(block);
    leave();
}

EXPORT void *calloc(size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) bytes = SIZE_MAX;
    void *block = take(bytes, ALIGN);
    return block == NULL ? NULL : memset(block, 0, bytes);
}

EXPORT size_t malloc_usable_size(void *block)
{
    if (is_large(block)) return (size_t)1 << power_of[page_of(block)];
    return block == NULL ? 0 : PITCH;
}

EXPORT void *realloc(void *block, size_t size)
{
    void *made = take(size, ALIGN);
    if (block == NULL || made == NULL) return made;
    const size_t room = malloc_usable_size(block);
    memmove(made, block, room < size ? room : size);
    free(block);
    return made;
}

EXPORT void *memalign(size_t align, size_t size)
{
    return take(size, align);
}

EXPORT void *aligned_alloc(size_t align, size_t size)
{
    return take(size, align);
}

EXPORT int posix_memalign(void **block, size_t align, size_t size)
{
    void *made = take(size, align);
    if (made == NULL) return ENOMEM;
    *block = made;
    return 0;
}
