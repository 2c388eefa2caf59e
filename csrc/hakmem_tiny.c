// The tiny allocator's public face, for callers that do not inline the fast path, and its last resort.
#include "hakmem_tiny.h"

#include <errno.h>

#include "page_arena.h"
#include "tiny_front.h"

#define TINY_FRONT_IMPLEMENTATION // the out-of-line part of the generated header belongs to this file
#include "tiny_alloc_fast_gen.h"

void *hak_tiny_alloc(size_t size)
{
    return tiny_alloc_fast(size);
}

void *tiny_alloc_last_resort(size_t class)
{
    TINY_COUNT_UNSERVED(class);
    if (tiny_backend_heap() == NULL) {
        void *block = page_arena_alloc(tiny_class_size[class], 16);
        if (block != NULL) return block;
    }
    errno = ENOMEM;
    return NULL;
}
