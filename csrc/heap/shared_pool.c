// Shared pool: gives pages of superslabs to heaps, under one lock.
#include "heap/shared_pool.h"

#include "debug/messages.h"
#include "hardened/canary.h"
#include "heap/decay.h"
#include "heap/demand.h"
#include "os/die.h"
#include "os/lock.h"
#include "os/os.h"
#include "registry/tiny_registry.h"

#define SUPERSLAB_SIZE SHARED_POOL_SUPERSLAB
#define SUPERSLAB_PAGES ((unsigned)(SUPERSLAB_SIZE / HAK_PAGE))
#define ALL_PAGES UINT32_MAX

// Per page: one bit for each block that it may have.
#define BLOCKS_A_PAGE (HAK_PAGE / TINY_MIN_ALIGN)
#define FREE_BYTES (BLOCKS_A_PAGE / 8)
#define REMOTE_BYTES (TINY_REMOTES_A_PAGE * sizeof(tiny_remote_t))

// Always cached, if a program frees as much; more after a peak, see demand.h.
#define KEPT_BYTES ((size_t)16 << 20)

// Per hold of the lock: superslabs whose memory is returned to the system, and superslabs that are checked.
#define PURGED_SUPERSLABS 16u
#define LOOKED_SUPERSLABS 256u
#define CLEAN_PAGES_A_LOOK 32u // clean pages taken before other pools are asked to make room

typedef struct superslab {
    char *start;
    char *notes;    // per-block data stored apart from the blocks, NOTES bytes per page
    uint32_t all;   // one bit per page that it has, from the lowest on
    uint32_t free;  // a subset of `all`
    uint32_t dirty; // a subset of `free`
    uint32_t freed_at[SUPERSLAB_PAGES]; // of the dirty pages, by os_clock_ms
    bool huge_pages; // the kernel may use huge pages for it
    int8_t rank; // the list that it is in; -1: no page is free
    struct superslab *next;
    struct superslab *previous;
} superslab_t;

// A superslab's rank: its longest row of free pages that is aligned to its own length has 2^rank pages.
#define RANKS 4u // the longest requested row has eight pages
_Static_assert(1u << (RANKS - 1) == TINY_SLAB_PAGES_MOST, "a rank for each length of a slab");

static struct {
    os_lock_t lock;
    superslab_t
        *with_free[RANKS]; // superslabs with a free page, by rank; those with dirty pages tend to be in front
    superslab_t *last[RANKS];
    superslab_t *cursor[RANKS]; // the next superslab to be checked; NULL: the last one
    superslab_t *unused; // records without a mapping
    size_t superslabs;
    size_t pages; // of all superslabs
    size_t pages_used;
    size_t dirty_pages;
    unsigned clean_taken; // since other pools were last asked to make room
    hak_demand_t demand;
#if TINY_CHECKS >= TINY_CHECKS_FULL
    uint64_t random; // the state of the pool's random numbers
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

// Returns one bit for the first page of each row of 2^rank pages within `pages` that is aligned to its length.
static uint32_t rows_of(uint32_t pages, unsigned rank)
{
    static const uint32_t aligned[RANKS] = {ALL_PAGES, 0x55555555, 0x11111111, 0x01010101};
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
    else pool.last[rank] = superslab;
    pool.with_free[rank] = superslab;
}

static void list_remove(superslab_t *superslab)
{
    if (superslab->rank < 0) return;
    if (superslab->previous != NULL) superslab->previous->next = superslab->next;
    else pool.with_free[superslab->rank] = superslab->next;
    if (superslab->next != NULL) superslab->next->previous = superslab->previous;
    else pool.last[superslab->rank] = superslab->previous;
    if (pool.cursor[superslab->rank] == superslab) pool.cursor[superslab->rank] = superslab->previous;
}

// Called after a change of its free pages.
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

// Picks a page at random, so that the next page cannot be predicted.
static unsigned pick(uint32_t pages)
{
    for (unsigned before = tiny_draw(&pool.random) % (unsigned)__builtin_popcount(pages); before > 0;
         before--)
        pages &= pages - 1;
    return (unsigned)__builtin_ctz(pages);
}

#define ASKED_BYTES (BLOCKS_A_PAGE * sizeof(uint16_t))
#else

static unsigned pick(uint32_t pages)
{
    return (unsigned)__builtin_ctz(pages);
}

#define ASKED_BYTES ((size_t)0)
#endif

static size_t notes_bytes(const superslab_t *superslab)
{
    return hak_round_up(pages_of(superslab) * (FREE_BYTES + ASKED_BYTES + REMOTE_BYTES), OS_PAGE);
}

static bool map_notes(superslab_t *superslab)
{
    superslab->notes = os_map(notes_bytes(superslab), OS_PAGE);
    if (superslab->notes == NULL) return false;
    // Those that other threads write come last: they are touched only if blocks are freed by other threads.
    tiny_remote_t *remote = (void *)(superslab->notes + pages_of(superslab) * (FREE_BYTES + ASKED_BYTES));
    for (unsigned i = 0; i < pages_of(superslab); i++) {
        tiny_slab_t *record = tiny_registry_record(superslab->start + i * HAK_PAGE);
        char *notes = superslab->notes + i * (FREE_BYTES + ASKED_BYTES);
        record->free = (void *)notes;
        record->remote = &remote[i * TINY_REMOTES_A_PAGE];
#if TINY_CHECKS >= TINY_CHECKS_FULL
        record->asked = (void *)(notes + FREE_BYTES);
#endif
    }
    return true;
}

static void unmap_notes(const superslab_t *superslab)
{
    os_unmap(superslab->notes, notes_bytes(superslab));
}

// Two superslabs share tag map entries if their addresses are equal modulo the map's reach. The one that was tagged
// first then loses its fast path. So superslabs are counted per place in the map, and a place in use is avoided.
#define PLACES ((size_t)1 << TINY_TAG_MAP_BITS >> 5)
_Static_assert(PLACES << 5 == (size_t)1 << TINY_TAG_MAP_BITS && SUPERSLAB_PAGES == 1 << 5,
               "a place a superslab");
static uint8_t at_place[PLACES]; // saturates at 255

static uint8_t *place_of(const char *start)
{
    return &at_place[(uintptr_t)start / SUPERSLAB_SIZE % PLACES];
}

#define PLACES_TRIED 8

// Refused mappings are unmapped only after a free place is found: otherwise the kernel would return the same addresses
// again.
static char *map_in_free_place(void)
{
    char *refused[PLACES_TRIED], *start = NULL;
    unsigned count = 0;
    for (;;) {
        start = os_map_guarded(SUPERSLAB_SIZE, SUPERSLAB_SIZE, CANARY_GUARD);
        if (start == NULL || LIKELY(*place_of(start) == 0) || count == PLACES_TRIED) break;
        refused[count++] = start;
    }
    if (start == NULL && count > 0) start = refused[--count];
    while (count > 0) os_unmap_guarded(refused[--count], SUPERSLAB_SIZE, CANARY_GUARD);
    return start;
}

// `change`: +1 for a new superslab, -1 for one that is unmapped. Small ones are not counted.
static void count_at_place(const superslab_t *superslab, int change)
{
    uint8_t *place = place_of(superslab->start);
    if (superslab->all == ALL_PAGES && *place < UINT8_MAX) *place = (uint8_t)(*place + change);
}

static bool map_pages(superslab_t *superslab, unsigned pages)
{
    size_t size = pages * HAK_PAGE;
    char *start = pages == SUPERSLAB_PAGES ? map_in_free_place() : os_map_guarded(size, size, CANARY_GUARD);
    if (start == NULL) return false;
    uint32_t all = row_at(0, pages);
    *superslab = (superslab_t){.start = start, .all = all, .free = all, .huge_pages = true};
    if (tiny_registry_reserve(start, size) && map_notes(superslab)) {
        count_at_place(superslab, +1);
        return true;
    }
    os_unmap_guarded(start, size, CANARY_GUARD);
    return false;
}

HAK_TLS bool shared_pool_in_small_steps;

static hak_pool_usage_t usage_for_decay(void)
{
    shared_pool_usage_t usage = shared_pool_usage();
    return (hak_pool_usage_t){usage.pages_used * HAK_PAGE, usage.dirty_pages * HAK_PAGE};
}

static superslab_t *map_superslab(unsigned least_pages)
{
    static const hak_decay_pool_t functions = {usage_for_decay, shared_pool_return};
    hak_decay_register_pool(HAK_POOL_SLABS, &functions);
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
    list_add(superslab, rank_of(superslab));
#if HAKMEM_DEBUG_OUTPUT
    if (UNLIKELY(hak_debug_on))
        hak_debug_print("[hakmem:shared_pool.map] superslab %p, %zu mapped\n", (void *)superslab->start,
                        pool.superslabs);
#endif
    return superslab;
}

static void count_used(ptrdiff_t pages)
{
    pool.pages_used += (size_t)pages;
    if (pages > 0) hak_demand_count(&pool.demand, pool.pages_used * HAK_PAGE);
}

// Prefers dirty pages, whose memory is present already.
static char *take_row(superslab_t *superslab, unsigned rank)
{
    uint32_t dirty = rows_of(superslab->dirty, rank);
    unsigned index = pick(dirty != 0 ? dirty : rows_of(superslab->free, rank));
    uint32_t row = row_at(index, 1u << rank);
    unsigned clean = (unsigned)__builtin_popcount(row & ~superslab->dirty);
    pool.dirty_pages -= (1u << rank) - clean;
    pool.clean_taken += clean;
    superslab->free &= ~row;
    superslab->dirty &= ~row;
    relist(superslab);
    count_used((ptrdiff_t)1 << rank);
    return superslab->start + index * HAK_PAGE;
}

// Finds a superslab with a dirty row, among the first few with free rows of each length.
static superslab_t *find_dirty(unsigned rank)
{
    enum { LOOKS = 8 };
    if (pool.dirty_pages >> rank == 0) return NULL;
    for (unsigned longer = rank; longer < RANKS; longer++) {
        superslab_t *superslab = pool.with_free[longer];
        for (unsigned looks = LOOKS; looks > 0 && superslab != NULL; looks--, superslab = superslab->next)
            if (rows_of(superslab->dirty, rank) != 0) return superslab;
    }
    return NULL;
}

// Prefers a superslab with a dirty row, then one without longer rows than needed.
static superslab_t *find_superslab(unsigned rank)
{
    superslab_t *dirty = find_dirty(rank);
    if (dirty != NULL) return dirty;
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
    bool wants_room = pool.clean_taken >= CLEAN_PAGES_A_LOOK;
    if (wants_room) pool.clean_taken = 0;
#if HAKMEM_DEBUG_OUTPUT
    pool.takes++;
#endif
    os_unlock(&pool.lock);
    if (UNLIKELY(wants_room)) hak_decay_make_room(HAK_POOL_SLABS, CLEAN_PAGES_A_LOOK * HAK_PAGE);
    return page;
}

void *shared_pool_take_present(unsigned pages)
{
    unsigned rank = (unsigned)__builtin_ctz(pages);
    pool_lock();
    superslab_t *superslab = find_dirty(rank);
    char *page = superslab != NULL ? take_row(superslab, rank) : NULL;
    os_unlock(&pool.lock);
    return page;
}

static bool is_surplus(void)
{
    return pool.dirty_pages * HAK_PAGE >
           hak_demand_keeps(&pool.demand, pool.pages_used * HAK_PAGE, KEPT_BYTES);
}

void shared_pool_give(void *page, unsigned pages)
{
    enum { STEP_BYTES = 4 << 20 };
    uint32_t now = os_clock_ms();
    pool_lock();
    superslab_t *superslab = tiny_registry_record(page)->owner;
    unsigned index = (unsigned)((size_t)((char *)page - superslab->start) / HAK_PAGE);
    uint32_t row = row_at(index, pages);
    HAK_CHECK((superslab->free & row) == 0, "page given to the pool twice", page);
    superslab->free |= row;
    superslab->dirty |= row;
    pool.dirty_pages += pages;
    for (unsigned i = 0; i < pages; i++) superslab->freed_at[index + i] = now;
    relist(superslab);
    count_used(-(ptrdiff_t)pages);
    bool surplus = is_surplus();
#if HAKMEM_DEBUG_OUTPUT
    pool.gives++;
#endif
    os_unlock(&pool.lock);
    if (UNLIKELY(surplus)) shared_pool_return(STEP_BYTES, now, (uint32_t)TINY_OPTION_DECAY_MS);
}

bool shared_pool_purge(void *start, size_t bytes)
{
    superslab_t *superslab = tiny_registry_record(start)->owner;
    pool_lock();
    bool huge_pages = superslab->huge_pages;
    superslab->huge_pages = false;
    os_unlock(&pool.lock);
    if (huge_pages) os_no_huge_pages(superslab->start, pages_of(superslab) * HAK_PAGE);
    return os_purge(start, bytes);
}

// ---- returning memory to the system; outside the lock, while the pages count as used

typedef struct purge {
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

// The release that tiny_registry_reserve acquires: the next owner of these addresses writes to their records.
static void let_go_of_records(const superslab_t *superslab)
{
    for (unsigned i = 0; i < pages_of(superslab); i++) tiny_registry_set(superslab->start + i * HAK_PAGE, 0);
}

static void isolate_whole(purge_t *purge, superslab_t *superslab)
{
    pool.superslabs--;
    pool.pages -= pages_of(superslab);
#if HAKMEM_DEBUG_OUTPUT
    if (UNLIKELY(hak_debug_on))
        hak_debug_print("[hakmem:shared_pool.unmap] superslab %p, %zu mapped\n", (void *)superslab->start,
                        pool.superslabs);
#endif
    list_remove(superslab);
    let_go_of_records(superslab);
    count_at_place(superslab, -1);
    superslab->next = purge->unmapped;
    purge->unmapped = superslab;
}

static void isolate(purge_t *purge, superslab_t *superslab, uint32_t pages)
{
    unsigned count = (unsigned)__builtin_popcount(pages);
    purge->pages += count;
    pool.dirty_pages -= count;
    superslab->dirty &= ~pages;
    if (superslab->free == superslab->all && superslab->dirty == 0) {
        isolate_whole(purge, superslab);
        return;
    }
    superslab->free &= ~pages;
    relist(superslab);
    pool.pages_used += count;
    purge->part[purge->count].superslab = superslab;
    purge->part[purge->count].pages = pages;
    purge->part[purge->count].kept = 0;
    purge->part[purge->count++].huge_pages = superslab->huge_pages;
    superslab->huge_pages = false;
}

// Checks superslabs in turn, beginning with the one whose rank has been unchanged the longest. A free superslab is
// unmapped as a whole, even if it holds no memory.
static void isolate_of_rank(purge_t *purge, unsigned rank, size_t most, uint32_t now, uint32_t delay)
{
    for (unsigned looks = LOOKED_SUPERSLABS; looks > 0; looks--) {
        if (purge->count == PURGED_SUPERSLABS || purge->pages * HAK_PAGE >= most) return;
        superslab_t *superslab = pool.cursor[rank] != NULL ? pool.cursor[rank] : pool.last[rank];
        if (superslab == NULL) return;
        pool.cursor[rank] = superslab->previous;
        uint32_t pages = is_surplus() ? superslab->dirty : stale_pages(superslab, now, delay);
        bool is_free = superslab->free == superslab->all && superslab->dirty == pages;
        if (pages != 0 || is_free) isolate(purge, superslab, pages);
        if (pool.cursor[rank] == NULL) return; // all have been checked
    }
}

// Purges adjacent pages with one call.
static void purge_part(purge_t *purge, unsigned i)
{
    superslab_t *superslab = purge->part[i].superslab;
    if (purge->part[i].huge_pages) os_no_huge_pages(superslab->start, pages_of(superslab) * HAK_PAGE);
    for (uint32_t left = purge->part[i].pages; left != 0;) {
        unsigned first = (unsigned)__builtin_ctz(left);
        unsigned count = (unsigned)__builtin_ctzll(
            ~((uint64_t)left >> first)); // a bit above the highest page ends the row
        uint32_t row = row_at(first, count);
        left &= ~row;
        if (os_purge(superslab->start + first * HAK_PAGE, count * HAK_PAGE)) purge->gone += count * HAK_PAGE;
        else purge->part[i].kept |= row;
    }
}

static void unmap_all(purge_t *purge)
{
    for (superslab_t *superslab = purge->unmapped; superslab != NULL; superslab = superslab->next) {
        unmap_notes(superslab);
        size_t size = pages_of(superslab) * HAK_PAGE;
        os_unmap_guarded(superslab->start, size, CANARY_GUARD);
        purge->gone += size;
    }
}

static void end_isolation(purge_t *purge, uint32_t now)
{
    for (unsigned i = 0; i < purge->count; i++) {
        superslab_t *superslab = purge->part[i].superslab;
        uint32_t kept = purge->part[i].kept;
        superslab->free |= purge->part[i].pages;
        superslab->dirty |= kept;
        pool.dirty_pages += (unsigned)__builtin_popcount(kept);
        for (; kept != 0; kept &= kept - 1) superslab->freed_at[__builtin_ctz(kept)] = now;
        relist(superslab);
        count_used(-(ptrdiff_t)__builtin_popcount(purge->part[i].pages));
    }
    for (superslab_t *superslab = purge->unmapped, *next; superslab != NULL; superslab = next) {
        next = superslab->next;
        drop_record(superslab);
    }
}

static size_t purge_oldest(size_t most, uint32_t now, uint32_t delay)
{
    purge_t purge = {.count = 0};
    pool_lock();
    hak_demand_look(&pool.demand, pool.pages_used * HAK_PAGE, now);
    for (unsigned rank = RANKS; rank-- > 0;) isolate_of_rank(&purge, rank, most, now, delay);
    os_unlock(&pool.lock);
    if (purge.count == 0 && purge.unmapped == NULL) return 0;
    for (unsigned i = 0; i < purge.count; i++) purge_part(&purge, i);
    unmap_all(&purge);
    pool_lock();
    end_isolation(&purge, now);
    os_unlock(&pool.lock);
    return purge.gone;
}

// A pass may begin in the middle of the lists and find nothing in the rest of them; so an unlimited request makes two
// passes in vain before it ends.
size_t shared_pool_return(size_t most, uint32_t now, uint32_t delay)
{
    size_t bytes = 0, step;
    unsigned in_vain = 0;
    do {
        bytes += step = purge_oldest(most - bytes, now, delay);
        in_vain = step > 0 ? 0 : in_vain + 1;
    } while (bytes < most && in_vain < (most == SIZE_MAX ? 2u : 1u));
    return bytes;
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
