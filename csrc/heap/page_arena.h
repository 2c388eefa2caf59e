// Page arena: blocks between the tiny classes and 1 MiB, and blocks with an alignment above a page.
//
// chunk: 4 MiB of addresses. unit: the granularity of runs.
// run: consecutive units, in use or free; free neighbours are always joined.
// out: a run that is allocated to the program. parked: a run that is in use, but waits in a thread's cache; see
// run_cache.h.
#ifndef PAGE_ARENA_H
#define PAGE_ARENA_H

#include "heap/arena_sizes.h"

// Returns NULL when no memory is available. size in 1..PAGE_ARENA_MAX_SIZE, alignment a power of two. *zeroed is true
// if the memory is known to be zero; else contents are undefined.
void *page_arena_alloc(size_t size, size_t alignment, bool *zeroed);

// Takes several parked runs of `units` at once; returns their number, 0 when no memory is available. *zeroed is true if
// all of them are known to be zero.
unsigned page_arena_alloc_parked(size_t units, unsigned want, void **runs, bool *zeroed);

// Each of these ends the process if `block` is not the start of an allocated run (a double free, or a pointer into a
// run). page_arena_free returns true as page_arena_free_parked does.
bool page_arena_free(void *block);
size_t page_arena_usable_size(const void *block, const char *misuse);

// Parks an allocated run; returns its units. Takes no lock.
size_t page_arena_park(void *block);

// Marks a parked run as allocated.
void page_arena_unpark(void *block);

// Returns true if more is free than the recent peak allows: then call page_arena_return where no lock is held.
bool page_arena_free_parked(void *const *runs, unsigned count);

// Resizes in place; false leaves the block unchanged.
bool page_arena_resize(void *block, size_t size);

typedef struct page_arena_usage {
    size_t chunks;
    size_t bytes_used;
    size_t bytes_dirty; // free, but may hold memory
    size_t free_runs;
} page_arena_usage_t;
page_arena_usage_t page_arena_usage(void);

void page_arena_before_fork(void);
void page_arena_after_fork(void);

#endif
