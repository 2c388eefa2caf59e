// Totals of the heap: hak_mallinfo2 and hak_malloc_info of hakmem.h.
#ifndef HEAP_INFO_H
#define HEAP_INFO_H

#include "heap/large.h"
#include "heap/page_arena.h"
#include "heap/shared_pool.h"

typedef struct heap_usage {
    shared_pool_usage_t pool;
    page_arena_usage_t arena;
    large_usage_t large;
} heap_usage_t;

// Reads each part under its own lock, one after the other.
heap_usage_t heap_usage(void);

#endif
