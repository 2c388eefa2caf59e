// Returning the arena's free memory: outside the lock, while the run counts as in use.
#include "heap/arena_return.h"

#include "heap/arena_runs.h"
#include "os/lock.h"
#include "os/os.h"

// Per hold of the lock: runs that are returned to the system, and runs that are checked.
#define PURGED_RUNS 16u
#define LOOKED_RUNS 256u

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
    unsigned looks; // runs that may still be checked
    size_t bytes; // to be returned
    size_t most;
    uint32_t now;
    uint32_t delay;
    size_t gone;
} purge_t;

static void isolate(purge_t *purge, const char *address)
{
    arena_chunk_t *chunk = arena_chunk_of(address);
    uint32_t first = arena_unit_of(chunk, address), units = chunk->length[first];
    arena_age_t age = arena_free_remove(chunk, first, units);
    purge->bytes += age.dirty * PAGE_ARENA_UNIT;
    if (units == ARENA_CHUNK_UNITS) {
        arena_runs_forget_chunk(chunk);
        chunk->next = purge->chunks;
        purge->chunks = chunk;
        return;
    }
    arena_runs_count_isolated(chunk, units);
    purge->run[purge->runs].chunk = chunk;
    purge->run[purge->runs].first = first;
    purge->run[purge->runs].units = units;
    purge->run[purge->runs].dirty = age.dirty;
    purge->run[purge->runs++].huge_pages = chunk->huge_pages;
    chunk->huge_pages = false;
}

static bool consider(void *context, const char *run, const arena_age_t *age)
{
    purge_t *purge = context;
    if (purge->looks == 0 || purge->runs == PURGED_RUNS || purge->bytes >= purge->most) return false;
    purge->looks--;
    if (purge->now - age->freed_at >= purge->delay || arena_runs_are_surplus()) isolate(purge, run);
    return true;
}

// Purges the run, except its own links and the post at its end.
static void purge_run(purge_t *purge, unsigned i)
{
    arena_chunk_t *chunk = purge->run[i].chunk;
    uintptr_t start = (uintptr_t)arena_address_of(chunk, purge->run[i].first);
    uintptr_t end = (start + purge->run[i].units * PAGE_ARENA_UNIT - CANARY_POST) & ~(OS_PAGE - 1);
    start = hak_round_up(start + (ARENA_NODES_APART ? 0 : sizeof(arena_node_t)),
                         OS_PAGE); // the system's pages may be larger than a unit
    if (purge->run[i].huge_pages) os_no_huge_pages(chunk->start, PAGE_ARENA_CHUNK);
    purge->run[i].purged = end <= start || os_purge((void *)start, end - start);
    if (purge->run[i].purged) purge->gone += purge->run[i].dirty * PAGE_ARENA_UNIT;
}

static void unmap_chunks(purge_t *purge)
{
    for (arena_chunk_t *chunk = purge->chunks, *next; chunk != NULL; chunk = next) {
        next = chunk->next;
        arena_chunk_unmap(chunk);
        purge->gone += PAGE_ARENA_CHUNK;
    }
}

// A run that could not be purged gets a new age, and is tried again after the delay.
static void end_isolation(const purge_t *purge)
{
    for (unsigned i = 0; i < purge->runs; i++) {
        arena_age_t age = {os_clock_ms(), purge->run[i].purged ? 0 : purge->run[i].dirty};
        arena_runs_give_back(purge->run[i].chunk, purge->run[i].first, purge->run[i].units, age);
    }
}

static size_t purge_oldest(size_t most, uint32_t now, uint32_t delay)
{
    purge_t purge = {.looks = LOOKED_RUNS, .most = most, .now = now, .delay = delay};
    os_lock(&arena.lock);
    hak_demand_look(&arena.demand, arena.units_used * PAGE_ARENA_UNIT, now);
    arena_free_visit_oldest(now, consider, &purge);
    os_unlock(&arena.lock);
    for (unsigned i = 0; i < purge.runs; i++) purge_run(&purge, i);
    unmap_chunks(&purge);
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
