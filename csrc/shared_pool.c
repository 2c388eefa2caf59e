// Shared pool: hands pages of superslabs to heaps, one lock for all.
#include "shared_pool.h"

#include "canary.h"
#include "debug.h"
#include "os.h"
#include "tiny_registry.h"
#include "tiny_superslab.h"

#define SUPERSLAB_SIZE SHARED_POOL_SUPERSLAB
#define SUPERSLAB_PAGES ((unsigned)(SUPERSLAB_SIZE / HAK_PAGE))
#define ALL_PAGES UINT32_MAX

// Beyond these, free memory goes back at once: 16 MiB of dirty pages, 8 wholly free superslabs.
#define DIRTY_PAGES_KEPT 256u
#define FREE_SUPERSLABS_KEPT 8u

typedef struct superslab {
    char *start;
    char *notes;    // what is kept of its blocks apart from them, NOTES bytes a page
    uint32_t all;   // a bit a page that it has, from the lowest on
    uint32_t free;  // of these
    uint32_t dirty; // of the free ones
    uint32_t freed_at[SUPERSLAB_PAGES]; // of the dirty ones, by os_clock_ms
    bool huge_pages; // the kernel may back it with them
    int8_t rank; // whose list it is in; -1: no page is free
    struct superslab *next;
    struct superslab *previous;
} superslab_t;

// A superslab's rank: the longest row of free pages that it has, and that is aligned to its length, is of 2^rank pages.
#define RANKS 3u // the longest row that is asked for is of four
_Static_assert(1u << (RANKS - 1) == TINY_SLAB_PAGES_MOST, "a rank for each length of a slab");

static struct {
    os_lock_t lock;
    superslab_t *with_free[RANKS]; // superslabs with a free page, by rank; those with dirty ones tend to be in front
    superslab_t *unused;    // records without a mapping
    size_t superslabs;
    size_t pages; // of all superslabs
    size_t pages_used;
    unsigned dirty_pages;
    unsigned free_superslabs;
#if TINY_CHECKS >= TINY_CHECKS_FULL
    uint64_t random; // the state of the pool's coin
#endif
#if HAKMEM_DEBUG_OUTPUT
    uint64_t takes;
    uint64_t gives;
    uint64_t contended;
#endif
} pool;

static void pool_lock(void)
{
#if HAKMEM_DEBUG_OUTPUT
    if (!os_try_lock(&pool.lock)) {
        os_lock(&pool.lock);
        pool.contended++;
    }
    if (UNLIKELY(hak_debug_on) && ((pool.takes + pool.gives) & 1023) == 1023)
        hak_debug_print("[hakmem:shared_pool.lock] %llu taken, %llu given, %llu times contended\n",
                        (unsigned long long)pool.takes, (unsigned long long)pool.gives,
                        (unsigned long long)pool.contended);
#else
    os_lock(&pool.lock);
#endif
}

static uint32_t row_at(unsigned index, unsigned count)
{
    return (uint32_t)((((uint64_t)1 << count) - 1) << index);
}

static unsigned pages_of(const superslab_t *superslab)
{
    return (unsigned)__builtin_popcount(superslab->all);
}

// The first pages of the rows of 2^rank among `pages` that are aligned to their length; a bit each.
static uint32_t rows_of(uint32_t pages, unsigned rank)
{
    static const uint32_t aligned[RANKS] = {ALL_PAGES, 0x55555555, 0x11111111};
    for (unsigned i = 0; i < rank; i++) pages &= pages >> (1u << i);
    return pages & aligned[rank];
}

static int rank_of(const superslab_t *superslab)
{
    int rank = (int)RANKS - 1;
    while (rank >= 0 && rows_of(superslab->free, (unsigned)rank) == 0) rank--;
    return rank;
}

static void list_add(superslab_t *superslab, int rank)
{
    superslab->rank = (int8_t)rank;
    superslab->previous = NULL;
    if (rank < 0) return;
    superslab->next = pool.with_free[rank];
    if (superslab->next != NULL) superslab->next->previous = superslab;
    pool.with_free[rank] = superslab;
}

static void list_remove(superslab_t *superslab)
{
    if (superslab->rank < 0) return;
    if (superslab->previous != NULL) superslab->previous->next = superslab->next;
    else pool.with_free[superslab->rank] = superslab->next;
    if (superslab->next != NULL) superslab->next->previous = superslab->previous;
}

// After a change of its free pages.
static void relist(superslab_t *superslab)
{
    int rank = rank_of(superslab);
    if (rank == superslab->rank) return;
    list_remove(superslab);
    list_add(superslab, rank);
}

static superslab_t *new_record(void)
{
    superslab_t *record = pool.unused;
    if (record == NULL) return os_metadata(sizeof *record);
    pool.unused = record->next;
    return record;
}

static void drop_record(superslab_t *record)
{
    record->next = pool.unused;
    pool.unused = record;
}

#if TINY_CHECKS >= TINY_CHECKS_FULL

// Which of a superslab's pages comes next cannot be foretold.
static unsigned pick(uint32_t pages)
{
    for (unsigned before = tiny_draw(&pool.random) % (unsigned)__builtin_popcount(pages); before > 0;
         before--)
        pages &= pages - 1;
    return (unsigned)__builtin_ctz(pages);
}

#define NOTES (HAK_PAGE / TINY_MIN_ALIGN * sizeof(uint16_t))

static bool map_notes(superslab_t *superslab)
{
    superslab->notes = os_map(pages_of(superslab) * NOTES, OS_PAGE);
    if (superslab->notes == NULL) return false;
    for (unsigned i = 0; i < pages_of(superslab); i++)
        tiny_registry_record(superslab->start + i * HAK_PAGE)->asked = (void *)(superslab->notes + i * NOTES);
    return true;
}

static void unmap_notes(const superslab_t *superslab)
{
    os_unmap(superslab->notes, pages_of(superslab) * NOTES);
}

#else

static unsigned pick(uint32_t pages)
{
    return (unsigned)__builtin_ctz(pages);
}

static bool map_notes(superslab_t *superslab)
{
    (void)superslab;
    return true;
}

static void unmap_notes(const superslab_t *superslab)
{
    (void)superslab;
}

#endif

static bool map_pages(superslab_t *superslab, unsigned pages)
{
    size_t size = pages * HAK_PAGE;
    char *start = os_map_guarded(size, size, CANARY_GUARD);
    if (start == NULL) return false;
    uint32_t all = row_at(0, pages);
    *superslab = (superslab_t){.start = start, .all = all, .free = all, .huge_pages = true};
    if (tiny_registry_reserve(start, size) && map_notes(superslab)) return true;
    os_unmap_guarded(start, size, CANARY_GUARD);
    return false;
}

HAK_TLS bool shared_pool_in_small_steps;

static superslab_t *map_superslab(unsigned least_pages)
{
    superslab_t *superslab = new_record();
    if (superslab == NULL) return NULL;
    bool mapped = map_pages(superslab, SUPERSLAB_PAGES) ||
                  (shared_pool_in_small_steps && map_pages(superslab, least_pages));
    if (!mapped) {
        drop_record(superslab);
        return NULL;
    }
    for (unsigned i = 0; i < pages_of(superslab); i++)
        tiny_registry_record(superslab->start + i * HAK_PAGE)->owner = superslab;
    pool.superslabs++;
    pool.pages += pages_of(superslab);
    pool.free_superslabs++;
    list_add(superslab, rank_of(superslab));
#if HAKMEM_DEBUG_OUTPUT
    if (UNLIKELY(hak_debug_on))
        hak_debug_print("[hakmem:shared_pool.map] superslab %p, %zu mapped\n", (void *)superslab->start,
                        pool.superslabs);
#endif
    return superslab;
}

// See tiny_registry_reserve: whoever maps these addresses next writes there.
static void let_go_of_records(const superslab_t *superslab)
{
    for (unsigned i = 0; i < pages_of(superslab); i++) tiny_registry_set(superslab->start + i * HAK_PAGE, 0);
}

// Its pages may hold blocks' remains; nothing refers to them any more.
static void unmap_superslab(superslab_t *superslab)
{
    list_remove(superslab);
    pool.dirty_pages -= (unsigned)__builtin_popcount(superslab->dirty);
    pool.superslabs--;
    pool.pages -= pages_of(superslab);
    pool.free_superslabs--;
#if HAKMEM_DEBUG_OUTPUT
    if (UNLIKELY(hak_debug_on))
        hak_debug_print("[hakmem:shared_pool.unmap] superslab %p, %zu mapped\n", (void *)superslab->start,
                        pool.superslabs);
#endif
    let_go_of_records(superslab);
    unmap_notes(superslab);
    os_unmap_guarded(superslab->start, pages_of(superslab) * HAK_PAGE, CANARY_GUARD);
    drop_record(superslab);
}

// Dirty pages first: their memory is there already.
static char *take_row(superslab_t *superslab, unsigned rank)
{
    uint32_t dirty = rows_of(superslab->dirty, rank);
    unsigned index = pick(dirty != 0 ? dirty : rows_of(superslab->free, rank));
    uint32_t row = row_at(index, 1u << rank);
    if (superslab->free == superslab->all) pool.free_superslabs--;
    pool.dirty_pages -= (unsigned)__builtin_popcount(superslab->dirty & row);
    superslab->free &= ~row;
    superslab->dirty &= ~row;
    relist(superslab);
    pool.pages_used += (size_t)1 << rank;
    return superslab->start + index * HAK_PAGE;
}

// Of a superslab that has no longer rows than are needed, if there is one.
static superslab_t *find_superslab(unsigned rank)
{
    for (; rank < RANKS; rank++)
        if (pool.with_free[rank] != NULL) return pool.with_free[rank];
    return NULL;
}

void *shared_pool_take(unsigned pages)
{
    unsigned rank = (unsigned)__builtin_ctz(pages);
    pool_lock();
    superslab_t *superslab = find_superslab(rank);
    if (superslab == NULL) superslab = map_superslab(pages);
    char *page = superslab != NULL ? take_row(superslab, rank) : NULL;
#if HAKMEM_DEBUG_OUTPUT
    pool.takes++;
#endif
    os_unlock(&pool.lock);
    return page;
}

// Memory of a superslab that stays mapped goes back.
static bool purge(superslab_t *superslab, void *start, size_t size)
{
    if (superslab->huge_pages) os_no_huge_pages(superslab->start, pages_of(superslab) * HAK_PAGE);
    superslab->huge_pages = false;
    return os_purge(start, size);
}

void shared_pool_give(void *page, unsigned pages)
{
    pool_lock();
    superslab_t *superslab = tiny_registry_record(page)->owner;
    unsigned index = (unsigned)((size_t)((char *)page - superslab->start) / HAK_PAGE);
    uint32_t row = row_at(index, pages), now = os_clock_ms();
    HAK_CHECK((superslab->free & row) == 0, "page given to the pool twice", page);
    bool kept = pool.dirty_pages < DIRTY_PAGES_KEPT || !purge(superslab, page, pages * HAK_PAGE);
    superslab->free |= row;
    relist(superslab);
    if (kept) {
        superslab->dirty |= row;
        pool.dirty_pages += pages;
        for (unsigned i = 0; i < pages; i++) superslab->freed_at[index + i] = now;
    }
    pool.pages_used -= pages;
    if (superslab->free == superslab->all && ++pool.free_superslabs > FREE_SUPERSLABS_KEPT)
        unmap_superslab(superslab);
#if HAKMEM_DEBUG_OUTPUT
    pool.gives++;
#endif
    os_unlock(&pool.lock);
}

// The dirty pages that have been free for `delay`; a bit a page.
static uint32_t stale_pages(const superslab_t *superslab, uint32_t now, uint32_t delay)
{
    uint32_t stale = 0;
    for (uint32_t left = superslab->dirty; left != 0; left &= left - 1) {
        unsigned index = (unsigned)__builtin_ctz(left);
        if (now - superslab->freed_at[index] >= delay) stale |= (uint32_t)1 << index;
    }
    return stale;
}

// Neighbours go back in one call.
static bool purge_stale(superslab_t *superslab, uint32_t stale)
{
    bool any = false;
    while (stale != 0) {
        unsigned first = (unsigned)__builtin_ctz(stale);
        uint64_t beyond = ~((uint64_t)stale >> first); // a bit beyond the highest page ends the row
        unsigned count = (unsigned)__builtin_ctzll(beyond);
        uint32_t row = row_at(first, count);
        stale &= ~row;
        if (!purge(superslab, superslab->start + first * HAK_PAGE, count * HAK_PAGE)) continue;
        superslab->dirty &= ~row;
        pool.dirty_pages -= count;
        any = true;
    }
    return any;
}

static bool return_stale(superslab_t *superslab, uint32_t now, uint32_t delay)
{
    uint32_t stale = stale_pages(superslab, now, delay);
    if (superslab->free != superslab->all || stale != superslab->dirty) return purge_stale(superslab, stale);
    unmap_superslab(superslab);
    return true;
}

bool shared_pool_return(uint32_t now, uint32_t delay)
{
    bool any = false;
    pool_lock();
    for (unsigned rank = 0; rank < RANKS; rank++)
        for (superslab_t *superslab = pool.with_free[rank], *next; superslab != NULL; superslab = next) {
            next = superslab->next;
            if (return_stale(superslab, now, delay)) any = true;
        }
    os_unlock(&pool.lock);
    return any;
}

shared_pool_usage_t shared_pool_usage(void)
{
    pool_lock();
    shared_pool_usage_t usage = {pool.superslabs, pool.pages, pool.pages_used, pool.dirty_pages};
    os_unlock(&pool.lock);
    return usage;
}

void shared_pool_before_fork(void)
{
    os_lock(&pool.lock);
}

void shared_pool_after_fork(void)
{
    os_unlock(&pool.lock);
}
