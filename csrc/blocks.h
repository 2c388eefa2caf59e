// Blocks: the way of a request to the tiny classes, the page arena or a mapping, and of a block back.
//
// Sizes are bytes of memory; what a program asked for is not known here.
#ifndef BLOCKS_H
#define BLOCKS_H

#include "tiny_front.h"

// Requests whose class the thread's own table does not know: of the larger classes, and beyond all of them.
void *hak_alloc_beyond_hot(size_t size) COLD;

// NULL with errno ENOMEM when memory cannot be had. *zeroed: the memory is known to be zero.
void *blocks_alloc(size_t size, size_t alignment, bool *zeroed);

// How much memory the block has. Ends the process, with `misuse`, where that shows to be no block.
size_t blocks_size(const void *block, const char *misuse);

// The block with room for `size` bytes, where it lies or moved as a whole; NULL: all is as it was. size > 0.
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
