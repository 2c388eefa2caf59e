// A malloc that is right, or wrong in one way: for the tests of what the benchmark programs notice.
//
// It gives out memory once, from the start of a large region to its end, and takes nothing back. What is wrong is
// chosen when it is compiled:
//
//     WRONG_OVERLAP  every 16th block is the one before it
//     WRONG_ZERO     calloc's blocks are not zeroed
//     WRONG_COPY     realloc does not copy the content
//     WRONG_ALIGN    blocks of 64 bytes and more are not aligned
//     ONLY_MALLOC    there is no free and no realloc

#define _GNU_SOURCE
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define REGION ((size_t)1 << 36)
#define HEAD 16 // in front of each block: its size

static char *region;
static size_t used;

// The loader calls this before the program; no other thread is there yet.
__attribute__((constructor)) static void set_up(void)
{
    if (region != NULL) return;
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    region = mmap(NULL, REGION, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (region == MAP_FAILED) abort();
}

static char *give(size_t align, size_t size)
{
    if (region == NULL) set_up();
    const size_t room = (size + align + 2 * HEAD + 15) & ~(size_t)15;
    const size_t start = __atomic_fetch_add(&used, room, __ATOMIC_RELAXED);
    if (size > REGION / 2 || start + room > REGION) return NULL;
    char *block = (char *)(((uintptr_t)region + start + HEAD + align - 1) & ~(uintptr_t)(align - 1));
#ifdef WRONG_ALIGN
    if (size >= 64) block += 4;
#endif
    memcpy(block - HEAD, &size, sizeof size);
    return block;
}

#ifdef WRONG_OVERLAP
void *malloc(size_t size)
{
    static size_t given;
    static char *last;
    char *before = __atomic_load_n(&last, __ATOMIC_RELAXED);
    if (__atomic_add_fetch(&given, 1, __ATOMIC_RELAXED) % 16 == 0 && before != NULL) return before;
    char *block = give(16, size);
    __atomic_store_n(&last, block, __ATOMIC_RELAXED);
    return block;
}
#else
void *malloc(size_t size)
{
    return give(16, size);
}
#endif

#ifndef ONLY_MALLOC
void free(void *block)
{
    (void)block;
}

void *realloc(void *block, size_t size)
{
    size_t old = 0;
    if (block != NULL) memcpy(&old, (char *)block - HEAD, sizeof old);
    char *larger = give(16, size);
#ifndef WRONG_COPY
    if (larger != NULL && block != NULL) memcpy(larger, block, old < size ? old : size);
#endif
    return larger;
}
#endif

void *calloc(size_t count, size_t size)
{
    char *block = malloc(count * size); // fresh memory is zeroed
#ifdef WRONG_ZERO
    if (block != NULL) memset(block, 1, count * size);
#endif
    return block;
}

int posix_memalign(void **block, size_t align, size_t size)
{
    *block = give(align, size);
    return *block == NULL ? ENOMEM : 0;
}

void *aligned_alloc(size_t align, size_t size)
{
    return give(align, size);
}
