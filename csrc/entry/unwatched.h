// The entry of each kind of request, not watched by memcheck: with full checks (TINY_CHECKS_FULL) hardened.h, otherwise
// blocks.h directly.
#ifndef UNWATCHED_H
#define UNWATCHED_H

#include "entry/blocks.h"
#include "entry/hardened.h"
#include "os/die.h"

#if TINY_CHECKS >= TINY_CHECKS_FULL

#define unwatched_alloc hardened_alloc
#define unwatched_alloc_resized hardened_alloc_resized
#define unwatched_alloc_aligned hardened_alloc_aligned
#define unwatched_free hardened_free
#define unwatched_free_sized hardened_free_sized
#define unwatched_size hardened_size
#define unwatched_resize hardened_resize
#define unwatched_shrink hardened_shrink

#else

#define unwatched_alloc blocks_alloc_fast
#define unwatched_alloc_resized blocks_alloc_resized
#define unwatched_alloc_aligned blocks_alloc
#define unwatched_free blocks_free
#define unwatched_size blocks_size
#define unwatched_resize blocks_resize
#define unwatched_shrink(block, size) ((void)(block), (void)(size)) // the requested size is not recorded

// A size other than the requested one is undefined behaviour. It is detected if the block is too small for it.
ALWAYS_INLINE void unwatched_free_sized(void *block, size_t size)
{
    HAK_CHECK(block == NULL || blocks_size(block, "free of a pointer that is no block") >= size,
              "free_sized of a smaller block", block);
    (void)size;
    blocks_free(block);
}

#endif

#endif
