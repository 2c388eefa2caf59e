// Page arena: good-fit search over segregated lists of free runs, eight lists a doubling, one lock for all.
//
// The lists are those of TLSF (Masmano et al., "TLSF: a New Dynamic Memory Allocator for Real-Time Systems", 2004).
// Memory is returned to the system outside the lock: the run counts as in use meanwhile.
#include "heap/page_arena.h"

#include <string.h>

#include "hardened/canary.h"
#include "debug/debug.h"
#include "heap/decay.h"
#include "heap/demand.h"
#include "os/os.h"
#include "registry/tiny_registry.h"

#define UNIT PAGE_ARENA_UNIT
#define CHUNK_SIZE PAGE_ARENA_CHUNK
#define CHUNK_UNITS ((uint32_t)(CHUNK_SIZE / UNIT))
#define LISTS 105u // list_of(CHUNK_SIZE / 128) + 1, the maximum

// Always cached, if a program frees as much; more after a peak, see demand.h.
#define KEPT_BYTES ((size_t)32 << 20)

// Free runs are grouped by age, into generations of decay_ms / 8 each. Runs shorter than PURGEABLE_UNITS may contain no
// whole page of the MMU and are never purged.
#define GENERATIONS 16u
#define PURGEABLE_UNITS (UNIT >= OS_PAGE ? 1u : 2u * OS_PAGE / UNIT)

// Per hold of the lock: runs that are returned to the system, and runs that are checked.
#define PURGED_RUNS 16u
#define LOOKED_RUNS 256u

#define ALIGNED_LOOKS 4u // runs checked in each list for an aligned address

// A free run is identified by its address. Its data is stored apart from it if units are pages, else in its first unit.
#define APART (UNIT >= PAGE_ARENA_PAGE)

// The age of a free run's memory.
typedef struct run_age {
    uint32_t freed_at; // by os_clock_ms; of the larger part
    uint32_t dirty; // units that may hold memory
} run_age_t;

// Links to other free runs, encoded as a tiny block's links; see tiny_link.h.
typedef struct free_run {
    uintptr_t next; // in its size list
    uintptr_t previous;
    uintptr_t younger; // in its generation; only if is_aged
    uintptr_t older;
    run_age_t age;
    uint8_t generation;
    bool is_aged; // is in a generation
} free_run_t;

enum { RUN_NONE, RUN_OUT, RUN_PARKED };

typedef struct arena_chunk {
    char *start;
    struct arena_chunk *next;
    struct arena_chunk *previous;
    uint32_t units_used;
    bool huge_pages; // the kernel may use huge pages for it
    _Atomic(uint8_t) state[CHUNK_UNITS]; // of the run in use that begins at this unit
    uint64_t free_edge[CHUNK_UNITS / 64]; // a free run begins or ends at this unit
    uint16_t length[CHUNK_UNITS]; // units of the run; at its first unit and, if it is free, also at its last
#if TINY_CHECKS >= TINY_CHECKS_FULL
    uint32_t asked[CHUNK_UNITS]; // at the first unit of an allocated run: requested bytes plus 1
#endif
    free_run_t node[APART ? CHUNK_UNITS : 1];
} arena_chunk_t;

static struct {
    os_lock_t lock;
    arena_chunk_t *chunks;
    char *list[LISTS];
    uint64_t occupied[(LISTS + 63) / 64];
    char *generation[GENERATIONS];
    size_t chunk_count;
    size_t units_used;
    size_t free_runs;
    size_t dirty_units; // of free runs that are in a generation
    size_t clean_taken; // units of chunks mapped since other pools were last asked to make room
    hak_demand_t demand;
#if HAKMEM_DEBUG_OUTPUT
    uint64_t taken; // runs
    uint64_t given;
#endif
} arena;

static bool bit_of(const uint64_t *map, uint32_t unit)
{
    return map[unit / 64] >> (unit % 64) & 1;
}

static void set_bit(uint64_t *map, uint32_t unit)
{
    map[unit / 64] |= (uint64_t)1 << (unit % 64);
}

static void clear_bit(uint64_t *map, uint32_t unit)
{
    map[unit / 64] &= ~((uint64_t)1 << (unit % 64));
}

static uint32_t units_for(size_t size)
{
    return (uint32_t)((size + UNIT - 1) / UNIT);
}

static char *address_of(const arena_chunk_t *chunk, uint32_t unit)
{
    return chunk->start + unit * UNIT;
}

static arena_chunk_t *chunk_of(const void *block)
{
    return tiny_registry_record(block)->owner;
}

static uint32_t unit_of(const arena_chunk_t *chunk, const void *block)
{
    return (uint32_t)((size_t)((const char *)block - chunk->start) / UNIT);
}

// ---- free runs

static free_run_t *node_of(const char *run)
{
    if (!APART) return (free_run_t *)(uintptr_t)run;
    arena_chunk_t *chunk = chunk_of(run);
    return &chunk->node[unit_of(chunk, run)];
}

static char *linked(const uintptr_t *link)
{
    return tiny_decode(*link, link);
}

static void set_link(uintptr_t *link, const char *run)
{
    *link = tiny_encode(run, link);
}

static uint32_t length_of(const char *run)
{
    const arena_chunk_t *chunk = chunk_of(run);
    return chunk->length[unit_of(chunk, run)];
}

static unsigned generation_of(uint32_t time)
{
    uint32_t span = (uint32_t)TINY_OPTION_DECAY_MS / 8;
    return time / (span > 0 ? span : 1) % GENERATIONS;
}

// A completely free chunk can be returned to the system even if it holds no memory.
static void add_by_age(char *run, free_run_t *node, uint32_t units)
{
    node->is_aged = units >= PURGEABLE_UNITS && (node->age.dirty > 0 || units == CHUNK_UNITS);
    if (!node->is_aged) return;
    arena.dirty_units += node->age.dirty;
    node->generation = (uint8_t)generation_of(node->age.freed_at);
    char **first = &arena.generation[node->generation];
    set_link(&node->younger, NULL);
    set_link(&node->older, *first);
    if (*first != NULL) set_link(&node_of(*first)->younger, run);
    *first = run;
}

static void remove_by_age(const free_run_t *node)
{
    if (!node->is_aged) return;
    arena.dirty_units -= node->age.dirty;
    char *younger = linked(&node->younger), *older = linked(&node->older);
    if (younger != NULL) set_link(&node_of(younger)->older, older);
    else arena.generation[node->generation] = older;
    if (older != NULL) set_link(&node_of(older)->younger, younger);
}

static void add_free(arena_chunk_t *chunk, uint32_t first, uint32_t units, run_age_t age)
{
    unsigned index = page_arena_list_of(units);
    char *run = address_of(chunk, first);
    free_run_t *node = node_of(run);
    if (age.dirty > units) age.dirty = units; // which part of the run is dirty is not recorded
    node->age = age;
    set_link(&node->previous, NULL);
    set_link(&node->next, arena.list[index]);
    if (arena.list[index] != NULL) set_link(&node_of(arena.list[index])->previous, run);
    arena.list[index] = run;
    add_by_age(run, node, units);
    canary_set_post(address_of(chunk, first + units));
    set_bit(arena.occupied, index);
    arena.free_runs++;
    set_bit(chunk->free_edge, first);
    set_bit(chunk->free_edge, first + units - 1);
    chunk->length[first] = chunk->length[first + units - 1] = (uint16_t)units;
}

static run_age_t remove_free(arena_chunk_t *chunk, uint32_t first, uint32_t units)
{
    unsigned index = page_arena_list_of(units);
    char *run = address_of(chunk, first);
    free_run_t *node = node_of(run);
    char *next = linked(&node->next), *previous = linked(&node->previous);
    if (UNLIKELY((next != NULL && linked(&node_of(next)->previous) != run) ||
                 (previous != NULL ? linked(&node_of(previous)->next) != run : arena.list[index] != run)))
        hak_die("corrupted heap: a free run was written to", run);
    if (next != NULL) set_link(&node_of(next)->previous, previous);
    if (previous != NULL) set_link(&node_of(previous)->next, next);
    else arena.list[index] = next;
    remove_by_age(node);
    if (arena.list[index] == NULL) clear_bit(arena.occupied, index);
    arena.free_runs--;
    clear_bit(chunk->free_edge, first);
    clear_bit(chunk->free_edge, first + units - 1);
    return node->age;
}

// Returns the first non-empty list from `index` on; LISTS if there is none.
static unsigned occupied_from(unsigned index)
{
    for (unsigned word = index / 64; word < sizeof arena.occupied / sizeof *arena.occupied; word++) {
        uint64_t occupied = arena.occupied[word];
        if (word == index / 64) occupied &= ~(uint64_t)0 << (index % 64);
        if (occupied != 0) return word * 64 + (unsigned)__builtin_ctzll(occupied);
    }
    return LISTS;
}

// The head of the exact list may fit and wastes less; every run of the later lists fits.
static char *find_run(uint32_t units)
{
    char *run = arena.list[page_arena_list_of(units)];
    if (run != NULL && length_of(run) >= units) return run;
    unsigned index = page_arena_list_that_fits(units);
    if (index < LISTS) index = occupied_from(index);
    return index < LISTS ? arena.list[index] : NULL;
}

// Returns the units before the first aligned address in the run.
static uint32_t skipped_in(const char *run, size_t alignment)
{
    return units_for(hak_round_up((uintptr_t)run, alignment) - (uintptr_t)run);
}

// Searches runs that are too short to hold the block at any address, a few per list, for one whose address happens to
// suit.
static char *find_aligned_hole(uint32_t units, uint32_t slack, size_t alignment)
{
    unsigned end = page_arena_list_that_fits(units + slack);
    for (unsigned index = occupied_from(page_arena_list_of(units)); index < end && index < LISTS;
         index = occupied_from(index + 1)) {
        char *run = arena.list[index];
        for (unsigned looks = ALIGNED_LOOKS; looks > 0 && run != NULL; looks--) {
            if (skipped_in(run, alignment) + units <= length_of(run)) return run;
            run = linked(&node_of(run)->next);
        }
    }
    return NULL;
}

static char *find(uint32_t units, size_t alignment)
{
    if (alignment <= UNIT) return find_run(units);
    uint32_t slack = (uint32_t)(alignment / UNIT) - 1;
    char *run = find_aligned_hole(units, slack, alignment);
    return run != NULL ? run : find_run(units + slack);
}

// ---- chunks

static void tag_pages(const arena_chunk_t *chunk, tiny_tag_t tag)
{
    for (size_t offset = 0; offset < CHUNK_SIZE; offset += HAK_PAGE)
        tiny_registry_set(chunk->start + offset, tag);
}

static void unmap_chunk(arena_chunk_t *chunk)
{
    if (chunk->start != NULL) os_unmap_guarded(chunk->start, CHUNK_SIZE, CANARY_GUARD);
    os_unmap(chunk, hak_round_up(sizeof *chunk, OS_PAGE));
}

// The caller does not hold the lock.
static arena_chunk_t *map_chunk(void)
{
    arena_chunk_t *chunk = os_map(hak_round_up(sizeof *chunk, OS_PAGE), OS_PAGE);
    if (chunk == NULL) return NULL;
    chunk->start = os_map_guarded(CHUNK_SIZE, HAK_PAGE, CANARY_GUARD);
    if (chunk->start != NULL && tiny_registry_reserve(chunk->start, CHUNK_SIZE)) return chunk;
    unmap_chunk(chunk);
    return NULL;
}

static void add_chunk(arena_chunk_t *chunk)
{
    for (size_t offset = 0; offset < CHUNK_SIZE; offset += HAK_PAGE)
        tiny_registry_record(chunk->start + offset)->owner = chunk;
    tag_pages(chunk, TINY_TAG(0, TINY_KIND_ARENA));
    chunk->next = arena.chunks;
    if (chunk->next != NULL) chunk->next->previous = chunk;
    arena.chunks = chunk;
    arena.chunk_count++;
    chunk->huge_pages = true;
    add_free(chunk, 0, CHUNK_UNITS, (run_age_t){.freed_at = os_clock_ms(), .dirty = 0});
#if HAKMEM_DEBUG_OUTPUT
    if (UNLIKELY(hak_debug_on))
        hak_debug_print("[hakmem:page_arena.init] chunk %p, %zu mapped\n", (void *)chunk->start,
                        arena.chunk_count);
#endif
}

// The chunk's run is on no list; the caller unmaps the chunk without the lock.
static void forget_chunk(arena_chunk_t *chunk)
{
#if HAKMEM_DEBUG_OUTPUT
    if (UNLIKELY(hak_debug_on))
        hak_debug_print("[hakmem:page_arena.shutdown] chunk %p, %zu mapped, %zu bytes in use\n",
                        (void *)chunk->start, arena.chunk_count, arena.units_used * UNIT);
#endif
    tag_pages(chunk, 0);
    if (chunk->next != NULL) chunk->next->previous = chunk->previous;
    if (chunk->previous != NULL) chunk->previous->next = chunk->next;
    else arena.chunks = chunk->next;
    arena.chunk_count--;
}

static void count_units(arena_chunk_t *chunk, uint32_t taken, uint32_t given)
{
    chunk->units_used += taken - given;
    arena.units_used += taken;
    arena.units_used -= given;
    if (arena.units_used * UNIT > arena.demand.peak) arena.demand.peak = arena.units_used * UNIT;
}

// ---- runs

// Takes `units` from a free run, from its first aligned address on; the parts before and after stay free.
static char *carve(const char *run, uint32_t units, size_t alignment, bool *zeroed)
{
    arena_chunk_t *chunk = chunk_of(run);
    uint32_t first = unit_of(chunk, run);
    uint32_t length = chunk->length[first];
    uint32_t skipped = skipped_in(run, alignment);
    run_age_t age = remove_free(chunk, first, length);
    *zeroed = APART && UNIT >= OS_PAGE && CANARY_POST == 0 && age.dirty == 0;
    if (skipped > 0) add_free(chunk, first, skipped, age);
    if (length > skipped + units) add_free(chunk, first + skipped + units, length - skipped - units, age);
    first += skipped;
    chunk->length[first] = (uint16_t)units;
    count_units(chunk, units, 0);
    canary_set_post(address_of(chunk, first + units));
    return address_of(chunk, first);
}

static void set_state(const void *run, uint8_t state)
{
    arena_chunk_t *chunk = chunk_of(run);
    atomic_store_explicit(&chunk->state[unit_of(chunk, run)], state, memory_order_relaxed);
}

#if HAKMEM_DEBUG_OUTPUT
static void say_stats(void)
{
    if (UNLIKELY(hak_debug_on) && ((arena.taken + arena.given) & 1023) == 1023)
        hak_debug_print(
            "[hakmem:page_arena.stats] %llu runs taken, %llu given, %zu bytes in use of %zu chunks\n",
            (unsigned long long)arena.taken, (unsigned long long)arena.given, arena.units_used * UNIT,
            arena.chunk_count);
}
#endif

// Takes up to `want` runs, the last perhaps from a new chunk. The caller holds the lock; it is released while a chunk
// is mapped.
static unsigned take_runs(uint32_t units, size_t alignment, unsigned want, void **runs, bool *zeroed)
{
    unsigned taken = 0;
    *zeroed = true;
    while (taken < want) {
        char *run = find(units, alignment);
        if (run == NULL && taken > 0) break;
        if (run == NULL) {
            os_unlock(&arena.lock);
            arena_chunk_t *chunk = map_chunk();
            os_lock(&arena.lock);
            if (chunk == NULL) break;
            arena.clean_taken += CHUNK_UNITS;
            add_chunk(chunk);
            continue;
        }
        bool is_zero;
        runs[taken++] = carve(run, units, alignment, &is_zero);
        *zeroed &= is_zero;
    }
#if HAKMEM_DEBUG_OUTPUT
    arena.taken += taken;
    say_stats();
#endif
    return taken;
}

// The caller does not hold the lock.
static void make_room(size_t mapped)
{
    if (UNLIKELY(mapped > 0)) hak_decay_make_room(HAK_POOL_RUNS, mapped * UNIT);
}

static size_t take_clean_taken(void)
{
    size_t taken = arena.clean_taken;
    arena.clean_taken = 0;
    return taken;
}

void *page_arena_alloc(size_t size, size_t alignment, bool *zeroed)
{
    void *run = NULL;
    os_lock(&arena.lock);
    unsigned taken = take_runs(units_for(size), alignment, 1, &run, zeroed);
    size_t mapped = take_clean_taken();
    os_unlock(&arena.lock);
    make_room(mapped);
    if (taken > 0) set_state(run, RUN_OUT);
    return run;
}

unsigned page_arena_alloc_parked(size_t units, unsigned want, void **runs, bool *zeroed)
{
    os_lock(&arena.lock);
    unsigned taken = take_runs((uint32_t)units, UNIT, want, runs, zeroed);
    size_t mapped = take_clean_taken();
    os_unlock(&arena.lock);
    make_room(mapped);
    for (unsigned i = 0; i < taken; i++) set_state(runs[i], RUN_PARKED);
    return taken;
}

// ---- frees

static bool is_surplus(void)
{
    return arena.dirty_units * UNIT > hak_demand_keeps(&arena.demand, arena.units_used * UNIT, KEPT_BYTES);
}

// Two joined runs have the age of the larger part. So a small part that is allocated and freed repeatedly neither keeps
// the large one cached for ever nor is returned to the system together with it each time.
static run_age_t joined_age(run_age_t age, uint32_t units, run_age_t other, uint32_t other_units)
{
    return (run_age_t){other_units > units && other.dirty > 0 ? other.freed_at : age.freed_at,
                       age.dirty + other.dirty};
}

// With full checks, clears the post of a run that ended at `unit` and was joined to the next: the post is derived from
// the secret and must not stay in memory that is allocated again.
static void wipe_post(const arena_chunk_t *chunk, uint32_t unit)
{
    memset(address_of(chunk, unit) - CANARY_POST, 0, CANARY_POST);
}

static void give_back(arena_chunk_t *chunk, uint32_t first, uint32_t units, run_age_t age)
{
    count_units(chunk, 0, units);
    uint32_t end = first + units;
    if (end < CHUNK_UNITS && bit_of(chunk->free_edge, end)) {
        uint32_t joined = chunk->length[end];
        age = joined_age(age, end - first, remove_free(chunk, end, joined), joined);
        wipe_post(chunk, end);
        end += joined;
    }
    if (first > 0 && bit_of(chunk->free_edge, first - 1)) {
        uint32_t joined = chunk->length[first - 1];
        age = joined_age(age, end - first, remove_free(chunk, first - joined, joined), joined);
        wipe_post(chunk, first);
        first -= joined;
    }
    add_free(chunk, first, end - first, age);
}

static void give_back_dirty(arena_chunk_t *chunk, uint32_t first, uint32_t units)
{
    give_back(chunk, first, units, (run_age_t){os_clock_ms(), units});
}

static bool is_start(const arena_chunk_t *chunk, const void *block, uint8_t state)
{
    return ((uintptr_t)block & (UNIT - 1)) == 0 &&
           atomic_load_explicit(&chunk->state[unit_of(chunk, block)], memory_order_relaxed) == state;
}

// Returns the unit where an allocated run begins. Only the run's owner changes that.
static uint32_t run_out(const arena_chunk_t *chunk, const void *block, const char *misuse)
{
    if (UNLIKELY(!is_start(chunk, block, RUN_OUT))) hak_die(misuse, block);
    return unit_of(chunk, block);
}

size_t page_arena_park(void *block)
{
    arena_chunk_t *chunk = chunk_of(block);
    uint32_t unit = unit_of(chunk, block);
    // Two threads that free the block at the same instant are not detected: that would cost an atomic exchange per
    // free.
    if (UNLIKELY(((uintptr_t)block & (UNIT - 1)) != 0 ||
                 atomic_load_explicit(&chunk->state[unit], memory_order_relaxed) != RUN_OUT))
        hak_die("double free, or free of a pointer into a block", block);
    atomic_store_explicit(&chunk->state[unit], RUN_PARKED, memory_order_relaxed);
    return chunk->length[unit];
}

void page_arena_unpark(void *block)
{
    HAK_CHECK(is_start(chunk_of(block), block, RUN_PARKED), "a run is in two caches", block);
    set_state(block, RUN_OUT);
}

bool page_arena_free_parked(void *const *runs, unsigned count)
{
    os_lock(&arena.lock);
    for (unsigned i = 0; i < count; i++) {
        arena_chunk_t *chunk = chunk_of(runs[i]);
        uint32_t first = unit_of(chunk, runs[i]);
        HAK_CHECK(is_start(chunk, runs[i], RUN_PARKED), "a run that is freed is not parked", runs[i]);
        atomic_store_explicit(&chunk->state[first], RUN_NONE, memory_order_relaxed);
        give_back_dirty(chunk, first, chunk->length[first]);
    }
#if HAKMEM_DEBUG_OUTPUT
    arena.given += count;
    say_stats();
#endif
    bool surplus = is_surplus();
    os_unlock(&arena.lock);
    return surplus;
}

bool page_arena_free(void *block)
{
    page_arena_park(block);
    return page_arena_free_parked(&block, 1);
}

size_t page_arena_usable_size(const void *block)
{
    arena_chunk_t *chunk = chunk_of(block);
    return chunk->length[run_out(chunk, block, "size asked of a pointer that is no block")] * UNIT;
}

static bool grow(arena_chunk_t *chunk, uint32_t first, uint32_t old_units, uint32_t units)
{
    uint32_t end = first + old_units;
    if (end >= CHUNK_UNITS || !bit_of(chunk->free_edge, end)) return false;
    uint32_t room = chunk->length[end], more = units - old_units;
    if (room < more) return false;
    run_age_t age = remove_free(chunk, end, room);
    wipe_post(chunk, end);
    if (room > more) add_free(chunk, end + more, room - more, age);
    count_units(chunk, more, 0);
    return true;
}

bool page_arena_resize(void *block, size_t size)
{
    uint32_t units = units_for(size);
    arena_chunk_t *chunk = chunk_of(block);
    uint32_t first = run_out(chunk, block, "realloc of a pointer that is no block");
    uint32_t old_units = chunk->length[first];
    if (units == old_units) return true;
    os_lock(&arena.lock);
    bool resized = units < old_units || grow(chunk, first, old_units, units);
    if (resized) chunk->length[first] = (uint16_t)units;
    if (units < old_units) give_back_dirty(chunk, first + units, old_units - units);
    os_unlock(&arena.lock);
    return resized;
}

#if TINY_CHECKS >= TINY_CHECKS_FULL

// ---- the requested size

size_t page_arena_note(void *block, size_t asked)
{
    arena_chunk_t *chunk = chunk_of(block);
    uint32_t first = unit_of(chunk, block);
    chunk->asked[first] = (uint32_t)asked + 1;
    return chunk->length[first] * UNIT;
}

static uint32_t asked_at(const arena_chunk_t *chunk, const void *block, const char *no_block,
                         const char *free)
{
    uint32_t first = unit_of(chunk, block);
    bool is_parked = is_start(chunk, block, RUN_PARKED); // freed, and past the quarantine
    if (UNLIKELY(!is_parked && !is_start(chunk, block, RUN_OUT))) {
        os_unlock(&arena.lock); // a SIGABRT handler may allocate
        hak_die(no_block, block);
    }
    if (UNLIKELY(chunk->asked[first] == 0)) {
        os_unlock(&arena.lock);
        hak_die_of_size(free, block, chunk->length[first] * UNIT);
    }
    return first;
}

size_t page_arena_asked(const void *block, const char *misuse)
{
    os_lock(&arena.lock);
    arena_chunk_t *chunk = chunk_of(block);
    size_t asked = chunk->asked[asked_at(chunk, block, misuse, misuse)] - 1;
    os_unlock(&arena.lock);
    return asked;
}

size_t page_arena_claim(const void *block, size_t *size)
{
    os_lock(&arena.lock);
    arena_chunk_t *chunk = chunk_of(block);
    uint32_t first =
        asked_at(chunk, block, "double free, or free of a pointer into a block", CANARY_DOUBLE_FREE);
    size_t asked = chunk->asked[first] - 1;
    *size = chunk->length[first] * UNIT;
    chunk->asked[first] = 0;
    bool underflow = first > 0 && !canary_has_post(block);
    os_unlock(&arena.lock);
    if (UNLIKELY(underflow)) hak_die_of_size(CANARY_UNDERFLOW, block, *size);
    return asked;
}

#endif

// ---- returning memory to the system

// Runs that count as in use while their memory is returned to the system, and chunks that are unmapped as a whole.
typedef struct purge {
    unsigned runs;
    struct {
        arena_chunk_t *chunk;
        uint32_t first;
        uint32_t units;
        uint32_t dirty;
        bool huge_pages;
        bool purged;
    } run[PURGED_RUNS];
    arena_chunk_t *chunks;
    size_t bytes; // to be returned
    size_t gone;
} purge_t;

static void isolate(purge_t *purge, const char *address)
{
    arena_chunk_t *chunk = chunk_of(address);
    uint32_t first = unit_of(chunk, address), units = chunk->length[first];
    run_age_t age = remove_free(chunk, first, units);
    purge->bytes += age.dirty * UNIT;
    if (units == CHUNK_UNITS) {
        forget_chunk(chunk);
        chunk->next = purge->chunks;
        purge->chunks = chunk;
        return;
    }
    count_units(chunk, units, 0);
    purge->run[purge->runs].chunk = chunk;
    purge->run[purge->runs].first = first;
    purge->run[purge->runs].units = units;
    purge->run[purge->runs].dirty = age.dirty;
    purge->run[purge->runs++].huge_pages = chunk->huge_pages;
    chunk->huge_pages = false;
}

// The oldest generation comes first. Generations recur after GENERATIONS spans, so each run's own age decides.
static void isolate_oldest(purge_t *purge, size_t most, uint32_t now, uint32_t delay)
{
    unsigned looks = LOOKED_RUNS;
    for (unsigned i = 1; i <= GENERATIONS; i++) {
        char *run = arena.generation[(generation_of(now) + i) % GENERATIONS];
        for (; run != NULL && looks > 0 && purge->runs < PURGED_RUNS && purge->bytes < most; looks--) {
            const free_run_t *node = node_of(run);
            char *older = linked(&node->older);
            if (now - node->age.freed_at >= delay || is_surplus()) isolate(purge, run);
            run = older;
        }
    }
}

// Purges the run, except its own links and the post at its end.
static void purge_run(purge_t *purge, unsigned i)
{
    arena_chunk_t *chunk = purge->run[i].chunk;
    uintptr_t start = (uintptr_t)address_of(chunk, purge->run[i].first);
    uintptr_t end = (start + purge->run[i].units * UNIT - CANARY_POST) & ~(OS_PAGE - 1);
    start = hak_round_up(start + (APART ? 0 : sizeof(free_run_t)),
                         OS_PAGE); // the system's pages may be larger than a unit
    if (purge->run[i].huge_pages) os_no_huge_pages(chunk->start, CHUNK_SIZE);
    purge->run[i].purged = end <= start || os_purge((void *)start, end - start);
    if (purge->run[i].purged) purge->gone += purge->run[i].dirty * UNIT;
}

// A run that could not be purged gets a new age, and is tried again after the delay.
static void end_isolation(const purge_t *purge)
{
    for (unsigned i = 0; i < purge->runs; i++) {
        run_age_t age = {os_clock_ms(), purge->run[i].purged ? 0 : purge->run[i].dirty};
        give_back(purge->run[i].chunk, purge->run[i].first, purge->run[i].units, age);
    }
}

static size_t purge_oldest(size_t most, uint32_t now, uint32_t delay)
{
    purge_t purge = {.runs = 0};
    os_lock(&arena.lock);
    hak_demand_look(&arena.demand, arena.units_used * UNIT, now);
    isolate_oldest(&purge, most, now, delay);
    os_unlock(&arena.lock);
    for (unsigned i = 0; i < purge.runs; i++) purge_run(&purge, i);
    for (arena_chunk_t *chunk = purge.chunks, *next; chunk != NULL; chunk = next) {
        next = chunk->next;
        unmap_chunk(chunk);
        purge.gone += CHUNK_SIZE;
    }
    os_lock(&arena.lock);
    end_isolation(&purge);
    os_unlock(&arena.lock);
    return purge.gone;
}

size_t page_arena_return(size_t most, uint32_t now, uint32_t delay)
{
    size_t bytes = 0, step;
    do bytes += step = purge_oldest(most - bytes, now, delay);
    while (step > 0 && bytes < most);
    return bytes;
}

page_arena_usage_t page_arena_usage(void)
{
    os_lock(&arena.lock);
    page_arena_usage_t usage = {arena.chunk_count, arena.units_used * UNIT, arena.dirty_units * UNIT,
                                arena.free_runs};
    os_unlock(&arena.lock);
    return usage;
}

void page_arena_before_fork(void)
{
    os_lock(&arena.lock);
}

void page_arena_after_fork(void)
{
    os_unlock(&arena.lock);
}
