// Free runs of the page arena: found by size and by age.
//
// Every free run is in one list of runs of similar size. A run that can be returned to the system is in one generation,
// too. The caller of each function holds the arena's lock.
#ifndef ARENA_FREE_H
#define ARENA_FREE_H

#include "heap/arena_chunk.h"

// Adds a run, which has no free neighbour; or removes one and returns its age.
void arena_free_add(arena_chunk_t *chunk, uint32_t first, uint32_t units, arena_age_t age);
arena_age_t arena_free_remove(arena_chunk_t *chunk, uint32_t first, uint32_t units);

// True if a free run begins or ends at the unit.
static inline bool arena_is_free_edge(const arena_chunk_t *chunk, uint32_t unit)
{
    return chunk->free_edge[unit / 64] >> (unit % 64) & 1;
}

// Returns a run that holds `units` from one of its aligned addresses on; NULL when there is none.
char *arena_free_find(uint32_t units, size_t alignment);

// Returns the units before the first aligned address in the run.
uint32_t arena_free_skipped(const char *run, size_t alignment);

// Calls `visit` for the oldest runs, the oldest generation first, until it returns false. `visit` may remove the run.
typedef bool arena_free_visit_t(void *context, const char *run, const arena_age_t *age);
void arena_free_visit_oldest(uint32_t now, arena_free_visit_t *visit, void *context);

size_t arena_free_runs(void);

// Returns the units that may hold memory, of the runs that are in a generation.
size_t arena_free_dirty_units(void);

#endif
