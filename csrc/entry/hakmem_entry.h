// The entry of each kind of request, for the public functions. The entries of malloc and free are inlined.
//
// In debug builds that run under memcheck, watched.h serves them; otherwise unwatched.h.
#ifndef HAKMEM_ENTRY_H
#define HAKMEM_ENTRY_H

#include "debug/memcheck.h"
#include "entry/unwatched.h"
#include "entry/watched.h"

// *zeroed is true if the memory is known to be zero.
ALWAYS_INLINE void *hak_entry_alloc_aligned(size_t size, size_t alignment, bool *zeroed)
{
    HAK_IF_WATCHED(return watched_alloc(size, alignment, zeroed));
    return unwatched_alloc_aligned(size, alignment, zeroed);
}

ALWAYS_INLINE void *hak_entry_alloc(size_t size)
{
    HAK_IF_WATCHED(return watched_alloc(size, TINY_MIN_ALIGN, &(bool){false}));
    return unwatched_alloc(size);
}

ALWAYS_INLINE void hak_entry_free(void *block)
{
    HAK_IF_WATCHED({
        watched_free(block);
        return;
    });
    unwatched_free(block);
}

ALWAYS_INLINE void hak_entry_free_sized(void *block, size_t size)
{
    HAK_IF_WATCHED({
        watched_free_sized(block, size);
        return;
    });
    unwatched_free_sized(block, size);
}

ALWAYS_INLINE size_t hak_entry_size(void *block, const char *misuse)
{
    HAK_IF_WATCHED(return watched_size(block, misuse));
    return unwatched_size(block, misuse);
}

// Returns the block with room for `size` bytes. NULL leaves it unchanged, and `*has` is its size. Under memcheck every
// block moves, together with the recorded state of its bytes.
ALWAYS_INLINE void *hak_entry_resize(void *block, size_t size, size_t *has)
{
    HAK_IF_WATCHED({
        *has = watched_size(block, "realloc of a pointer that is no block");
        return NULL;
    });
    return unwatched_resize(block, size, has);
}

// Returns a block for the contents of one of `has` bytes that hak_entry_resize could not resize to `size`.
ALWAYS_INLINE void *hak_entry_alloc_resized(size_t has, size_t size)
{
    HAK_IF_WATCHED(return watched_alloc(size, TINY_MIN_ALIGN, &(bool){false}));
    return unwatched_alloc_resized(has, size);
}

// Sets the block's size to `size`, which is at most its present size; the block stays in place and keeps its memory.
ALWAYS_INLINE void hak_entry_shrink(void *block, size_t size)
{
    HAK_IF_WATCHED({
        watched_shrink(block, size);
        return;
    });
    unwatched_shrink(block, size);
}

#endif
