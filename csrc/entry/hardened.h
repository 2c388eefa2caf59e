// Full checks at the moment of the free, for blocks of every size: variants with TINY_CHECKS_FULL.
//
// asked: the requested size, stored apart from the blocks; it also records which blocks are allocated.
// quarantine: blocks that were freed and wait before they can be allocated again. ready: those that have left it and are
// allocated next.
#ifndef HARDENED_H
#define HARDENED_H

#include "hardened/tiny_checks.h"

// What waits in the calling thread's quarantine, or what is ready to be allocated.
typedef struct hardened_waiting {
    size_t blocks;
    size_t bytes;
} hardened_waiting_t;

#if TINY_CHECKS >= TINY_CHECKS_FULL

// Returns NULL with errno ENOMEM when no memory is available. *zeroed is true if the memory is known to be zero.
void *hardened_alloc(size_t size);
void *hardened_alloc_aligned(size_t size, size_t alignment, bool *zeroed);

// Each ends the process, with one line on stderr, if `block` is not an allocated block, or if the program is found to
// have written outside it.
void hardened_free(void *block);
void hardened_free_sized(void *block, size_t size);

// Returns the requested size; ends the process with the message `misuse` if `block` is not a block.
size_t hardened_size(const void *block, const char *misuse);

// Returns the block with room for `size` bytes. NULL leaves it unchanged, and `*asked` is its requested size. size > 0.
void *hardened_resize(void *block, size_t size, size_t *asked);

// Returns a block for the contents of one of `has` bytes that hardened_resize could not resize to `size`.
void *hardened_alloc_resized(size_t has, size_t size);

// Sets the size of the allocated block to `size`, which is at most its requested size.
void hardened_shrink(void *block, size_t size);

hardened_waiting_t hardened_waiting(void);
hardened_waiting_t hardened_ready(void);

#else

static inline hardened_waiting_t hardened_waiting(void)
{
    return (hardened_waiting_t){0, 0};
}

static inline hardened_waiting_t hardened_ready(void)
{
    return (hardened_waiting_t){0, 0};
}

#endif
#endif
