// Run cache: a thread's runs of the page arena, so that few requests take the arena's lock.
//
// parked: a run that waits here; see page_arena.h.  size: runs are kept by size, eight a doubling.
// A cache belongs to a heap, and is touched only as the heap is: by its owner, or by a visit.
#ifndef RUN_CACHE_H
#define RUN_CACHE_H

#include "page_arena.h"

typedef struct run_cache run_cache_t;

// NULL when memory cannot be had.
run_cache_t *run_cache_make(void);

// NULL when memory cannot be had. size in 1..PAGE_ARENA_MAX_SIZE. *zeroed: the memory is known to be zero.
void *run_cache_take(run_cache_t *cache, size_t size, bool *zeroed);

// A run that is out comes to the cache, and others may leave it for the arena. True: page_arena_return should be called.
bool run_cache_give(run_cache_t *cache, void *run);

// All that is parked goes to the arena; `cache` may be NULL.
void run_cache_empty(run_cache_t *cache);

// Empties a cache that has been in no use for so many looks.
#define RUN_CACHE_PATIENCE 8u
void run_cache_look(run_cache_t *cache);

size_t run_cache_bytes(const run_cache_t *cache);

#endif
