// The entry of an allocation and of a free, inlined wherever a public function needs them.
#ifndef HAKMEM_ENTRY_H
#define HAKMEM_ENTRY_H

#include "tiny_front.h"

// Requests beyond the tiny classes, or with an alignment that these do not have.
void *hak_alloc_beyond_tiny(size_t size) COLD;

ALWAYS_INLINE void *hak_entry_alloc(size_t size)
{
    if (LIKELY(size <= TINY_MAX_SIZE)) return tiny_alloc_fast(size);
    return hak_alloc_beyond_tiny(size);
}

ALWAYS_INLINE void hak_entry_free(void *block)
{
    tiny_free_fast(block);
}

#endif
