// Page arena: good-fit search over segregated lists of free runs, eight lists a doubling, one lock for all.
//
// The lists are those of TLSF (Masmano et al., "TLSF: a New Dynamic Memory Allocator for Real-Time Systems", 2004).
#include "page_arena.h"

#include <string.h>

#include "canary.h"
#include "debug.h"
#include "os.h"
#include "tiny_registry.h"

#define UNIT ((size_t)128)
#define CHUNK_SIZE PAGE_ARENA_CHUNK
#define CHUNK_UNITS ((uint32_t)(CHUNK_SIZE / UNIT))
#define LISTS 105u // list_of(CHUNK_UNITS) + 1
#define FREE_CHUNKS_KEPT 4u // more wholly free ones go back at once

// Beyond what is in use and this, free memory goes back at once. Shorter runs than the latter may hold no page of the MMU.
#define DIRTY_UNITS_KEPT ((16u << 20) / UNIT)
#define PURGEABLE_UNITS (2u * OS_PAGE / UNIT)
#define RUNS_A_FREE 16u // a look at all runs is shared by frees, so many runs each

// What is known of a free run's memory.
typedef struct run_age {
    uint32_t freed_at; // by os_clock_ms; of the part that has been free for the longest time
    uint32_t dirty; // units that may hold memory
} run_age_t;

// Links, as those of a tiny block; see tiny_link.h.
typedef struct free_run {
    uintptr_t next;
    uintptr_t previous;
    run_age_t age;
} free_run_t;

typedef struct arena_chunk {
    char *start;
    struct arena_chunk *next;
    struct arena_chunk *previous;
    uint32_t units_used;
    uint32_t freed_at; // when the last run in use was freed, by os_clock_ms
    bool huge_pages; // the kernel may back it with them
    uint64_t in_use[CHUNK_UNITS / 64]; // a run in use begins at this unit
    uint64_t free_edge[CHUNK_UNITS / 64]; // a free run begins or ends at this unit
    uint16_t length[CHUNK_UNITS]; // units of the run; at its first unit, and at its last if it is free
#if TINY_CHECKS >= TINY_CHECKS_FULL
    uint32_t asked[CHUNK_UNITS]; // at the first unit of a run that is out: bytes asked for, and one more
#endif
} arena_chunk_t;

static struct {
    os_lock_t lock;
    arena_chunk_t *chunks;
    free_run_t *list[LISTS];
    uint64_t occupied[(LISTS + 63) / 64];
    size_t chunk_count;
    size_t units_used;
    size_t free_runs;
    size_t dirty_units; // of free runs that can go back
    size_t frees; // since all of them went back
    unsigned free_chunks;
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

// ---- lists of free runs

// Runs of 1..7 units have a list each; beyond, eight lists a doubling.
static unsigned list_of(uint32_t units)
{
    if (units < 8) return units;
    unsigned log = 31u - (unsigned)__builtin_clz(units);
    return (log - 2) * 8 + (units >> (log - 3) & 7);
}

// The first list whose every run has at least `units`.
static unsigned list_that_fits(uint32_t units)
{
    if (units < 8) return units;
    unsigned log = 31u - (unsigned)__builtin_clz(units);
    return list_of(units + ((uint32_t)1 << (log - 3)) - 1);
}

static free_run_t *next_of(const free_run_t *run)
{
    return tiny_decode(run->next, &run->next);
}

static free_run_t *previous_of(const free_run_t *run)
{
    return tiny_decode(run->previous, &run->previous);
}

static void set_next(free_run_t *run, const free_run_t *next)
{
    run->next = tiny_encode(next, &run->next);
}

static void set_previous(free_run_t *run, const free_run_t *previous)
{
    run->previous = tiny_encode(previous, &run->previous);
}

static void count_dirty(uint32_t units, uint32_t came, uint32_t went)
{
    if (units < PURGEABLE_UNITS) return;
    arena.dirty_units += came;
    arena.dirty_units -= went;
}

static void add_free(arena_chunk_t *chunk, uint32_t first, uint32_t units, run_age_t age)
{
    unsigned index = list_of(units);
    free_run_t *run = (free_run_t *)(void *)address_of(chunk, first);
    if (age.dirty > units) age.dirty = units; // which part of a run it is, is not known
    run->age = age;
    count_dirty(units, age.dirty, 0);
    set_previous(run, NULL);
    set_next(run, arena.list[index]);
    if (arena.list[index] != NULL) set_previous(arena.list[index], run);
    arena.list[index] = run;
    canary_set_post(address_of(chunk, first + units));
    set_bit(arena.occupied, index);
    arena.free_runs++;
    set_bit(chunk->free_edge, first);
    set_bit(chunk->free_edge, first + units - 1);
    chunk->length[first] = chunk->length[first + units - 1] = (uint16_t)units;
}

// With every check, links and posts are made of the secret, and do not stay in memory that is handed out.
static void wipe(void *start, size_t size)
{
    if (TINY_CHECKS >= TINY_CHECKS_FULL) memset(start, 0, size);
}

// That of a run that ended before `unit`, and was joined to what follows.
static void wipe_post(const arena_chunk_t *chunk, uint32_t unit)
{
    wipe(address_of(chunk, unit) - CANARY_POST, CANARY_POST);
}

static run_age_t remove_free(arena_chunk_t *chunk, uint32_t first, uint32_t units)
{
    unsigned index = list_of(units);
    free_run_t *run = (free_run_t *)(void *)address_of(chunk, first);
    free_run_t *next = next_of(run), *previous = previous_of(run);
    if (UNLIKELY((next != NULL && previous_of(next) != run) ||
                 (previous != NULL ? next_of(previous) != run : arena.list[index] != run)))
        hak_die("corrupted heap: a free run was written to", run);
    if (next != NULL) set_previous(next, previous);
    if (previous != NULL) set_next(previous, next);
    else arena.list[index] = next;
    if (arena.list[index] == NULL) clear_bit(arena.occupied, index);
    arena.free_runs--;
    clear_bit(chunk->free_edge, first);
    clear_bit(chunk->free_edge, first + units - 1);
    run_age_t age = run->age;
    count_dirty(units, 0, age.dirty);
    wipe(run, sizeof *run);
    wipe_post(chunk, first + units);
    return age;
}

static free_run_t *first_run_from(unsigned index)
{
    for (unsigned word = index / 64; word < sizeof arena.occupied / sizeof *arena.occupied; word++) {
        uint64_t occupied = arena.occupied[word];
        if (word == index / 64) occupied &= ~(uint64_t)0 << (index % 64);
        if (occupied != 0) return arena.list[word * 64 + (unsigned)__builtin_ctzll(occupied)];
    }
    return NULL;
}

static uint32_t unit_of(const arena_chunk_t *chunk, const void *block)
{
    return (uint32_t)((size_t)((const char *)block - chunk->start) / UNIT);
}

// The head of the exact list may do as well, and wastes less; every run of the later lists does.
static free_run_t *find_run(uint32_t units)
{
    free_run_t *run = arena.list[list_of(units)];
    if (run != NULL) {
        arena_chunk_t *chunk = chunk_of(run);
        if (chunk->length[unit_of(chunk, run)] >= units) return run;
    }
    unsigned index = list_that_fits(units);
    return index < LISTS ? first_run_from(index) : NULL;
}

// ---- chunks

static void tag_pages(const arena_chunk_t *chunk, tiny_tag_t tag)
{
    for (size_t offset = 0; offset < CHUNK_SIZE; offset += HAK_PAGE)
        tiny_registry_set(chunk->start + offset, tag);
}

static bool add_chunk(void)
{
    arena_chunk_t *chunk = os_map(hak_round_up(sizeof *chunk, OS_PAGE), OS_PAGE);
    if (chunk == NULL) return false;
    chunk->start = os_map_guarded(CHUNK_SIZE, HAK_PAGE, CANARY_GUARD);
    if (chunk->start == NULL || !tiny_registry_reserve(chunk->start, CHUNK_SIZE)) {
        if (chunk->start != NULL) os_unmap_guarded(chunk->start, CHUNK_SIZE, CANARY_GUARD);
        os_unmap(chunk, hak_round_up(sizeof *chunk, OS_PAGE));
        return false;
    }
    for (size_t offset = 0; offset < CHUNK_SIZE; offset += HAK_PAGE)
        tiny_registry_record(chunk->start + offset)->owner = chunk;
    tag_pages(chunk, TINY_TAG(0, TINY_KIND_ARENA));
    chunk->next = arena.chunks;
    if (chunk->next != NULL) chunk->next->previous = chunk;
    arena.chunks = chunk;
    arena.chunk_count++;
    arena.free_chunks++;
    chunk->huge_pages = true;
    add_free(chunk, 0, CHUNK_UNITS, (run_age_t){.dirty = 0});
#if HAKMEM_DEBUG_OUTPUT
    if (UNLIKELY(hak_debug_on))
        hak_debug_print("[hakmem:page_arena.init] chunk %p, %zu mapped\n", (void *)chunk->start,
                        arena.chunk_count);
#endif
    return true;
}

static void drop_chunk(arena_chunk_t *chunk)
{
#if HAKMEM_DEBUG_OUTPUT
    if (UNLIKELY(hak_debug_on))
        hak_debug_print("[hakmem:page_arena.shutdown] chunk %p, %zu mapped, %zu bytes in use\n",
                        (void *)chunk->start, arena.chunk_count, arena.units_used * UNIT);
#endif
    remove_free(chunk, 0, CHUNK_UNITS);
    tag_pages(chunk, 0);
    if (chunk->next != NULL) chunk->next->previous = chunk->previous;
    if (chunk->previous != NULL) chunk->previous->next = chunk->next;
    else arena.chunks = chunk->next;
    arena.chunk_count--;
    arena.free_chunks--;
    os_unmap_guarded(chunk->start, CHUNK_SIZE, CANARY_GUARD);
    os_unmap(chunk, hak_round_up(sizeof *chunk, OS_PAGE));
}

static void count_units(arena_chunk_t *chunk, uint32_t taken, uint32_t given)
{
    if (chunk->units_used == 0 && taken > 0) arena.free_chunks--;
    chunk->units_used += taken - given;
    arena.units_used += taken;
    arena.units_used -= given;
    if (chunk->units_used == 0 && given > 0) arena.free_chunks++;
}

// ---- runs

// Takes `units` from a free run, the first of them at an address of the alignment; what is left over stays free.
static void *carve(free_run_t *run, uint32_t units, size_t alignment)
{
    arena_chunk_t *chunk = chunk_of(run);
    uint32_t first = unit_of(chunk, run);
    uint32_t length = chunk->length[first];
    uint32_t skipped = units_for(hak_round_up((uintptr_t)run, alignment) - (uintptr_t)run);
    run_age_t age = remove_free(chunk, first, length);
    if (skipped > 0) add_free(chunk, first, skipped, age);
    if (length > skipped + units) add_free(chunk, first + skipped + units, length - skipped - units, age);
    first += skipped;
    chunk->length[first] = (uint16_t)units;
    set_bit(chunk->in_use, first);
    count_units(chunk, units, 0);
    canary_set_post(address_of(chunk, first + units));
    return address_of(chunk, first);
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

void *page_arena_alloc(size_t size, size_t alignment)
{
    uint32_t units = units_for(size);
    uint32_t slack = alignment > UNIT ? (uint32_t)(alignment / UNIT) - 1 : 0;
    os_lock(&arena.lock);
    free_run_t *run = find_run(units + slack);
    if (run == NULL && add_chunk()) run = find_run(units + slack);
    void *block = run != NULL ? carve(run, units, alignment) : NULL;
#if HAKMEM_DEBUG_OUTPUT
    if (block != NULL) arena.taken++;
    say_stats();
#endif
    os_unlock(&arena.lock);
    return block;
}

// ---- memory of free runs

// All but what holds the run's own links, and the post at its end.
static bool purge_run(free_run_t *run)
{
    arena_chunk_t *chunk = chunk_of(run);
    uint32_t first = unit_of(chunk, run);
    uintptr_t start = hak_round_up((uintptr_t)run + sizeof *run, OS_PAGE);
    uintptr_t end =
        ((uintptr_t)address_of(chunk, first + chunk->length[first]) - CANARY_POST) & ~(OS_PAGE - 1);
    if (end > start) {
        if (chunk->huge_pages) os_no_huge_pages(chunk->start, CHUNK_SIZE);
        chunk->huge_pages = false;
        if (!os_purge((void *)start, end - start)) return false;
    }
    count_dirty(chunk->length[first], 0, run->age.dirty);
    run->age.dirty = 0;
    return end > start;
}

// Runs that are too short to hold a page of the MMU stay as they are.
static bool purge_free_runs(uint32_t now, uint32_t delay)
{
    bool any = false;
    if (delay == 0) arena.frees = 0;
    for (unsigned index = list_of(units_for(OS_PAGE)); index < LISTS; index++)
        for (free_run_t *run = arena.list[index]; run != NULL; run = next_of(run))
            if (run->age.dirty > 0 && now - run->age.freed_at >= delay && purge_run(run)) any = true;
    return any;
}

// ---- frees

// Two neighbours' ages, as one run. What joins an older run goes back with it: early, but seldom, since that one is clean
// then.
static run_age_t joined_age(run_age_t age, run_age_t other)
{
    if (other.dirty == 0) return age;
    bool is_older = (int32_t)(other.freed_at - age.freed_at) < 0;
    return (run_age_t){is_older ? other.freed_at : age.freed_at, age.dirty + other.dirty};
}

static void give_back(arena_chunk_t *chunk, uint32_t first, uint32_t units)
{
    run_age_t age = {os_clock_ms(), units};
    chunk->freed_at = age.freed_at;
    count_units(chunk, 0, units);
    uint32_t end = first + units;
    if (end < CHUNK_UNITS && bit_of(chunk->free_edge, end)) {
        uint32_t joined = chunk->length[end];
        age = joined_age(age, remove_free(chunk, end, joined));
        wipe_post(chunk, end);
        end += joined;
    }
    if (first > 0 && bit_of(chunk->free_edge, first - 1)) {
        uint32_t joined = chunk->length[first - 1];
        age = joined_age(age, remove_free(chunk, first - joined, joined));
        first -= joined;
    }
    add_free(chunk, first, end - first, age);
    if (chunk->units_used == 0 && arena.free_chunks > FREE_CHUNKS_KEPT) drop_chunk(chunk);
    arena.frees++;
    if (arena.dirty_units > arena.units_used + DIRTY_UNITS_KEPT &&
        arena.frees * RUNS_A_FREE >= arena.free_runs)
        purge_free_runs(0, 0);
}

// Under the lock: the unit where a run in use begins.
static uint32_t run_in_use(const arena_chunk_t *chunk, const void *block, const char *misuse)
{
    uint32_t unit = unit_of(chunk, block);
    if (UNLIKELY(((uintptr_t)block & (UNIT - 1)) != 0 || !bit_of(chunk->in_use, unit))) {
        os_unlock(&arena.lock); // a handler of SIGABRT may allocate
        hak_die(misuse, block);
    }
    return unit;
}

void page_arena_free(void *block)
{
    os_lock(&arena.lock);
    arena_chunk_t *chunk = chunk_of(block);
    uint32_t first = run_in_use(chunk, block, "double free, or free of a pointer into a block");
    clear_bit(chunk->in_use, first);
    give_back(chunk, first, chunk->length[first]);
#if HAKMEM_DEBUG_OUTPUT
    arena.given++;
    say_stats();
#endif
    os_unlock(&arena.lock);
}

size_t page_arena_usable_size(const void *block)
{
    os_lock(&arena.lock);
    arena_chunk_t *chunk = chunk_of(block);
    size_t units = chunk->length[run_in_use(chunk, block, "size asked of a pointer that is no block")];
    os_unlock(&arena.lock);
    return units * UNIT;
}

static bool grow(arena_chunk_t *chunk, uint32_t first, uint32_t old_units, uint32_t units)
{
    uint32_t end = first + old_units;
    if (end >= CHUNK_UNITS || !bit_of(chunk->free_edge, end)) return false;
    uint32_t room = chunk->length[end], more = units - old_units;
    if (room < more) return false;
    run_age_t age = remove_free(chunk, end, room);
    if (room > more) add_free(chunk, end + more, room - more, age);
    count_units(chunk, more, 0);
    return true;
}

bool page_arena_resize(void *block, size_t size)
{
    uint32_t units = units_for(size);
    os_lock(&arena.lock);
    arena_chunk_t *chunk = chunk_of(block);
    uint32_t first = run_in_use(chunk, block, "realloc of a pointer that is no block");
    uint32_t old_units = chunk->length[first];
    bool resized = units <= old_units || grow(chunk, first, old_units, units);
    if (resized) chunk->length[first] = (uint16_t)units;
    if (units < old_units) give_back(chunk, first + units, old_units - units);
    os_unlock(&arena.lock);
    return resized;
}

#if TINY_CHECKS >= TINY_CHECKS_FULL

// ---- what was asked for

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
    uint32_t first = run_in_use(chunk, block, no_block);
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

// ---- giving memory back

static bool drop_free_chunks(uint32_t now, uint32_t delay)
{
    bool any = false;
    for (arena_chunk_t *chunk = arena.chunks, *next; arena.free_chunks > 0 && chunk != NULL; chunk = next) {
        next = chunk->next;
        if (chunk->units_used > 0 || now - chunk->freed_at < delay) continue;
        drop_chunk(chunk);
        any = true;
    }
    return any;
}

bool page_arena_return(uint32_t now, uint32_t delay)
{
    os_lock(&arena.lock);
    bool dropped = drop_free_chunks(now, delay), purged = purge_free_runs(now, delay);
    os_unlock(&arena.lock);
    return dropped || purged;
}

page_arena_usage_t page_arena_usage(void)
{
    os_lock(&arena.lock);
    page_arena_usage_t usage = {arena.chunk_count, arena.units_used * UNIT, arena.free_runs};
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
