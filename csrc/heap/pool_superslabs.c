// The superslabs of the shared pool: each is in one list while it has a free page.
#include "heap/pool_superslabs.h"

#include "debug/messages.h"
#include "hardened/canary.h"
#include "heap/large.h"
#include "os/os.h"

pool_t hak_pool;

void pool_lock(void)
{
#if HAKMEM_DEBUG_OUTPUT
    if (!os_try_lock(&hak_pool.lock)) {
        os_lock(&hak_pool.lock);
        hak_pool.contended++;
    }
    if (UNLIKELY(hak_debug_on) && ((hak_pool.takes + hak_pool.gives) & 1023) == 1023)
        hak_debug_print("[hakmem:shared_pool.lock] %llu taken, %llu given, %llu times contended\n",
                        (unsigned long long)hak_pool.takes, (unsigned long long)hak_pool.gives,
                        (unsigned long long)hak_pool.contended);
#else
    os_lock(&hak_pool.lock);
#endif
}

// ---- lists

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
    superslab->next = hak_pool.with_free[list];
    if (superslab->next != NULL) superslab->next->previous = superslab;
    else hak_pool.last[list] = superslab;
    hak_pool.with_free[list] = superslab;
}

void pool_unlist(superslab_t *superslab)
{
    if (superslab->list < 0) return;
    if (superslab->previous != NULL) superslab->previous->next = superslab->next;
    else hak_pool.with_free[superslab->list] = superslab->next;
    if (superslab->next != NULL) superslab->next->previous = superslab->previous;
    else hak_pool.last[superslab->list] = superslab->previous;
    if (hak_pool.cursor[superslab->list] == superslab) hak_pool.cursor[superslab->list] = superslab->previous;
}

// Called after a change of its free pages.
void pool_relist(superslab_t *superslab)
{
    int list = list_of(superslab);
    if (list == superslab->list) return;
    pool_unlist(superslab);
    list_add(superslab, list);
}

// ---- records and notes

static superslab_t *new_record(void)
{
    superslab_t *record = hak_pool.unused;
    if (record == NULL) return os_metadata(sizeof *record);
    hak_pool.unused = record->next;
    return record;
}

void pool_drop(superslab_t *record)
{
    record->next = hak_pool.unused;
    hak_pool.unused = record;
}

// Per page: one bit for each block that it may have.
#define BLOCKS_A_PAGE (HAK_PAGE / TINY_MIN_ALIGN)
#define REMOTE_BYTES (TINY_REMOTES_A_PAGE * sizeof(tiny_remote_t))
#define DOUBTED_BYTES (BLOCKS_A_PAGE / 8)

#if TINY_CHECKS >= TINY_CHECKS_FULL

// Picks a page at random, so that the next page cannot be predicted.
unsigned pool_pick(uint32_t pages)
{
    for (unsigned before = tiny_draw(&hak_pool.random) % (unsigned)__builtin_popcount(pages); before > 0;
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

bool pool_has_notes_for(const superslab_t *superslab, size_t class, unsigned rank)
{
    return noted_blocks(superslab) >= blocks_of(class, rank);
}

#define ASKED_BYTES sizeof(uint16_t) // of a block
#else

unsigned pool_pick(uint32_t pages)
{
    return (unsigned)__builtin_ctz(pages);
}

static size_t noted_blocks(const superslab_t *superslab)
{
    (void)superslab;
    return BLOCKS_A_PAGE;
}

bool pool_has_notes_for(const superslab_t *superslab, size_t class, unsigned rank)
{
    (void)superslab;
    (void)class;
    (void)rank;
    return true;
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
    return hak_round_up(pages_of(superslab) * (page_notes_bytes(superslab) + REMOTE_BYTES + DOUBTED_BYTES),
                        OS_PAGE);
}

static bool map_notes(superslab_t *superslab)
{
    superslab->notes = os_map(notes_bytes(superslab), OS_PAGE);
    if (superslab->notes == NULL) return false;
    size_t bytes = page_notes_bytes(superslab);
    // Each kind begins where the more usual one ends: those for blocks that other threads free are touched only if there
    // are such blocks, and last those for doubted ones.
    tiny_remote_t *remote = (void *)(superslab->notes + pages_of(superslab) * bytes);
    char *doubted = superslab->notes + pages_of(superslab) * (bytes + REMOTE_BYTES);
    for (unsigned i = 0; i < pages_of(superslab); i++) {
        tiny_slab_t *record = tiny_registry_record(superslab->start + i * HAK_PAGE);
        char *notes = superslab->notes + i * bytes;
        record->free = (void *)notes;
        record->remote = &remote[i * TINY_REMOTES_A_PAGE];
        record->doubted = (void *)(doubted + i * DOUBTED_BYTES);
#if TINY_CHECKS >= TINY_CHECKS_FULL
        record->asked = (void *)(notes + noted_blocks(superslab) / 8);
#endif
    }
    return true;
}

// Without guards: if the system refuses to unmap them, they are used again without a call.
static void unmap_notes(const superslab_t *superslab)
{
    os_unmap_guarded(superslab->notes, notes_bytes(superslab), 0);
}

// ---- addresses

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
    if (hak_pool.reserved == 0) {
        if (has_few_addresses()) return NULL;
        char *start = os_map_hidden(RESERVED_SUPERSLABS * SUPERSLAB_SIZE, SUPERSLAB_SIZE, CANARY_GUARD);
        if (start == NULL) return NULL;
        hak_pool.reservation = start;
        hak_pool.reserved = row_at(0, RESERVED_SUPERSLABS);
    }
    unsigned index = pool_pick(hak_pool.reserved);
    hak_pool.reserved &= ~((uint32_t)1 << index);
    return hak_pool.reservation + index * SUPERSLAB_SIZE;
}

static void put_back_reserved(const char *start)
{
    hak_pool.reserved |= (uint32_t)1 << (size_t)(start - hak_pool.reservation) / SUPERSLAB_SIZE;
}

bool pool_is_reserved(const superslab_t *superslab)
{
    return superslab->reserved;
}

static void set_reserved(superslab_t *superslab, bool reserved)
{
    superslab->reserved = reserved;
}

static void set_class(superslab_t *superslab, size_t class, unsigned rank)
{
    superslab->class = (uint8_t)class;
    superslab->rank = (uint8_t)rank;
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

bool pool_is_reserved(const superslab_t *superslab)
{
    (void)superslab;
    return false;
}

static void set_reserved(superslab_t *superslab, bool reserved)
{
    (void)superslab;
    (void)reserved;
}

static void set_class(superslab_t *superslab, size_t class, unsigned rank)
{
    (void)superslab;
    (void)class;
    (void)rank;
}

#endif

// Free memory of large blocks becomes a superslab, so that a program which frees large blocks and then allocates small ones
// needs no more memory, and no new pages.
static char *take_from_large(uint32_t *freed_at)
{
    char *start = large_give_up(SUPERSLAB_SIZE, SUPERSLAB_SIZE, freed_at);
    if (start == NULL || LIKELY(*place_of(start) == 0)) return start;
    os_unmap(start, SUPERSLAB_SIZE);
    return NULL;
}

// Finds addresses for the superslab, and sets what depends on where they are from.
static void place(superslab_t *superslab, unsigned pages)
{
    uint32_t all = row_at(0, pages), freed_at;
    bool whole = pages == SUPERSLAB_PAGES;
    *superslab =
        (superslab_t){.start = whole ? take_reserved() : NULL, .all = all, .free = all, .huge_pages = true};
    set_reserved(superslab, superslab->start != NULL);
    if (superslab->start != NULL) return;
    if (whole) superslab->start = take_from_large(&freed_at);
    if (superslab->start != NULL) {
        superslab->dirty = all;
        for (unsigned i = 0; i < pages; i++) superslab->freed_at[i] = freed_at;
    } else {
        superslab->start = whole ? map_in_free_place() : map_addresses(pages * HAK_PAGE);
    }
}

// `class`, `rank`: of the superslab's slabs, with full checks.
static bool map_pages(superslab_t *superslab, unsigned pages, size_t class, unsigned rank)
{
    size_t size = pages * HAK_PAGE;
    place(superslab, pages);
    char *start = superslab->start;
    if (start == NULL) return false;
    set_class(superslab, class, rank);
    if (tiny_registry_reserve(start, size) && map_notes(superslab)) {
        count_at_place(superslab, +1);
        hak_pool.dirty_pages += (unsigned)__builtin_popcount(superslab->dirty);
        return true;
    }
    if (pool_is_reserved(superslab)) put_back_reserved(start);
    else os_unmap_guarded(start, size, CANARY_GUARD);
    return false;
}

static unsigned pages_to_map(void)
{
    return BY_CLASS && has_few_addresses() ? TINY_SLAB_PAGES_MOST : SUPERSLAB_PAGES;
}

superslab_t *pool_map(unsigned pages, size_t class, bool small_steps)
{
    superslab_t *superslab = new_record();
    if (superslab == NULL) return NULL;
    unsigned rank = (unsigned)__builtin_ctz(pages);
    bool mapped = map_pages(superslab, pages_to_map(), class, rank) ||
                  (small_steps && map_pages(superslab, pages, class, rank));
    if (!mapped) {
        pool_drop(superslab);
        return NULL;
    }
    for (unsigned i = 0; i < pages_of(superslab); i++)
        tiny_registry_record(superslab->start + i * HAK_PAGE)->owner = superslab;
    hak_pool.superslabs++;
    hak_pool.pages += pages_of(superslab);
    list_add(superslab, list_of(superslab));
#if HAKMEM_DEBUG_OUTPUT
    if (UNLIKELY(hak_debug_on))
        hak_debug_print("[hakmem:shared_pool.map] superslab %p, %zu mapped\n", (void *)superslab->start,
                        hak_pool.superslabs);
#endif
    return superslab;
}

// ---- pages

void pool_count_used(ptrdiff_t pages)
{
    hak_pool.pages_used += (size_t)pages;
    if (pages > 0) hak_demand_count(&hak_pool.demand, hak_pool.pages_used * HAK_PAGE);
}

#if TINY_CHECKS >= TINY_CHECKS_FULL

// The slabs of these pages have become inaccessible, or were unmapped.
void pool_count_hidden(superslab_t *superslab, uint32_t pages)
{
    hak_pool.guards -= (unsigned)__builtin_popcount(superslab->guarded & pages);
    hak_pool.seams -= (unsigned)__builtin_popcount(superslab->seams & pages);
    superslab->guarded &= ~pages;
    superslab->seams &= ~pages;
    superslab->given &= ~pages;
    superslab->shown &= ~pages;
}

void pool_count_shown(superslab_t *superslab, unsigned index, unsigned count, bool guarded)
{
    superslab->shown |= row_at(index, count);
    superslab->guarded |= (uint32_t)guarded << (index + count - 1);
    hak_pool.guards += guarded;
}

void pool_count_seam(superslab_t *superslab, unsigned index)
{
    uint32_t seam = (uint32_t)1 << index;
    hak_pool.seams += (superslab->seams & seam) == 0;
    superslab->seams |= seam;
}

// Makes a slab's pages accessible, except for the guard at its end. False: no memory is available. Pages that another class
// lends may have guards elsewhere.
bool pool_show(superslab_t *superslab, unsigned index, unsigned count)
{
    uint32_t row = row_at(index, count), last = (uint32_t)1 << (index + count - 1);
    if ((superslab->shown & row) == row && (superslab->guarded & row & ~last) == 0) return true;
    bool guarded =
        canary_slab_guard() > 0 && hak_pool.guards < SHARED_POOL_GUARDS && !os_mappings_are_scarce();
    size_t guard = guarded ? canary_slab_guard() : 0, bytes = count * HAK_PAGE - guard;
    char *start = superslab->start + index * HAK_PAGE;
    bool hides = guard > 0 && (superslab->shown & row) != 0;
    if (!os_show(start, bytes)) return false;
    pool_count_hidden(superslab, row); // earlier guards within the row are gone
    if (hides && !os_hide(start + bytes, guard)) return false;
    pool_count_shown(superslab, index, count, guarded);
    return true;
}

#else

bool pool_show(superslab_t *superslab, unsigned index, unsigned count)
{
    (void)superslab;
    (void)index;
    (void)count;
    return true;
}

void pool_count_hidden(superslab_t *superslab, uint32_t pages)
{
    (void)superslab;
    (void)pages;
}

#endif

// ---- the end of a superslab

// The release that tiny_registry_reserve acquires: the next owner of these addresses writes to their records.
static void let_go_of_records(const superslab_t *superslab)
{
    for (unsigned i = 0; i < pages_of(superslab); i++) tiny_registry_set(superslab->start + i * HAK_PAGE, 0);
}

void pool_let_go(superslab_t *superslab)
{
    hak_pool.superslabs--;
    hak_pool.pages -= pages_of(superslab);
#if HAKMEM_DEBUG_OUTPUT
    if (UNLIKELY(hak_debug_on))
        hak_debug_print("[hakmem:shared_pool.unmap] superslab %p, %zu mapped\n", (void *)superslab->start,
                        hak_pool.superslabs);
#endif
    pool_unlist(superslab);
#if TINY_CHECKS >= TINY_CHECKS_FULL
    if (hak_pool.given_by == superslab) hak_pool.given_by = NULL;
#endif
    pool_count_hidden(superslab, superslab->all);
    let_go_of_records(superslab);
    count_at_place(superslab, -1);
}

void pool_unmap(const superslab_t *superslab)
{
    unmap_notes(superslab);
    os_unmap_guarded(superslab->start, pages_of(superslab) * HAK_PAGE, CANARY_GUARD);
}
