// The entry of each kind of request, for the public functions; those of an allocation and of a free are inlined.
//
// With every check (TINY_CHECKS_FULL), what lies behind them is hardened.h; else it is blocks.h at once.
#ifndef HAKMEM_ENTRY_H
#define HAKMEM_ENTRY_H

#include "blocks.h"
#include "hardened.h"

ALWAYS_INLINE void *hak_entry_alloc(size_t size)
{
#if TINY_CHECKS >= TINY_CHECKS_FULL
    return hardened_alloc(size);
#else
    return blocks_alloc_fast(size);
#endif
}

ALWAYS_INLINE void hak_entry_free(void *block)
{
#if TINY_CHECKS >= TINY_CHECKS_FULL
    hardened_free(block);
#else
    blocks_free(block);
#endif
}

#if TINY_CHECKS >= TINY_CHECKS_FULL

#define hak_entry_alloc_aligned hardened_alloc_aligned
#define hak_entry_free_sized hardened_free_sized
#define hak_entry_size hardened_size
#define hak_entry_resize hardened_resize

#else

#define hak_entry_alloc_aligned blocks_alloc
#define hak_entry_size blocks_size
#define hak_entry_resize blocks_resize

// What the standard calls undefined, another size than was asked for, shows where the block is too small for it.
ALWAYS_INLINE void hak_entry_free_sized(void *block, size_t size)
{
    HAK_CHECK(block == NULL || blocks_size(block, "free of a pointer that is no block") >= size,
              "free_sized of a smaller block", block);
    (void)size;
    blocks_free(block);
}

#endif
#endif
