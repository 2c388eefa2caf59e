// Sizes of the page arena's runs, in units: grouped into lists, eight lists per doubling.
//
// The n-th list holds the runs of at least page_arena_units_of(n) and fewer than page_arena_units_of(n + 1) units.
#ifndef ARENA_SIZES_H
#define ARENA_SIZES_H

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

static inline uint32_t page_arena_units_for(size_t size)
{
    return (uint32_t)((size + PAGE_ARENA_UNIT - 1) / PAGE_ARENA_UNIT);
}

#endif
