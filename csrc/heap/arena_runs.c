// Runs of the page arena, and how many units of it are in use.
#include "heap/arena_runs.h"

#include <string.h>

#include "debug/messages.h"

// Always cached, if a program frees as much; more after a peak, see demand.h.
#define KEPT_BYTES ((size_t)32 << 20)

arena_state_t arena;

static void count_units(arena_chunk_t *chunk, uint32_t taken, uint32_t given)
{
    chunk->units_used += taken - given;
    arena.units_used += taken;
    arena.units_used -= given;
}

static void count_taken(arena_chunk_t *chunk, uint32_t units)
{
    count_units(chunk, units, 0);
    hak_demand_count(&arena.demand, arena.units_used * PAGE_ARENA_UNIT);
}

void arena_runs_count_isolated(arena_chunk_t *chunk, uint32_t units)
{
    count_units(chunk, units, 0);
}

bool arena_runs_are_surplus(void)
{
    return arena_free_dirty_units() * PAGE_ARENA_UNIT >
           hak_demand_keeps(&arena.demand, arena.units_used * PAGE_ARENA_UNIT, KEPT_BYTES);
}

// ---- chunks

void arena_runs_add_chunk(arena_chunk_t *chunk, arena_age_t age)
{
    arena_chunk_publish(chunk);
    chunk->next = arena.chunks;
    if (chunk->next != NULL) chunk->next->previous = chunk;
    arena.chunks = chunk;
    arena.chunk_count++;
    arena_free_add(chunk, 0, ARENA_CHUNK_UNITS, age);
#if HAKMEM_DEBUG_OUTPUT
    if (UNLIKELY(hak_debug_on))
        hak_debug_print("[hakmem:page_arena.init] chunk %p, %zu mapped\n", (void *)chunk->start,
                        arena.chunk_count);
#endif
}

// The caller unmaps the chunk without the lock.
void arena_runs_forget_chunk(arena_chunk_t *chunk)
{
#if HAKMEM_DEBUG_OUTPUT
    if (UNLIKELY(hak_debug_on))
        hak_debug_print("[hakmem:page_arena.shutdown] chunk %p, %zu mapped, %zu bytes in use\n",
                        (void *)chunk->start, arena.chunk_count, arena.units_used * PAGE_ARENA_UNIT);
#endif
    arena_chunk_forget(chunk);
    if (chunk->next != NULL) chunk->next->previous = chunk->previous;
    if (chunk->previous != NULL) chunk->previous->next = chunk->next;
    else arena.chunks = chunk->next;
    arena.chunk_count--;
}

// ---- taking

char *arena_runs_carve(const char *run, uint32_t units, size_t alignment, bool *zeroed)
{
    arena_chunk_t *chunk = arena_chunk_of(run);
    uint32_t first = arena_unit_of(chunk, run);
    uint32_t length = chunk->length[first];
    uint32_t skipped = arena_free_skipped(run, alignment);
    arena_age_t age = arena_free_remove(chunk, first, length);
    *zeroed = ARENA_NODES_APART && PAGE_ARENA_UNIT >= OS_PAGE && CANARY_POST == 0 && age.dirty == 0;
    if (skipped > 0) arena_free_add(chunk, first, skipped, age);
    if (length > skipped + units)
        arena_free_add(chunk, first + skipped + units, length - skipped - units, age);
    first += skipped;
    chunk->length[first] = (uint16_t)units;
    count_taken(chunk, units);
    canary_set_post(arena_address_of(chunk, first + units));
    return arena_address_of(chunk, first);
}

// ---- giving back

// Two joined runs have the age of the larger part. So a small part that is allocated and freed repeatedly neither keeps
// the large one cached for ever nor is returned to the system together with it each time.
static arena_age_t joined_age(arena_age_t age, uint32_t units, arena_age_t other, uint32_t other_units)
{
    return (arena_age_t){other_units > units && other.dirty > 0 ? other.freed_at : age.freed_at,
                         age.dirty + other.dirty};
}

// With full checks, clears the post of a run that ended at `unit` and was joined to the next: the post is derived from
// the secret and must not stay in memory that is allocated again.
static void wipe_post(const arena_chunk_t *chunk, uint32_t unit)
{
    memset(arena_address_of(chunk, unit) - CANARY_POST, 0, CANARY_POST);
}

void arena_runs_give_back(arena_chunk_t *chunk, uint32_t first, uint32_t units, arena_age_t age)
{
    count_units(chunk, 0, units);
    uint32_t end = first + units;
    if (end < ARENA_CHUNK_UNITS && arena_is_free_edge(chunk, end)) {
        uint32_t joined = chunk->length[end];
        age = joined_age(age, end - first, arena_free_remove(chunk, end, joined), joined);
        wipe_post(chunk, end);
        end += joined;
    }
    if (first > 0 && arena_is_free_edge(chunk, first - 1)) {
        uint32_t joined = chunk->length[first - 1];
        age = joined_age(age, end - first, arena_free_remove(chunk, first - joined, joined), joined);
        wipe_post(chunk, first);
        first -= joined;
    }
    arena_free_add(chunk, first, end - first, age);
}

void arena_runs_give_back_dirty(arena_chunk_t *chunk, uint32_t first, uint32_t units)
{
    arena_runs_give_back(chunk, first, units, (arena_age_t){os_clock_ms(), units});
}

bool arena_runs_grow(arena_chunk_t *chunk, uint32_t first, uint32_t old_units, uint32_t units)
{
    uint32_t end = first + old_units;
    if (end >= ARENA_CHUNK_UNITS || !arena_is_free_edge(chunk, end)) return false;
    uint32_t room = chunk->length[end], more = units - old_units;
    if (room < more) return false;
    arena_age_t age = arena_free_remove(chunk, end, room);
    wipe_post(chunk, end);
    if (room > more) arena_free_add(chunk, end + more, room - more, age);
    count_taken(chunk, more);
    return true;
}
