// Shared pool: gives pages of superslabs to heaps, under one lock.
#include "heap/shared_pool.h"

#include "heap/decay.h"
#include "heap/huge_pages.h"
#include "heap/huge_watch.h"
#include "heap/pool_given.h"
#include "heap/pool_move.h"
#include "heap/pool_return.h"
#include "heap/pool_superslabs.h"
#include "os/die.h"
#include "os/os.h"

#define STEP_BYTES ((size_t)4 << 20) // returned at a time by a call that finds more free than is kept
#define CLEAN_PAGES_A_LOOK 32u // clean pages taken before other pools are asked to make room

HAK_TLS bool shared_pool_in_small_steps;

// row: pages for one slab. They count as in use before the pool makes others inaccessible.
typedef struct row {
    superslab_t *superslab;
    unsigned index;
    unsigned pages;
    uint32_t dirty; // those that hold memory
} row_t;

static unsigned count_pages(uint32_t pages)
{
    return (unsigned)__builtin_popcount(pages);
}

// Prefers dirty pages, whose memory is present already.
static row_t pick_row(superslab_t *superslab, unsigned rank)
{
    uint32_t dirty = rows_of(superslab->dirty, rank);
    unsigned index = pool_pick(dirty != 0 ? dirty : rows_of(superslab->free, rank));
    return (row_t){superslab, index, 1u << rank, superslab->dirty & row_at(index, 1u << rank)};
}

static void use_row(row_t row)
{
    uint32_t pages = row_at(row.index, row.pages);
    row.superslab->free &= ~pages;
    row.superslab->dirty &= ~pages;
    hak_pool.dirty_pages -= count_pages(row.dirty);
    pool_given_remove(row.superslab, pages);
    pool_count_used((ptrdiff_t)row.pages);
}

static void put_back_row(row_t row)
{
    row.superslab->free |= row_at(row.index, row.pages);
    row.superslab->dirty |= row.dirty;
    hak_pool.dirty_pages += count_pages(row.dirty);
    pool_count_used(-(ptrdiff_t)row.pages);
}

// Takes a row; gives it the memory of another class if that has more than it may keep. NULL: no memory is available, or the row
// is lost.
static char *take_row(superslab_t *superslab, unsigned rank, pool_moved_t *moved)
{
    row_t row = pick_row(superslab, rank);
    use_row(row);
    *moved = (pool_moved_t){.result = OS_REFUSED};
    if (BY_CLASS && row.dirty == 0 && pool_is_surplus(true))
        pool_move_to(superslab, row.index, row.pages, moved);
    if (moved->result == OS_REFUSED && !pool_show(superslab, row.index, row.pages)) {
        put_back_row(row);
        return NULL;
    }
    hak_pool.clean_taken += row.pages - count_pages(row.dirty) - moved->pages;
    pool_relist(superslab);
    return moved->result != OS_TARGET_LOST ? superslab->start + row.index * HAK_PAGE : NULL;
}

// The lists in which a slab of that rank and class may be found.
typedef struct lists {
    unsigned first;
    unsigned end;
} lists_t;

static lists_t lists_for(unsigned rank, size_t class)
{
    return BY_CLASS ? (lists_t){(unsigned)class, (unsigned)class + 1} : (lists_t){rank, RANKS};
}

// Finds a superslab with a dirty row, among the first few with free rows of each length.
static superslab_t *find_dirty(unsigned rank, lists_t lists)
{
    enum { LOOKS = 8 };
    if (hak_pool.dirty_pages >> rank == 0) return NULL;
    for (unsigned list = lists.first; list < lists.end; list++) {
        superslab_t *superslab = hak_pool.with_free[list];
        for (unsigned looks = LOOKS; looks > 0 && superslab != NULL; looks--, superslab = superslab->next)
            if (rows_of(superslab->dirty, rank) != 0) return superslab;
    }
    return NULL;
}

// Prefers a superslab with a dirty row, then one without longer rows than needed.
static superslab_t *find_superslab(unsigned rank, lists_t lists)
{
    superslab_t *dirty = find_dirty(rank, lists);
    if (dirty != NULL) return dirty;
    for (unsigned list = lists.first; list < lists.end; list++)
        if (hak_pool.with_free[list] != NULL) return hak_pool.with_free[list];
    return NULL;
}

#if TINY_CHECKS >= TINY_CHECKS_FULL

// Addresses are short: another class, which has notes for as many blocks, lends pages of its own.
static superslab_t *find_in_any_class(unsigned rank, size_t class)
{
    enum { LOOKS = 8 };
    for (unsigned list = 0; list < LISTS; list++) {
        superslab_t *superslab = hak_pool.with_free[list];
        for (unsigned looks = LOOKS; looks > 0 && superslab != NULL; looks--, superslab = superslab->next)
            if (rows_of(superslab->free, rank) != 0 && pool_has_notes_for(superslab, class, rank))
                return superslab;
    }
    return NULL;
}

#else

static superslab_t *find_in_any_class(unsigned rank, size_t class)
{
    (void)rank;
    (void)class;
    return NULL;
}

#endif

static hak_pool_usage_t usage_for_decay(void)
{
    shared_pool_usage_t usage = shared_pool_usage();
    return (hak_pool_usage_t){usage.pages_used * HAK_PAGE, usage.dirty_pages * HAK_PAGE};
}

// True: the program is going to touch most pages of a superslab that is mapped for this class. It touches each page in which a block
// begins. Of larger blocks it may use only the beginning, so superslabs of these are watched; if 10 of 16 places were written to, huge
// pages take at most 1.6 times the memory.
static bool is_worth_huge_pages(const superslab_t *superslab, size_t class)
{
    static huge_watch_t superslabs = {.missed_most = 6};
    const size_t size = pages_of(superslab) * HAK_PAGE;
    if (tiny_class_size[class] <= OS_PAGE) return huge_pages_are_due(size);
    if (superslab->dirty != 0) return false; // others have written to it
    return huge_watch_grants(&superslabs, superslab->start, size);
}

// *huge_pages becomes false unless the superslab has asked for huge pages, and its memory is not present yet.
static superslab_t *map_superslab(unsigned pages, size_t class, bool *huge_pages)
{
    static const hak_decay_pool_t functions = {usage_for_decay, shared_pool_return};
    hak_decay_register_pool(HAK_POOL_SLABS, &functions);
    superslab_t *superslab = pool_map(pages, class, shared_pool_in_small_steps);
    *huge_pages = *huge_pages && superslab != NULL && !BY_CLASS && is_worth_huge_pages(superslab, class);
    if (!*huge_pages) return superslab;
    os_huge_pages(superslab->start, pages_of(superslab) * HAK_PAGE);
    *huge_pages = superslab->dirty == 0;
    return superslab;
}

static char *take_any(unsigned rank, size_t class, bool *huge_pages, pool_moved_t *moved)
{
    superslab_t *superslab = find_superslab(rank, lists_for(rank, class));
    if (superslab == NULL) superslab = map_superslab(1u << rank, class, huge_pages);
    else *huge_pages = false;
    if (superslab == NULL) superslab = find_in_any_class(rank, class);
    return superslab != NULL ? take_row(superslab, rank, moved) : NULL;
}

void *shared_pool_take(unsigned pages, size_t class, bool huge_pages)
{
    unsigned rank = (unsigned)__builtin_ctz(pages);
    pool_lock();
    unsigned clean_before = hak_pool.clean_taken;
    pool_moved_t moved = {.result = OS_REFUSED};
    char *page;
    do page = take_any(rank, class, &huge_pages, &moved);
    while (page == NULL && moved.result == OS_TARGET_LOST); // then no more is moved
    size_t surplus = BY_CLASS && hak_pool.clean_taken > clean_before ? pool_surplus_for_others() : 0;
    bool wants_room = hak_pool.clean_taken >= CLEAN_PAGES_A_LOOK;
    if (wants_room) hak_pool.clean_taken = 0;
#if HAKMEM_DEBUG_OUTPUT
    hak_pool.takes++;
#endif
    os_unlock(&hak_pool.lock);
    if (moved.result == OS_MOVED) pool_wipe_moved(&moved);
    if (UNLIKELY(huge_pages && page != NULL)) (void)huge_pages_first_access(page);
    if (UNLIKELY(surplus > 0)) pool_return(surplus, os_clock_ms(), (uint32_t)TINY_OPTION_DECAY_MS, true);
    if (UNLIKELY(wants_room)) hak_decay_make_room(HAK_POOL_SLABS, CLEAN_PAGES_A_LOOK * HAK_PAGE);
    return page;
}

void *shared_pool_take_present(unsigned pages, size_t class)
{
    unsigned rank = (unsigned)__builtin_ctz(pages);
    pool_lock();
    superslab_t *superslab = find_dirty(rank, lists_for(rank, class));
    pool_moved_t moved;
    char *page = superslab != NULL ? take_row(superslab, rank, &moved) : NULL;
    os_unlock(&hak_pool.lock);
    return page;
}

void shared_pool_give(void *page, unsigned pages)
{
    uint32_t now = os_clock_ms();
    pool_lock();
    superslab_t *superslab = tiny_registry_record(page)->owner;
    unsigned index = (unsigned)((size_t)((char *)page - superslab->start) / HAK_PAGE);
    uint32_t row = row_at(index, pages);
    HAK_CHECK((superslab->free & row) == 0, "page given to the pool twice", page);
    superslab->free |= row;
    superslab->dirty |= row;
    hak_pool.dirty_pages += pages;
    for (unsigned i = 0; i < pages; i++) superslab->freed_at[index + i] = now;
    pool_relist(superslab);
    pool_count_used(-(ptrdiff_t)pages);
    bool surplus = pool_is_surplus(false);
#if HAKMEM_DEBUG_OUTPUT
    hak_pool.gives++;
#endif
    os_unlock(&hak_pool.lock);
    if (UNLIKELY(surplus)) shared_pool_return(STEP_BYTES, now, (uint32_t)TINY_OPTION_DECAY_MS);
}

bool shared_pool_purge(void *start, size_t bytes)
{
    superslab_t *superslab = tiny_registry_record(start)->owner;
    pool_lock();
    bool huge_pages = superslab->huge_pages;
    superslab->huge_pages = false;
    os_unlock(&hak_pool.lock);
    if (huge_pages) os_no_huge_pages(superslab->start, pages_of(superslab) * HAK_PAGE);
    return os_purge(start, bytes);
}

size_t shared_pool_return(size_t most, uint32_t now, uint32_t delay)
{
    return pool_return(most, now, delay, false);
}

shared_pool_usage_t shared_pool_usage(void)
{
    pool_lock();
    shared_pool_usage_t usage = {hak_pool.superslabs, hak_pool.pages, hak_pool.pages_used,
                                 hak_pool.dirty_pages};
    os_unlock(&hak_pool.lock);
    return usage;
}

void shared_pool_before_fork(void)
{
    os_lock(&hak_pool.lock);
}

void shared_pool_after_fork(void)
{
    os_unlock(&hak_pool.lock);
}
