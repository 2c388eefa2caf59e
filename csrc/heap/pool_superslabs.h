// The superslabs of the shared pool: their records, their lists, and the mapping of new ones. For shared_pool.c and
// pool_return.c alone.
//
// All is read and changed under the pool's lock.
#ifndef POOL_SUPERSLABS_H
#define POOL_SUPERSLABS_H

#include "heap/demand.h"
#include "heap/pool_sizes.h"
#include "os/lock.h"
#include "registry/tiny_registry.h"

#define SUPERSLAB_SIZE SHARED_POOL_SUPERSLAB
#define SUPERSLAB_PAGES ((unsigned)(SUPERSLAB_SIZE / HAK_PAGE))
#define ALL_PAGES UINT32_MAX

// With full checks each superslab belongs to one class.
#define BY_CLASS (TINY_CHECKS >= TINY_CHECKS_FULL)

typedef struct superslab {
    char *start;
    char *notes; // per-block data stored apart from the blocks, NOTES bytes per page
    uint32_t all; // one bit per page that it has, from the lowest on
    uint32_t free; // a subset of `all`
    uint32_t dirty; // a subset of `free`
    uint32_t freed_at[SUPERSLAB_PAGES]; // of the dirty pages, by os_clock_ms
    bool huge_pages; // the kernel may use huge pages for it
    int8_t list; // the list that it is in; -1: no page is free
#if TINY_CHECKS >= TINY_CHECKS_FULL
    uint8_t class;
    uint8_t rank; // of the class's slabs
    uint32_t shown; // pages that are accessible, except for the guards of their slabs
    uint32_t guarded; // pages that end with a guard
    uint32_t seams; // pages whose last page of the MMU may belong to another mapping, see pool_move.h
    uint32_t given; // free pages whose memory has moved to another class; they become inaccessible soon
    bool reserved; // lies in a reservation, see below
#endif
    struct superslab *next;
    struct superslab *previous;
} superslab_t;

// A superslab's rank: its longest row of free pages that is aligned to its own length has 2^rank pages.
#define RANKS 4u // the longest requested row has eight pages
_Static_assert(1u << (RANKS - 1) == TINY_SLAB_PAGES_MOST, "a rank for each length of a slab");

// The lists of superslabs: one for each rank, or for each class.
#define LISTS (BY_CLASS ? (unsigned)TINY_CLASSES : RANKS)
_Static_assert(TINY_CLASSES <= INT8_MAX, "a list's number fits a superslab's record");

typedef struct pool {
    os_lock_t lock;
    superslab_t *with_free[LISTS]; // superslabs with a free page; those with dirty pages tend to be in front
    superslab_t *last[LISTS];
    superslab_t *cursor[LISTS]; // the next superslab to be checked; NULL: the last one
    superslab_t *unused; // records without a mapping
    size_t superslabs;
    size_t pages; // of all superslabs
    size_t pages_used;
    size_t dirty_pages;
    unsigned clean_taken; // since other pools were last asked to make room
    hak_demand_t demand;
#if TINY_CHECKS >= TINY_CHECKS_FULL
    uint64_t random; // the state of the pool's random numbers
    unsigned guards; // slabs that end with one
    unsigned seams;
    superslab_t *given_by; // the only superslab with given pages, or NULL
    unsigned donor; // the class whose free memory moves to others next
    char *reservation;
    uint32_t reserved; // one bit for each superslab of the reservation that is not used yet
#endif
#if HAKMEM_DEBUG_OUTPUT
    uint64_t takes;
    uint64_t gives;
    uint64_t contended;
#endif
} pool_t;
extern pool_t hak_pool;

void pool_lock(void);

// Returns the bits of `count` pages from the index on.
static inline uint32_t row_at(unsigned index, unsigned count)
{
    return (uint32_t)((((uint64_t)1 << count) - 1) << index);
}

static inline unsigned pages_of(const superslab_t *superslab)
{
    return (unsigned)__builtin_popcount(superslab->all);
}

// Returns one bit for the first page of each row of 2^rank pages within `pages` that is aligned to its length.
static inline uint32_t rows_of(uint32_t pages, unsigned rank)
{
    static const uint32_t aligned[RANKS] = {ALL_PAGES, 0x55555555, 0x11111111, 0x01010101};
    for (unsigned i = 0; i < rank; i++) pages &= pages >> (1u << i);
    return pages & aligned[rank];
}

// Called after a change of a superslab's free pages.
void pool_relist(superslab_t *superslab);

// Takes a superslab out of its list.
void pool_unlist(superslab_t *superslab);

// Picks a page; with full checks at random, so that the next page cannot be predicted.
unsigned pool_pick(uint32_t pages);

// Counts pages that are in use from now on, or, if negative, no longer.
void pool_count_used(ptrdiff_t pages);

// Makes a slab's pages accessible, except for the guard at its end, with full checks. False: no memory is available. Pages
// that another class lends may have guards elsewhere.
bool pool_show(superslab_t *superslab, unsigned index, unsigned count);

// With full checks: a slab has become accessible, except for a guard at its end; a mapping ends in the page.
void pool_count_shown(superslab_t *superslab, unsigned index, unsigned count, bool guarded);
void pool_count_seam(superslab_t *superslab, unsigned index);

// With full checks: the slabs of these pages have become inaccessible, or were unmapped.
void pool_count_hidden(superslab_t *superslab, uint32_t pages);

// True if the superslab's addresses stay with its class for good.
bool pool_is_reserved(const superslab_t *superslab);

// With full checks: true if another class's superslab has notes for as many blocks as a slab of this class has.
bool pool_has_notes_for(const superslab_t *superslab, size_t class, unsigned rank);

// Maps a superslab for slabs of `pages` pages; NULL when no memory is available. `small_steps`: if no whole superslab can be
// mapped, one with only these pages.
superslab_t *pool_map(unsigned pages, size_t class, bool small_steps);

// A free superslab leaves the pool; then it is unmapped, without the lock; then its record is dropped.
void pool_let_go(superslab_t *superslab);
void pool_unmap(const superslab_t *superslab);
void pool_drop(superslab_t *superslab);

#endif
