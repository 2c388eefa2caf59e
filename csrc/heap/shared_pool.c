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
#define REMOTE_BYTES (TINY_REMOTES_A_PAGE * sizeof(tiny_remote_t))

// Always cached, if a program frees as much; more after a peak, see demand.h.
#define KEPT_BYTES ((size_t)16 << 20)

// Per hold of the lock: superslabs whose memory is returned to the system, and superslabs that are checked.
#define PURGED_SUPERSLABS 16u
#define LOOKED_SUPERSLABS 256u
#define STEP_BYTES ((size_t)4 << 20) // returned at a time by a call that finds more free than is kept
#define CLEAN_PAGES_A_LOOK 32u // clean pages taken before other pools are asked to make room

#define BY_CLASS (TINY_CHECKS >= TINY_CHECKS_FULL)

typedef struct superslab {
    char *start;
    char *notes;    // per-block data stored apart from the blocks, NOTES bytes per page
    uint32_t all;   // one bit per page that it has, from the lowest on
    uint32_t free;  // a subset of `all`
    uint32_t dirty; // a subset of `free`
    uint32_t freed_at[SUPERSLAB_PAGES]; // of the dirty pages, by os_clock_ms
    bool huge_pages; // the kernel may use huge pages for it
    int8_t list; // the list that it is in; -1: no page is free
#if TINY_CHECKS >= TINY_CHECKS_FULL
    uint8_t class;
    uint8_t rank; // of the class's slabs
    uint32_t shown; // pages that are accessible, except for the guards of their slabs
    uint32_t guarded; // pages that end with a guard
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

static struct {
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
    char *reservation;
    uint32_t reserved; // one bit for each superslab of the reservation that is not used yet
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

static int list_of(const superslab_t *superslab)
{
#if TINY_CHECKS >= TINY_CHECKS_FULL
    return rows_of(superslab->free, superslab->rank) != 0 ? superslab->class : -1;
#else
    int rank = (int)RANKS - 1;
    while (rank >= 0 && rows_of(superslab->free, (unsigned)rank) == 0) rank--;
    return rank;
#endif
}

static void list_add(superslab_t *superslab, int list)
{
    superslab->list = (int8_t)list;
    superslab->previous = NULL;
    if (list < 0) return;
    superslab->next = pool.with_free[list];
    if (superslab->next != NULL) superslab->next->previous = superslab;
    else pool.last[list] = superslab;
    pool.with_free[list] = superslab;
}

static void list_remove(superslab_t *superslab)
{
    if (superslab->list < 0) return;
    if (superslab->previous != NULL) superslab->previous->next = superslab->next;
    else pool.with_free[superslab->list] = superslab->next;
    if (superslab->next != NULL) superslab->next->previous = superslab->previous;
    else pool.last[superslab->list] = superslab->previous;
    if (pool.cursor[superslab->list] == superslab) pool.cursor[superslab->list] = superslab->previous;
}

// Called after a change of its free pages.
static void relist(superslab_t *superslab)
{
    int list = list_of(superslab);
    if (list == superslab->list) return;
    list_remove(superslab);
    list_add(superslab, list);
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

// Returns the number of blocks of a slab, rounded up to whole words of bits.
static size_t blocks_of(size_t class, unsigned rank)
{
    return hak_round_up((HAK_PAGE << rank) / tiny_class_size[class] + 1, 64);
}

// The first page of a slab has the notes of all its blocks. Their number is known, as the class is.
static size_t noted_blocks(const superslab_t *superslab)
{
    return blocks_of(superslab->class, superslab->rank);
}

#define ASKED_BYTES sizeof(uint16_t) // of a block
#else

static unsigned pick(uint32_t pages)
{
    return (unsigned)__builtin_ctz(pages);
}

static size_t noted_blocks(const superslab_t *superslab)
{
    (void)superslab;
    return BLOCKS_A_PAGE;
}

#define ASKED_BYTES ((size_t)0)
#endif

// Returns the bytes of a page's notes, without those that other threads write.
static size_t page_notes_bytes(const superslab_t *superslab)
{
    size_t blocks = noted_blocks(superslab);
    return hak_round_up(blocks / 8 + blocks * ASKED_BYTES, 64);
}

static size_t notes_bytes(const superslab_t *superslab)
{
    return hak_round_up(pages_of(superslab) * (page_notes_bytes(superslab) + REMOTE_BYTES), OS_PAGE);
}

static bool map_notes(superslab_t *superslab)
{
    superslab->notes = os_map(notes_bytes(superslab), OS_PAGE);
    if (superslab->notes == NULL) return false;
    size_t bytes = page_notes_bytes(superslab);
    // Those that other threads write come last: they are touched only if blocks are freed by other threads.
    tiny_remote_t *remote = (void *)(superslab->notes + pages_of(superslab) * bytes);
    for (unsigned i = 0; i < pages_of(superslab); i++) {
        tiny_slab_t *record = tiny_registry_record(superslab->start + i * HAK_PAGE);
        char *notes = superslab->notes + i * bytes;
        record->free = (void *)notes;
        record->remote = &remote[i * TINY_REMOTES_A_PAGE];
#if TINY_CHECKS >= TINY_CHECKS_FULL
        record->asked = (void *)(notes + noted_blocks(superslab) / 8);
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

// With full checks, pages are inaccessible until they become a slab.
static char *map_addresses(size_t size)
{
    return BY_CLASS ? os_map_hidden(size, size, CANARY_GUARD) : os_map_guarded(size, size, CANARY_GUARD);
}

// Refused mappings are unmapped only after a free place is found: otherwise the kernel would return the same addresses
// again.
static char *map_in_free_place(void)
{
    char *refused[PLACES_TRIED], *start = NULL;
    unsigned count = 0;
    for (;;) {
        start = map_addresses(SUPERSLAB_SIZE);
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

// Where addresses are limited, a class gets fewer of them at a time, and returns them.
static bool has_few_addresses(void)
{
    return os_address_limit() < SIZE_MAX;
}

#if TINY_CHECKS >= TINY_CHECKS_FULL

// reservation: inaccessible addresses of several superslabs, which classes take at random and keep for good.
#define RESERVED_SUPERSLABS 16u

static char *take_reserved(void)
{
    if (pool.reserved == 0) {
        if (has_few_addresses()) return NULL;
        char *start = os_map_hidden(RESERVED_SUPERSLABS * SUPERSLAB_SIZE, SUPERSLAB_SIZE, CANARY_GUARD);
        if (start == NULL) return NULL;
        pool.reservation = start;
        pool.reserved = row_at(0, RESERVED_SUPERSLABS);
    }
    unsigned index = pick(pool.reserved);
    pool.reserved &= ~((uint32_t)1 << index);
    return pool.reservation + index * SUPERSLAB_SIZE;
}

static void put_back_reserved(const char *start)
{
    pool.reserved |= (uint32_t)1 << (size_t)(start - pool.reservation) / SUPERSLAB_SIZE;
}

static bool is_reserved(const superslab_t *superslab)
{
    return superslab->reserved;
}

static void set_class(superslab_t *superslab, size_t class, unsigned rank, bool reserved)
{
    superslab->class = (uint8_t)class;
    superslab->rank = (uint8_t)rank;
    superslab->reserved = reserved;
}

#else

static char *take_reserved(void)
{
    return NULL;
}

static void put_back_reserved(const char *start)
{
    (void)start;
}

static bool is_reserved(const superslab_t *superslab)
{
    (void)superslab;
    return false;
}

static void set_class(superslab_t *superslab, size_t class, unsigned rank, bool reserved)
{
    (void)superslab;
    (void)class;
    (void)rank;
    (void)reserved;
}

#endif

static char *map_start(unsigned pages, bool *reserved)
{
    char *start = pages == SUPERSLAB_PAGES ? take_reserved() : NULL;
    *reserved = start != NULL;
    if (start != NULL) return start;
    return pages == SUPERSLAB_PAGES ? map_in_free_place() : map_addresses(pages * HAK_PAGE);
}

// `class`, `rank`: of the superslab's slabs, with full checks.
static bool map_pages(superslab_t *superslab, unsigned pages, size_t class, unsigned rank)
{
    size_t size = pages * HAK_PAGE;
    bool reserved;
    char *start = map_start(pages, &reserved);
    if (start == NULL) return false;
    uint32_t all = row_at(0, pages);
    *superslab = (superslab_t){.start = start, .all = all, .free = all, .huge_pages = true};
    set_class(superslab, class, rank, reserved);
    if (tiny_registry_reserve(start, size) && map_notes(superslab)) {
        count_at_place(superslab, +1);
        return true;
    }
    if (reserved) put_back_reserved(start);
    else os_unmap_guarded(start, size, CANARY_GUARD);
    return false;
}

HAK_TLS bool shared_pool_in_small_steps;

static hak_pool_usage_t usage_for_decay(void)
{
    shared_pool_usage_t usage = shared_pool_usage();
    return (hak_pool_usage_t){usage.pages_used * HAK_PAGE, usage.dirty_pages * HAK_PAGE};
}

static unsigned pages_to_map(void)
{
    return BY_CLASS && has_few_addresses() ? TINY_SLAB_PAGES_MOST : SUPERSLAB_PAGES;
}

static superslab_t *map_superslab(unsigned least_pages, size_t class)
{
    static const hak_decay_pool_t functions = {usage_for_decay, shared_pool_return};
    hak_decay_register_pool(HAK_POOL_SLABS, &functions);
    superslab_t *superslab = new_record();
    if (superslab == NULL) return NULL;
    unsigned rank = (unsigned)__builtin_ctz(least_pages);
    bool mapped = map_pages(superslab, pages_to_map(), class, rank) ||
                  (shared_pool_in_small_steps && map_pages(superslab, least_pages, class, rank));
    if (!mapped) {
        drop_record(superslab);
        return NULL;
    }
    for (unsigned i = 0; i < pages_of(superslab); i++)
        tiny_registry_record(superslab->start + i * HAK_PAGE)->owner = superslab;
    pool.superslabs++;
    pool.pages += pages_of(superslab);
    list_add(superslab, list_of(superslab));
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

#if TINY_CHECKS >= TINY_CHECKS_FULL

// The slabs of these pages have become inaccessible, or were unmapped.
static void count_hidden(superslab_t *superslab, uint32_t pages)
{
    pool.guards -= (unsigned)__builtin_popcount(superslab->guarded & pages);
    superslab->guarded &= ~pages;
    superslab->shown &= ~pages;
}

// Makes a slab's pages accessible, except for the guard at its end. False: no memory is available. Pages that another class
// lends may have guards elsewhere.
static bool show_row(superslab_t *superslab, unsigned index, unsigned count)
{
    uint32_t row = row_at(index, count), last = (uint32_t)1 << (index + count - 1);
    if ((superslab->shown & row) == row && (superslab->guarded & row & ~last) == 0) return true;
    bool guarded = canary_slab_guard() > 0 && pool.guards < SHARED_POOL_GUARDS && !os_mappings_are_scarce();
    size_t guard = guarded ? canary_slab_guard() : 0, bytes = count * HAK_PAGE - guard;
    char *start = superslab->start + index * HAK_PAGE;
    bool hides = guard > 0 && (superslab->shown & row) != 0;
    if (!os_show(start, bytes) || (hides && !os_hide(start + bytes, guard))) return false;
    count_hidden(superslab, row);
    superslab->shown |= row;
    superslab->guarded |= guarded ? last : 0;
    pool.guards += guarded;
    return true;
}

#else

static bool show_row(superslab_t *superslab, unsigned index, unsigned count)
{
    (void)superslab;
    (void)index;
    (void)count;
    return true;
}

static void count_hidden(superslab_t *superslab, uint32_t pages)
{
    (void)superslab;
    (void)pages;
}

#endif

// Prefers dirty pages, whose memory is present already.
static char *take_row(superslab_t *superslab, unsigned rank)
{
    uint32_t dirty = rows_of(superslab->dirty, rank);
    unsigned index = pick(dirty != 0 ? dirty : rows_of(superslab->free, rank));
    uint32_t row = row_at(index, 1u << rank);
    if (!show_row(superslab, index, 1u << rank)) return NULL;
    unsigned clean = (unsigned)__builtin_popcount(row & ~superslab->dirty);
    pool.dirty_pages -= (1u << rank) - clean;
    pool.clean_taken += clean;
    superslab->free &= ~row;
    superslab->dirty &= ~row;
    relist(superslab);
    count_used((ptrdiff_t)1 << rank);
    return superslab->start + index * HAK_PAGE;
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
    if (pool.dirty_pages >> rank == 0) return NULL;
    for (unsigned list = lists.first; list < lists.end; list++) {
        superslab_t *superslab = pool.with_free[list];
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
        if (pool.with_free[list] != NULL) return pool.with_free[list];
    return NULL;
}

// Returns the bytes of free memory that may stay. `for_others`: with full checks a class cannot use what others have freed, so
// when it takes new memory, free and used memory together stay within the recent peak.
static size_t most_kept(bool for_others)
{
    size_t in_use = pool.pages_used * HAK_PAGE, peak = pool.demand.peak;
    if (for_others) return peak > in_use ? peak - in_use : 0;
    return hak_demand_keeps(&pool.demand, in_use, KEPT_BYTES);
}

static bool is_surplus(bool for_others)
{
    return pool.dirty_pages * HAK_PAGE > most_kept(for_others);
}

// As shared_pool_return; `for_others` as in most_kept.
static size_t return_memory(size_t most, uint32_t now, uint32_t delay, bool for_others);

#if TINY_CHECKS >= TINY_CHECKS_FULL

// Addresses are short: another class, which has notes for as many blocks, lends pages of its own.
static superslab_t *find_in_any_class(unsigned rank, size_t class)
{
    enum { LOOKS = 8 };
    for (unsigned list = 0; list < LISTS; list++) {
        superslab_t *superslab = pool.with_free[list];
        for (unsigned looks = LOOKS; looks > 0 && superslab != NULL; looks--, superslab = superslab->next)
            if (rows_of(superslab->free, rank) != 0 && noted_blocks(superslab) >= blocks_of(class, rank))
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

void *shared_pool_take(unsigned pages, size_t class)
{
    unsigned rank = (unsigned)__builtin_ctz(pages);
    pool_lock();
    unsigned clean_before = pool.clean_taken;
    superslab_t *superslab = find_superslab(rank, lists_for(rank, class));
    if (superslab == NULL) superslab = map_superslab(pages, class);
    if (superslab == NULL) superslab = find_in_any_class(rank, class);
    char *page = superslab != NULL ? take_row(superslab, rank) : NULL;
    bool surplus = BY_CLASS && pool.clean_taken > clean_before && is_surplus(true);
    bool wants_room = pool.clean_taken >= CLEAN_PAGES_A_LOOK;
    if (wants_room) pool.clean_taken = 0;
#if HAKMEM_DEBUG_OUTPUT
    pool.takes++;
#endif
    os_unlock(&pool.lock);
    if (UNLIKELY(surplus)) return_memory(STEP_BYTES, os_clock_ms(), (uint32_t)TINY_OPTION_DECAY_MS, true);
    if (UNLIKELY(wants_room)) hak_decay_make_room(HAK_POOL_SLABS, CLEAN_PAGES_A_LOOK * HAK_PAGE);
    return page;
}

void *shared_pool_take_present(unsigned pages, size_t class)
{
    unsigned rank = (unsigned)__builtin_ctz(pages);
    pool_lock();
    superslab_t *superslab = find_dirty(rank, lists_for(rank, class));
    char *page = superslab != NULL ? take_row(superslab, rank) : NULL;
    os_unlock(&pool.lock);
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
    pool.dirty_pages += pages;
    for (unsigned i = 0; i < pages; i++) superslab->freed_at[index + i] = now;
    relist(superslab);
    count_used(-(ptrdiff_t)pages);
    bool surplus = is_surplus(false);
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
    count_hidden(superslab, superslab->all);
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
    if (superslab->free == superslab->all && superslab->dirty == 0 && !is_reserved(superslab)) {
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

// Checks superslabs in turn, beginning with the one that has been in the list the longest. A free superslab is
// unmapped as a whole, even if it holds no memory.
static void isolate_of_list(purge_t *purge, unsigned list, size_t most, uint32_t now, uint32_t delay)
{
    for (unsigned looks = LOOKED_SUPERSLABS; looks > 0; looks--) {
        if (purge->count == PURGED_SUPERSLABS || purge->pages * HAK_PAGE >= most) return;
        superslab_t *superslab = pool.cursor[list] != NULL ? pool.cursor[list] : pool.last[list];
        if (superslab == NULL) return;
        pool.cursor[list] = superslab->previous;
        uint32_t pages =
            is_surplus(purge->for_others) ? superslab->dirty : stale_pages(superslab, now, delay);
        bool is_free =
            superslab->free == superslab->all && superslab->dirty == pages && !is_reserved(superslab);
        if (pages != 0 || is_free) isolate(purge, superslab, pages);
        if (pool.cursor[list] == NULL) return; // all have been checked
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
        count_hidden(superslab, purge->part[i].pages & ~kept);
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

static size_t purge_oldest(size_t most, uint32_t now, uint32_t delay, bool for_others)
{
    purge_t purge = {.for_others = for_others};
    pool_lock();
    hak_demand_look(&pool.demand, pool.pages_used * HAK_PAGE, now);
    for (unsigned list = LISTS; list-- > 0;) isolate_of_list(&purge, list, most, now, delay);
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
static size_t return_memory(size_t most, uint32_t now, uint32_t delay, bool for_others)
{
    size_t bytes = 0, step;
    unsigned in_vain = 0;
    do {
        bytes += step = purge_oldest(most - bytes, now, delay, for_others);
        in_vain = step > 0 ? 0 : in_vain + 1;
    } while (bytes < most && in_vain < (most == SIZE_MAX ? 2u : 1u));
    return bytes;
}

size_t shared_pool_return(size_t most, uint32_t now, uint32_t delay)
{
    return return_memory(most, now, delay, false);
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
