// The entry of each kind of request, for the public functions. The entries of malloc and free are inlined.
//
// With full checks (TINY_CHECKS_FULL) they call hardened.h, otherwise blocks.h directly. In debug builds that run
// under memcheck, memcheck.h comes first.
#ifndef HAKMEM_ENTRY_H
#define HAKMEM_ENTRY_H

#include "entry/blocks.h"
#include "entry/hardened.h"
#include "debug/memcheck.h"

#if TINY_CHECKS >= TINY_CHECKS_FULL

#define unwatched_alloc hardened_alloc
#define unwatched_alloc_aligned hardened_alloc_aligned
#define unwatched_free hardened_free
#define unwatched_free_sized hardened_free_sized
#define unwatched_size hardened_size
#define unwatched_resize hardened_resize
#define unwatched_shrink hardened_shrink

#else

#define unwatched_alloc blocks_alloc_fast
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

// *zeroed is true if the memory is known to be zero.
ALWAYS_INLINE void *hak_entry_alloc_aligned(size_t size, size_t alignment, bool *zeroed)
{
    HAK_IF_WATCHED(return memcheck_alloc(size, alignment, zeroed));
    return unwatched_alloc_aligned(size, alignment, zeroed);
}

ALWAYS_INLINE void *hak_entry_alloc(size_t size)
{
    HAK_IF_WATCHED(return memcheck_alloc(size, TINY_MIN_ALIGN, &(bool){false}));
    return unwatched_alloc(size);
}

ALWAYS_INLINE void hak_entry_free(void *block)
{
    HAK_IF_WATCHED({
        memcheck_free(block);
        return;
    });
    unwatched_free(block);
}

ALWAYS_INLINE void hak_entry_free_sized(void *block, size_t size)
{
    HAK_IF_WATCHED({
        memcheck_free_sized(block, size);
        return;
    });
    unwatched_free_sized(block, size);
}

ALWAYS_INLINE size_t hak_entry_size(void *block, const char *misuse)
{
    HAK_IF_WATCHED(return memcheck_size(block, misuse));
    return unwatched_size(block, misuse);
}

// Returns the block with room for `size` bytes; NULL leaves it unchanged. Under memcheck every block moves, together
// with the recorded state of its bytes.
ALWAYS_INLINE void *hak_entry_resize(void *block, size_t size)
{
    HAK_IF_WATCHED(return NULL);
    return unwatched_resize(block, size);
}

// Sets the block's size to `size`, which is at most its present size; the block stays in place and keeps its memory.
ALWAYS_INLINE void hak_entry_shrink(void *block, size_t size)
{
    HAK_IF_WATCHED({
        memcheck_shrink(block, size);
        return;
    });
    unwatched_shrink(block, size);
}

#endif
