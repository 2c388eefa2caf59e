// Run cache: a thread's free runs of the page arena, so that few requests take the arena's lock.
//
// parked: a run that waits here; see page_arena.h. size: runs are grouped by size, eight sizes per doubling.
// A cache belongs to a heap and is accessed as the heap is: by its owner, or by a visit.
#ifndef RUN_CACHE_H
#define RUN_CACHE_H

#include "heap/page_arena.h"

typedef struct run_cache run_cache_t;

// Returns NULL when no memory is available.
run_cache_t *run_cache_make(void);

// Returns NULL when no memory is available. size in 1..PAGE_ARENA_MAX_SIZE. *zeroed is true if the memory is known to
// be zero.
void *run_cache_take(run_cache_t *cache, size_t size, bool *zeroed);

// Puts an allocated run into the cache, which may return others to the arena. True: call page_arena_return.
bool run_cache_give(run_cache_t *cache, void *run);

// Returns all parked runs to the arena; `cache` may be NULL.
void run_cache_empty(run_cache_t *cache);

// A cache is emptied after this many checks without use.
#define RUN_CACHE_PATIENCE 8u
void run_cache_look(run_cache_t *cache);

size_t run_cache_bytes(const run_cache_t *cache);

#endif
