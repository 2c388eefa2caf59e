// Moving memory between the pages of classes.
#include "heap/pool_move.h"

#include "hardened/fill.h"
#include "heap/pool_given.h"
#include "heap/pool_return.h"

#if TINY_CHECKS >= TINY_CHECKS_FULL

#define LOOKS 8u // superslabs of a class that are checked

// Pages that give their memory.
typedef struct donor {
    superslab_t *superslab;
    unsigned first;
    unsigned pages; // 0: there are none
} donor_t;

// Returns one bit for each page whose last page of the MMU does not belong to the page's mapping.
static uint32_t ends_of_mappings(const superslab_t *superslab)
{
    return superslab->guarded | superslab->seams;
}

// Returns the number of adjacent pages, at most `most`, that form one mapping from the first on.
static unsigned length_of_piece(const superslab_t *superslab, unsigned first, unsigned most)
{
    uint64_t dirty = superslab->dirty & superslab->shown, ends = ends_of_mappings(superslab);
    unsigned pages = 1;
    while (pages < most && dirty >> (first + pages) & 1 && !(ends >> (first + pages - 1) & 1)) pages++;
    return pages;
}

static donor_t donor_of_class(unsigned class, unsigned most)
{
    superslab_t *superslab = hak_pool.with_free[class];
    for (unsigned looks = LOOKS; looks > 0 && superslab != NULL; looks--, superslab = superslab->next) {
        uint32_t dirty = superslab->dirty & superslab->shown;
        if (dirty == 0) continue;
        unsigned first = (unsigned)__builtin_ctz(dirty);
        return (donor_t){superslab, first, length_of_piece(superslab, first, most)};
    }
    return (donor_t){NULL, 0, 0};
}

// Classes take turns: the one that gave memory last gives more until it has none.
static donor_t find_donor(const superslab_t *taker, unsigned most)
{
    for (unsigned left = TINY_CLASSES; left > 0; left--) {
        unsigned class = hak_pool.donor;
        if (class != taker->class) {
            donor_t donor = donor_of_class(class, most);
            if (donor.pages > 0) return donor;
        }
        hak_pool.donor = (class + 1) % (unsigned)TINY_CLASSES;
    }
    return (donor_t){NULL, 0, 0};
}

// The donor's pages hold no memory any more.
static void count_given(donor_t donor)
{
    uint32_t row = row_at(donor.first, donor.pages);
    donor.superslab->dirty &= ~row;
    hak_pool.dirty_pages -= donor.pages;
    pool_given_add(donor.superslab, row);
}

// target: a slab's pages; `end`: of its memory, where the guard begins.
typedef struct target {
    superslab_t *superslab;
    unsigned index;
    unsigned pages;
    char *start;
    char *end;
} target_t;

// Moves a piece behind those that have arrived.
static os_moved_t move_piece(target_t target, donor_t donor, pool_moved_t *moved)
{
    unsigned last = donor.first + donor.pages - 1;
    size_t end_of_other = ends_of_mappings(donor.superslab) >> last & 1 ? canary_slab_guard() : 0;
    size_t bytes = donor.pages * HAK_PAGE - end_of_other;
    char *to = target.start + moved->pages * HAK_PAGE;
    if (bytes > (size_t)(target.end - to)) bytes = (size_t)(target.end - to);
    os_moved_t result = os_move_memory(donor.superslab->start + donor.first * HAK_PAGE, to, bytes);
    if (result != OS_MOVED) return result;
    count_given(donor);
    moved->piece[moved->count].start = to;
    moved->piece[moved->count++].bytes = bytes;
    moved->pages += donor.pages;
    return OS_MOVED;
}

// True if the slab is accessible up to the guard at its end.
static bool is_shown(target_t target)
{
    uint32_t row = row_at(target.index, target.pages),
             last = (uint32_t)1 << (target.index + target.pages - 1);
    return (target.superslab->shown & row) == row && (target.superslab->guarded & row) == last;
}

// The slab's further pieces are mappings of their own.
static bool may_move_to(target_t target)
{
    uint32_t row = row_at(target.index, target.pages);
    return os_can_move_memory() && !os_mappings_are_scarce() && canary_slab_guard() > 0 &&
           hak_pool.guards < SHARED_POOL_GUARDS && hak_pool.seams < SHARED_POOL_SEAMS &&
           ((target.superslab->shown & row) == 0 || is_shown(target));
}

// Between the pieces of a longer slab, and behind them, lies memory without contents. False: no memory is available.
static bool prepare(target_t target)
{
    return target.pages == 1 || pool_show(target.superslab, target.index, target.pages);
}

static void count_arrived(target_t target, unsigned pages)
{
    if (target.pages == 1 && !is_shown(target)) pool_count_shown(target.superslab, target.index, 1, true);
    if (pages < target.pages) pool_count_seam(target.superslab, target.index + pages - 1);
}

void pool_move_to(superslab_t *superslab, unsigned index, unsigned pages, pool_moved_t *moved)
{
    char *start = superslab->start + index * HAK_PAGE, *end = start + pages * HAK_PAGE - canary_slab_guard();
    target_t target = {superslab, index, pages, start, end};
    *moved = (pool_moved_t){.result = OS_REFUSED};
    if (!may_move_to(target)) return;
    while (moved->pages < pages && pool_is_surplus(true)) {
        donor_t donor = find_donor(superslab, pages - moved->pages);
        if (donor.pages == 0 || (moved->count == 0 && !prepare(target))) return;
        os_moved_t result = move_piece(target, donor, moved);
        if (result == OS_REFUSED) return;
        moved->result = result;
        if (result == OS_TARGET_LOST) return;
        count_arrived(target, moved->pages);
    }
}

void pool_wipe_moved(const pool_moved_t *moved)
{
    for (unsigned i = 0; i < moved->count; i++)
        fill_with_zeroes(moved->piece[i].start, moved->piece[i].start + moved->piece[i].bytes);
}

#else

void pool_move_to(superslab_t *superslab, unsigned index, unsigned pages, pool_moved_t *moved)
{
    (void)superslab;
    (void)index;
    (void)pages;
    *moved = (pool_moved_t){.result = OS_REFUSED};
}

void pool_wipe_moved(const pool_moved_t *moved)
{
    (void)moved;
}

#endif
