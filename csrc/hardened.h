// Every check at the moment of the free, for blocks of every size: variants with TINY_CHECKS_FULL.
//
// asked: what a program asked for, kept apart from the blocks; it tells, too, which blocks are out.  out: with the program.
// quarantine: blocks that were freed and wait before they can be handed out again.
#ifndef HARDENED_H
#define HARDENED_H

#include "tiny_checks.h"

// What waits in the calling thread's quarantine.
typedef struct hardened_waiting {
    size_t blocks;
    size_t bytes;
} hardened_waiting_t;

#if TINY_CHECKS >= TINY_CHECKS_FULL

// NULL with errno ENOMEM when memory cannot be had. *zeroed: the memory is known to be zero.
void *hardened_alloc(size_t size);
void *hardened_alloc_aligned(size_t size, size_t alignment, bool *zeroed);

// Each ends the process, with one line on stderr, when `block` is none that is out, or when it shows that a program wrote
// where nothing was its own.
void hardened_free(void *block);
void hardened_free_sized(void *block, size_t size);

// What was asked for; `misuse` is said of a pointer that is no block.
size_t hardened_size(const void *block, const char *misuse);

// The block with room for `size` bytes; NULL: all is as it was. size > 0.
void *hardened_resize(void *block, size_t size);

// From now on the block, which is out, is one of `size` bytes, no more than were asked for.
void hardened_shrink(void *block, size_t size);

hardened_waiting_t hardened_waiting(void);

// The calling thread's quarantine is emptied; at the thread's end there will be none any more.
void hardened_drain(void);
void hardened_thread_ends(void);

#else

static inline hardened_waiting_t hardened_waiting(void)
{
    return (hardened_waiting_t){0, 0};
}

static inline void hardened_drain(void)
{
}

static inline void hardened_thread_ends(void)
{
}

#endif
#endif
