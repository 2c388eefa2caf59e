// Page arena: blocks between the tiny classes and 1 MiB, and those that want an alignment beyond a page.
//
// chunk: 4 MiB of addresses.  unit: what a run's length is counted in.
// run: units that lie together, in use or free; free neighbours are always joined.
// out: a run that is with the program.  parked: one that is in use, but waits in a thread's cache; see run_cache.h.
#ifndef PAGE_ARENA_H
#define PAGE_ARENA_H

#include "hak_types.h"
#include "tiny_alloc_fast_gen.h" // TINY_MAX_SIZE

#define PAGE_ARENA_MAX_SIZE ((size_t)1 << 20)
#define PAGE_ARENA_MAX_ALIGNMENT ((size_t)1 << 20)
#define PAGE_ARENA_CHUNK ((size_t)4 << 20)

// An eighth of the smallest request at most; a page of the MMU where that is enough.
#define PAGE_ARENA_PAGE ((size_t)4096) // the smallest page of an MMU
#define PAGE_ARENA_UNIT (TINY_MAX_SIZE >= 8 * PAGE_ARENA_PAGE ? PAGE_ARENA_PAGE : (size_t)128)

// Sizes of runs: 1..8 units, and beyond that eight a doubling. The n-th size is the smallest run of list n.
#define PAGE_ARENA_SIZES (PAGE_ARENA_UNIT == PAGE_ARENA_PAGE ? 49u : 89u)
_Static_assert(PAGE_ARENA_MAX_SIZE == (size_t)1 << 20,
               "PAGE_ARENA_SIZES is the list of a run of 1 MiB, and one more");

static inline unsigned page_arena_list_of(size_t units)
{
    if (units < 8) return (unsigned)units;
    unsigned log = 63u - (unsigned)__builtin_clzl(units);
    return (log - 2) * 8 + (unsigned)(units >> (log - 3) & 7);
}

// The first list whose every run has at least `units`.
static inline unsigned page_arena_list_that_fits(size_t units)
{
    if (units < 8) return (unsigned)units;
    unsigned log = 63u - (unsigned)__builtin_clzl(units);
    return page_arena_list_of(units + ((size_t)1 << (log - 3)) - 1);
}

// The units of the smallest run of a list.
static inline size_t page_arena_units_of(unsigned list)
{
    return list < 8 ? list : (size_t)(8 + list % 8) << (list / 8 - 1);
}

// NULL when memory cannot be had. size in 1..PAGE_ARENA_MAX_SIZE, alignment a power of two. *zeroed: the memory is known to be
// zero; else contents are undefined.
void *page_arena_alloc(size_t size, size_t alignment, bool *zeroed);

// Parked runs of that many units at once; returns how many there are, 0 when memory cannot be had. *zeroed: all of them.
unsigned page_arena_alloc_parked(size_t units, unsigned want, void **runs, bool *zeroed);

// Each of these ends the process when `block` is not the start of a run that is out (freed twice, or inside of one).
// page_arena_free: true, as below.
bool page_arena_free(void *block);
size_t page_arena_usable_size(const void *block);

// A run that is out is parked from now on; returns its units. Takes no lock.
size_t page_arena_park(void *block);

// A parked run is out from now on.
void page_arena_unpark(void *block);

// True: more is free now than the recent peak leaves; page_arena_return should be called, where no lock is held.
bool page_arena_free_parked(void *const *runs, unsigned count);

// Resizes in place; false leaves all as it was.
bool page_arena_resize(void *block, size_t size);

// With every check (TINY_CHECKS_FULL): what was asked for of a run in use. Noted, by the run's owner: it is out from now on.
// Claimed: it is out no longer, and may be freed. Both tell how much memory the run has. Whoever asks, or claims, ends the
// process if no run that is out begins there, or if the post before it is damaged.
size_t page_arena_note(void *block, size_t asked);
size_t page_arena_asked(const void *block, const char *misuse);
size_t page_arena_claim(const void *block, size_t *size);

// Returns the memory of free runs to the system, the oldest first and up to about `most` bytes: those that have been free
// for `delay` milliseconds, and those beyond what the recent peak leaves. Returns how many bytes went. `now` is os_clock_ms().
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
