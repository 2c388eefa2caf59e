// Blocks: routes a request to the tiny classes, the page arena or a mapping, and a freed block back to where it came
// from.
//
// Sizes are bytes of memory; this layer does not know the requested size.
#ifndef BLOCKS_H
#define BLOCKS_H

#include "front/tiny_front.h"
#include "heap/arena_sizes.h"

// The largest request that a run serves. With full checks, larger blocks are worth two system calls at their free: their
// memory is made inaccessible then.
#define BLOCKS_RUN_MOST (TINY_CHECKS >= TINY_CHECKS_FULL ? (size_t)128 << 10 : PAGE_ARENA_MAX_SIZE)

// Serves requests of classes that the thread's own table does not cover, and larger ones.
void *hak_alloc_beyond_hot(size_t size) COLD;

// Returns NULL with errno ENOMEM when no memory is available. *zeroed is true if the memory is known to be zero.
void *blocks_alloc(size_t size, size_t alignment, bool *zeroed);

// Returns the size of the block's memory. Ends the process with the message `misuse` if `block` is found not to be a
// block.
size_t blocks_size(const void *block, const char *misuse);

// Returns a block with room for `size` bytes, in place or moved. NULL leaves the block unchanged, and `*has` is the size
// of its memory. size > 0.
void *blocks_resize(void *block, size_t size, size_t *has);

// Below this, a copy costs less than a search for room to grow.
#define BLOCKS_LEAST_COPIED ((size_t)1 << 11)
void *blocks_alloc_with_room(size_t has, size_t size) COLD;

// True if a block is likely to grow further by so much that it is worth a place with room behind it.
static inline bool blocks_grow_by_factor(size_t has, size_t size)
{
    return size >= has + has / 2;
}

// Returns the size to request for such a block if it gets no room to grow: `size`, or more if it grows in small steps.
size_t blocks_size_with_headroom(size_t has, size_t size);

ALWAYS_INLINE void *blocks_alloc_fast(size_t size)
{
    if (LIKELY(size <= TINY_HOT_SIZE)) return tiny_alloc_fast(size);
    return hak_alloc_beyond_hot(size);
}

// Returns a block for the contents of one that had `has` bytes and cannot be resized to `size`. One that grows gets
// room to grow further.
ALWAYS_INLINE void *blocks_alloc_resized(size_t has, size_t size)
{
    if (LIKELY(has < BLOCKS_LEAST_COPIED || size <= has)) return blocks_alloc_fast(size);
    return blocks_alloc_with_room(has, size);
}

ALWAYS_INLINE void blocks_free(void *block)
{
    tiny_free_fast(block);
}

#endif
