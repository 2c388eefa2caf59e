// The empty allocator: preloaded into a benchmark, it leaves what the benchmark itself costs.
//
// It does the minimum for blocks that must not overlap: all are of one size, and the block freed last is allocated
// next, while its first line is still in the cache. Nothing is written beside blocks or into them. So the benchmark
// takes its usual branches, and its accesses to blocks miss the cache about as rarely as with any malloc. Counts leave
// out the functions of this file.
//
// pile: the addresses of free blocks, the last one on top.  A block of more than PITCH bytes is not used again.

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
    LARGE = 1 << 26, // bytes for larger blocks, and for those with an alignment of their own
};

static unsigned char blocks[BLOCKS][PITCH] __attribute__((aligned(ALIGN)));
static unsigned char large[LARGE] __attribute__((aligned(ALIGN)));
static unsigned char *pile[BLOCKS];
static size_t piled, fresh, large_used;
static bool lock;

static void enter(void)
{
    while (__atomic_test_and_set(&lock, __ATOMIC_ACQUIRE)) continue;
}

static void leave(void)
{
    __atomic_clear(&lock, __ATOMIC_RELEASE);
}

static void *take_large(size_t size, size_t align)
{
    if (align > LARGE) return NULL;
    const uintptr_t place = ((uintptr_t)large + large_used + align - 1) & ~(uintptr_t)(align - 1);
    const size_t start = place - (uintptr_t)large;
    if (start > LARGE || size > LARGE - start) return NULL;
    large_used = start + size;
    return large + start;
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
    if ((uintptr_t)block - (uintptr_t)blocks >= sizeof blocks) return; // NULL, or large
    enter();
    pile[piled++] = block;
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
    const uintptr_t offset = (uintptr_t)block - (uintptr_t)large;
    if (offset < sizeof large) return large_used - offset;
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
