// Blocks: routes a request to the tiny classes, the page arena or a mapping, and a freed block back to where it came
// from.
//
// Sizes are bytes of memory; this layer does not know the requested size.
#ifndef BLOCKS_H
#define BLOCKS_H

#include "front/tiny_front.h"

// Serves requests of classes that the thread's own table does not cover, and larger ones.
void *hak_alloc_beyond_hot(size_t size) COLD;

// Returns NULL with errno ENOMEM when no memory is available. *zeroed is true if the memory is known to be zero.
void *blocks_alloc(size_t size, size_t alignment, bool *zeroed);

// Returns the size of the block's memory. Ends the process with the message `misuse` if `block` is found not to be a
// block.
size_t blocks_size(const void *block, const char *misuse);

// Returns a block with room for `size` bytes, in place or moved; NULL leaves the block unchanged. size > 0.
void *blocks_resize(void *block, size_t size);

ALWAYS_INLINE void *blocks_alloc_fast(size_t size)
{
    if (LIKELY(size <= TINY_HOT_SIZE)) return tiny_alloc_fast(size);
    return hak_alloc_beyond_hot(size);
}

ALWAYS_INLINE void blocks_free(void *block)
{
    tiny_free_fast(block);
}

#endif
