// Returning free memory of the shared pool to the system; outside the lock, while the pages count as used.
#include "heap/pool_return.h"

#include "heap/pool_given.h"
#include "heap/pool_superslabs.h"
#include "os/os.h"

// Always cached, if a program frees as much; more after a peak, see demand.h.
#define KEPT_BYTES ((size_t)16 << 20)

// Per hold of the lock: superslabs whose memory is returned to the system, and superslabs that are checked.
#define PURGED_SUPERSLABS 16u
#define LOOKED_SUPERSLABS 256u

// Above the peak, in any case: the needs of classes vary, even if their sum does not.
#define SLACK_BYTES ((size_t)512 << 10)

// Returns the bytes of free memory that may stay. `for_others`: with full checks a class cannot use what others have freed,
// so when it takes new memory, free and used memory together stay within the bound of the demand.
static size_t most_kept(bool for_others)
{
    size_t in_use = hak_pool.pages_used * HAK_PAGE;
    if (!for_others) return hak_demand_keeps(&hak_pool.demand, in_use, KEPT_BYTES);
    size_t total = hak_demand_bound(&hak_pool.demand), least = hak_pool.demand.peak + SLACK_BYTES;
    if (total < least) total = least;
    return total > in_use ? total - in_use : 0;
}

bool pool_is_surplus(bool for_others)
{
    return hak_pool.dirty_pages * HAK_PAGE > most_kept(for_others);
}

size_t pool_surplus_for_others(void)
{
    return pool_is_surplus(true) ? hak_pool.dirty_pages * HAK_PAGE - most_kept(true) : 0;
}

typedef struct purge {
    bool for_others;
    unsigned count;
    struct {
        superslab_t *superslab;
        uint32_t pages;
        uint32_t kept; // the subset that could not be purged
        bool huge_pages;
    } part[PURGED_SUPERSLABS];
    superslab_t *unmapped;
    size_t pages;
    size_t gone; // bytes
} purge_t;

// Returns one bit for each dirty page that has been free for `delay`.
static uint32_t stale_pages(const superslab_t *superslab, uint32_t now, uint32_t delay)
{
    uint32_t stale = 0;
    for (uint32_t left = superslab->dirty; left != 0; left &= left - 1) {
        unsigned index = (unsigned)__builtin_ctz(left);
        if (now - superslab->freed_at[index] >= delay) stale |= (uint32_t)1 << index;
    }
    return stale;
}

static void isolate(purge_t *purge, superslab_t *superslab, uint32_t pages)
{
    unsigned count = (unsigned)__builtin_popcount(pages);
    purge->pages += count;
    hak_pool.dirty_pages -= count;
    superslab->dirty &= ~pages;
    if (superslab->free == superslab->all && superslab->dirty == 0 && !pool_is_reserved(superslab)) {
        pool_let_go(superslab);
        superslab->next = purge->unmapped;
        purge->unmapped = superslab;
        return;
    }
    superslab->free &= ~pages;
    pool_relist(superslab);
    hak_pool.pages_used += count;
    purge->part[purge->count].superslab = superslab;
    purge->part[purge->count].pages = pages;
    purge->part[purge->count].kept = 0;
    purge->part[purge->count++].huge_pages = superslab->huge_pages;
    superslab->huge_pages = false;
}

// Returns the lowest `count` bits, or all.
static uint32_t lowest_of(uint32_t pages, size_t count)
{
    uint32_t lowest = 0;
    for (; pages != 0 && count > 0; count--, pages &= pages - 1) lowest |= pages & -pages;
    return lowest;
}

// Checks superslabs in turn, beginning with the one that has been in the list the longest. A free superslab is
// unmapped as a whole, even if it holds no memory.
static void isolate_of_list(purge_t *purge, unsigned list, size_t most, uint32_t now, uint32_t delay)
{
    for (unsigned looks = LOOKED_SUPERSLABS; looks > 0; looks--) {
        if (purge->count == PURGED_SUPERSLABS || purge->pages * HAK_PAGE >= most) return;
        superslab_t *superslab = hak_pool.cursor[list] != NULL ? hak_pool.cursor[list] : hak_pool.last[list];
        if (superslab == NULL) return;
        hak_pool.cursor[list] = superslab->previous;
        uint32_t pages =
            pool_is_surplus(purge->for_others) ? superslab->dirty : stale_pages(superslab, now, delay);
        if (purge->for_others) pages = lowest_of(pages, most / HAK_PAGE + 1 - purge->pages);
        bool is_free =
            superslab->free == superslab->all && superslab->dirty == pages && !pool_is_reserved(superslab);
        if (pages != 0 || is_free) isolate(purge, superslab, pages);
        if (hak_pool.cursor[list] == NULL) return; // all have been checked
    }
}

// With full checks the pages become inaccessible, so that their guards cost no mappings any more.
static bool purge_row(char *start, size_t bytes)
{
    if (BY_CLASS && os_hide(start, bytes)) return true;
    bool purged = os_purge(start, bytes);
    return purged && !BY_CLASS;
}

// Purges adjacent pages with one call.
static void purge_part(purge_t *purge, unsigned i)
{
    superslab_t *superslab = purge->part[i].superslab;
    if (purge->part[i].huge_pages && !BY_CLASS)
        os_no_huge_pages(superslab->start, pages_of(superslab) * HAK_PAGE);
    for (uint32_t left = purge->part[i].pages; left != 0;) {
        unsigned first = (unsigned)__builtin_ctz(left);
        unsigned count = (unsigned)__builtin_ctzll(
            ~((uint64_t)left >> first)); // a bit above the highest page ends the row
        uint32_t row = row_at(first, count);
        left &= ~row;
        if (purge_row(superslab->start + first * HAK_PAGE, count * HAK_PAGE)) purge->gone += count * HAK_PAGE;
        else purge->part[i].kept |= row;
    }
}

static void unmap_all(purge_t *purge)
{
    for (superslab_t *superslab = purge->unmapped; superslab != NULL; superslab = superslab->next) {
        pool_unmap(superslab);
        purge->gone += pages_of(superslab) * HAK_PAGE;
    }
}

static void end_isolation(purge_t *purge, uint32_t now)
{
    for (unsigned i = 0; i < purge->count; i++) {
        superslab_t *superslab = purge->part[i].superslab;
        uint32_t kept = purge->part[i].kept;
        superslab->free |= purge->part[i].pages;
        superslab->dirty |= kept;
        pool_count_hidden(superslab, purge->part[i].pages & ~kept);
        hak_pool.dirty_pages += (unsigned)__builtin_popcount(kept);
        for (; kept != 0; kept &= kept - 1) superslab->freed_at[__builtin_ctz(kept)] = now;
        pool_relist(superslab);
        pool_count_used(-(ptrdiff_t)__builtin_popcount(purge->part[i].pages));
    }
    for (superslab_t *superslab = purge->unmapped, *next; superslab != NULL; superslab = next) {
        next = superslab->next;
        pool_drop(superslab);
    }
}

static size_t purge_oldest(size_t most, uint32_t now, uint32_t delay, bool for_others)
{
    purge_t purge = {.for_others = for_others};
    pool_lock();
    pool_given_hide();
    hak_demand_look(&hak_pool.demand, hak_pool.pages_used * HAK_PAGE, now);
    for (unsigned list = LISTS; list-- > 0;) isolate_of_list(&purge, list, most, now, delay);
    os_unlock(&hak_pool.lock);
    if (purge.count == 0 && purge.unmapped == NULL) return 0;
    for (unsigned i = 0; i < purge.count; i++) purge_part(&purge, i);
    unmap_all(&purge);
    pool_lock();
    end_isolation(&purge, now);
    os_unlock(&hak_pool.lock);
    return purge.gone;
}

// A pass may begin in the middle of the lists and find nothing in the rest of them; so an unlimited request makes two
// passes in vain before it ends.
size_t pool_return(size_t most, uint32_t now, uint32_t delay, bool for_others)
{
    size_t bytes = 0, step;
    unsigned in_vain = 0;
    do {
        bytes += step = purge_oldest(most - bytes, now, delay, for_others);
        in_vain = step > 0 ? 0 : in_vain + 1;
    } while (bytes < most && in_vain < (most == SIZE_MAX ? 2u : 1u));
    return bytes;
}
