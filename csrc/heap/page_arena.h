// Page arena: blocks between the tiny classes and 1 MiB, and blocks with an alignment above a page.
//
// chunk: 4 MiB of addresses. unit: the granularity of runs.
// run: consecutive units, in use or free; free neighbours are always joined.
// out: a run that is allocated to the program. parked: a run that is in use, but waits in a thread's cache; see
// run_cache.h.
#ifndef PAGE_ARENA_H
#define PAGE_ARENA_H

#include "os/hak_types.h"
#include "tiny_alloc_fast_gen.h" // TINY_MAX_SIZE

#define PAGE_ARENA_MAX_SIZE ((size_t)1 << 20)
#define PAGE_ARENA_MAX_ALIGNMENT ((size_t)1 << 20)
#define PAGE_ARENA_CHUNK ((size_t)4 << 20)

// At most an eighth of the smallest request; a page of the MMU if that is small enough.
#define PAGE_ARENA_PAGE ((size_t)4096) // the smallest page of an MMU
#define PAGE_ARENA_UNIT (TINY_MAX_SIZE >= 8 * PAGE_ARENA_PAGE ? PAGE_ARENA_PAGE : (size_t)128)

// Sizes of runs: 1..8 units, then eight per doubling. The n-th size is the smallest run of list n.
#define PAGE_ARENA_SIZES (PAGE_ARENA_UNIT == PAGE_ARENA_PAGE ? 49u : 89u)
_Static_assert(PAGE_ARENA_MAX_SIZE == (size_t)1 << 20,
               "PAGE_ARENA_SIZES is the list of a run of 1 MiB, and one more");

static inline unsigned page_arena_list_of(size_t units)
{
    if (units < 8) return (unsigned)units;
    unsigned log = 63u - (unsigned)__builtin_clzl(units);
    return (log - 2) * 8 + (unsigned)(units >> (log - 3) & 7);
}

// Returns the first list whose every run has at least `units`.
static inline unsigned page_arena_list_that_fits(size_t units)
{
    if (units < 8) return (unsigned)units;
    unsigned log = 63u - (unsigned)__builtin_clzl(units);
    return page_arena_list_of(units + ((size_t)1 << (log - 3)) - 1);
}

// Returns the units of the smallest run of a list.
static inline size_t page_arena_units_of(unsigned list)
{
    return list < 8 ? list : (size_t)(8 + list % 8) << (list / 8 - 1);
}

// Returns NULL when no memory is available. size in 1..PAGE_ARENA_MAX_SIZE, alignment a power of two. *zeroed is true
// if the memory is known to be zero; else contents are undefined.
void *page_arena_alloc(size_t size, size_t alignment, bool *zeroed);

// Takes several parked runs of `units` at once; returns their number, 0 when no memory is available. *zeroed is true if
// all of them are known to be zero.
unsigned page_arena_alloc_parked(size_t units, unsigned want, void **runs, bool *zeroed);

// Each of these ends the process if `block` is not the start of an allocated run (a double free, or a pointer into a
// run). page_arena_free returns true as page_arena_free_parked does.
bool page_arena_free(void *block);
size_t page_arena_usable_size(const void *block);

// Parks an allocated run; returns its units. Takes no lock.
size_t page_arena_park(void *block);

// Marks a parked run as allocated.
void page_arena_unpark(void *block);

// Returns true if more is free than the recent peak allows: then call page_arena_return where no lock is held.
bool page_arena_free_parked(void *const *runs, unsigned count);

// Resizes in place; false leaves the block unchanged.
bool page_arena_resize(void *block, size_t size);

// With full checks (TINY_CHECKS_FULL): the requested size of a run in use. The run's owner notes it, which marks the
// run as allocated. page_arena_claim marks it as not allocated; then it may be freed. Note and claim also report the
// size of the run's memory. Asking and claiming end the process if no allocated run begins at `block`; claiming also
// does so if the post before it is damaged.
size_t page_arena_note(void *block, size_t asked);
size_t page_arena_asked(const void *block, const char *misuse);
size_t page_arena_claim(const void *block, size_t *size);

// Returns up to about `most` bytes of free runs to the system, the oldest first: runs that have been free for `delay`
// milliseconds, and those that exceed what the recent peak allows. Returns the number of bytes. `now` is os_clock_ms().
size_t page_arena_return(size_t most, uint32_t now, uint32_t delay);

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
