// Page arena: runs are allocated, parked, freed and resized under one lock.
#include "heap/page_arena.h"

#include "debug/messages.h"
#include "heap/arena_return.h"
#include "heap/arena_runs.h"
#include "heap/decay.h"
#include "os/die.h"
#include "os/lock.h"

// ---- allocation

static void set_state(const void *run, uint8_t state)
{
    arena_chunk_t *chunk = arena_chunk_of(run);
    arena_set_state(chunk, arena_unit_of(chunk, run), state);
}

#if HAKMEM_DEBUG_OUTPUT
static uint64_t taken_runs, given_runs;

static void say_stats(void)
{
    if (UNLIKELY(hak_debug_on) && ((taken_runs + given_runs) & 1023) == 1023)
        hak_debug_print(
            "[hakmem:page_arena.stats] %llu runs taken, %llu given, %zu bytes in use of %zu chunks\n",
            (unsigned long long)taken_runs, (unsigned long long)given_runs,
            arena.units_used * PAGE_ARENA_UNIT, arena.chunk_count);
}
#endif

static hak_pool_usage_t usage_for_decay(void)
{
    page_arena_usage_t usage = page_arena_usage();
    return (hak_pool_usage_t){usage.bytes_used, usage.bytes_dirty};
}

// The caller holds the lock; it is released while the chunk is mapped. False: no memory is available.
static bool add_chunk(void)
{
    static const hak_decay_pool_t functions = {usage_for_decay, page_arena_return};
    hak_decay_register_pool(HAK_POOL_RUNS, &functions);
    os_unlock(&arena.lock);
    arena_age_t age;
    arena_chunk_t *chunk = arena_chunk_map(&age);
    os_lock(&arena.lock);
    if (chunk == NULL) return false;
    arena.clean_taken += ARENA_CHUNK_UNITS - age.dirty;
    arena_runs_add_chunk(chunk, age);
    return true;
}

// Takes up to `want` runs, the last perhaps from a new chunk. The caller holds the lock; it may be released meanwhile.
static unsigned take_runs(uint32_t units, size_t alignment, unsigned want, void **runs, bool *zeroed)
{
    unsigned taken = 0;
    *zeroed = true;
    while (taken < want) {
        char *run = arena_free_find(units, alignment);
        if (run == NULL && taken > 0) break;
        if (run == NULL && !add_chunk()) break;
        if (run == NULL) continue;
        bool is_zero;
        runs[taken++] = arena_runs_carve(run, units, alignment, &is_zero);
        *zeroed &= is_zero;
    }
#if HAKMEM_DEBUG_OUTPUT
    taken_runs += taken;
    say_stats();
#endif
    return taken;
}

// The caller does not hold the lock.
static void make_room(size_t mapped)
{
    if (UNLIKELY(mapped > 0)) hak_decay_make_room(HAK_POOL_RUNS, mapped * PAGE_ARENA_UNIT);
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
    unsigned taken = take_runs(page_arena_units_for(size), alignment, 1, &run, zeroed);
    size_t mapped = take_clean_taken();
    os_unlock(&arena.lock);
    make_room(mapped);
    if (taken > 0) set_state(run, ARENA_RUN_OUT);
    return run;
}

unsigned page_arena_alloc_parked(size_t units, unsigned want, void **runs, bool *zeroed)
{
    os_lock(&arena.lock);
    unsigned taken = take_runs((uint32_t)units, PAGE_ARENA_UNIT, want, runs, zeroed);
    size_t mapped = take_clean_taken();
    os_unlock(&arena.lock);
    make_room(mapped);
    for (unsigned i = 0; i < taken; i++) set_state(runs[i], ARENA_RUN_PARKED);
    return taken;
}

// ---- frees

// Returns the unit where an allocated run begins. Only the run's owner changes that.
static uint32_t run_out(const arena_chunk_t *chunk, const void *block, const char *misuse)
{
    if (UNLIKELY(!arena_is_start(chunk, block, ARENA_RUN_OUT))) hak_die(misuse, block);
    return arena_unit_of(chunk, block);
}

size_t page_arena_park(void *block)
{
    arena_chunk_t *chunk = arena_chunk_of(block);
    // Two threads that free the block at the same instant are not detected: that would cost an atomic exchange per
    // free.
    uint32_t unit = run_out(chunk, block, "double free, or free of a pointer into a block");
    arena_set_state(chunk, unit, ARENA_RUN_PARKED);
    return chunk->length[unit];
}

void page_arena_unpark(void *block)
{
    HAK_CHECK(arena_is_start(arena_chunk_of(block), block, ARENA_RUN_PARKED), "a run is in two caches",
              block);
    set_state(block, ARENA_RUN_OUT);
}

bool page_arena_free_parked(void *const *runs, unsigned count)
{
    os_lock(&arena.lock);
    for (unsigned i = 0; i < count; i++) {
        arena_chunk_t *chunk = arena_chunk_of(runs[i]);
        uint32_t first = arena_unit_of(chunk, runs[i]);
        HAK_CHECK(arena_is_start(chunk, runs[i], ARENA_RUN_PARKED), "a run that is freed is not parked",
                  runs[i]);
        arena_set_state(chunk, first, ARENA_RUN_NONE);
        arena_runs_give_back_dirty(chunk, first, chunk->length[first]);
    }
#if HAKMEM_DEBUG_OUTPUT
    given_runs += count;
    say_stats();
#endif
    bool surplus = arena_runs_are_surplus();
    os_unlock(&arena.lock);
    return surplus;
}

bool page_arena_free(void *block)
{
    page_arena_park(block);
    return page_arena_free_parked(&block, 1);
}

size_t page_arena_usable_size(const void *block, const char *misuse)
{
    arena_chunk_t *chunk = arena_chunk_of(block);
    return chunk->length[run_out(chunk, block, misuse)] * PAGE_ARENA_UNIT;
}

bool page_arena_resize(void *block, size_t size)
{
    uint32_t units = page_arena_units_for(size);
    arena_chunk_t *chunk = arena_chunk_of(block);
    uint32_t first = run_out(chunk, block, "realloc of a pointer that is no block");
    uint32_t old_units = chunk->length[first];
    if (units == old_units) return true;
    os_lock(&arena.lock);
    bool resized = units < old_units || arena_runs_grow(chunk, first, old_units, units);
    if (resized) chunk->length[first] = (uint16_t)units;
    if (units < old_units) arena_runs_give_back_dirty(chunk, first + units, old_units - units);
    os_unlock(&arena.lock);
    return resized;
}

// ---- the arena as a whole

page_arena_usage_t page_arena_usage(void)
{
    os_lock(&arena.lock);
    page_arena_usage_t usage = {arena.chunk_count, arena.units_used * PAGE_ARENA_UNIT,
                                arena_free_dirty_units() * PAGE_ARENA_UNIT, arena_free_runs()};
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