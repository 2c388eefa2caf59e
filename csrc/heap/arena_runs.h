// Runs of the page arena: carved from free ones, and joined with free neighbours when they are given back.
//
// The arena's lock guards its chunks, their runs and these counts. The caller of each function holds it.
#ifndef ARENA_RUNS_H
#define ARENA_RUNS_H

#include "heap/arena_free.h"
#include "heap/demand.h"
#include "os/lock.h"
#include "os/os.h"

// units_used = the sum of the chunks' units_used.
typedef struct arena_state {
    os_lock_t lock;
    arena_chunk_t *chunks;
    size_t chunk_count;
    size_t units_used;
    size_t clean_taken; // units of chunks newly mapped since other pools were last asked to make room
    hak_demand_t demand;
} arena_state_t;
extern arena_state_t arena;

// Adds a mapped chunk, as one free run; or removes the chunk, whose only run is on no list.
void arena_runs_add_chunk(arena_chunk_t *chunk, arena_age_t age);
void arena_runs_forget_chunk(arena_chunk_t *chunk);

// Takes `units` from a free run, from its first aligned address on; the parts before and after stay free. *zeroed is
// true if the memory is known to be zero.
char *arena_runs_carve(const char *run, uint32_t units, size_t alignment, bool *zeroed);

// Frees a run and joins it with its free neighbours. The second form is for one that the program has written to.
void arena_runs_give_back(arena_chunk_t *chunk, uint32_t first, uint32_t units, arena_age_t age);
void arena_runs_give_back_dirty(arena_chunk_t *chunk, uint32_t first, uint32_t units);

// Enlarges a run in use into the free one that follows it. False: there is too little room.
bool arena_runs_grow(arena_chunk_t *chunk, uint32_t first, uint32_t old_units, uint32_t units);

// Takes a free run, which is on no list afterwards, for work outside the lock; it counts as in use meanwhile.
void arena_runs_count_isolated(arena_chunk_t *chunk, uint32_t units);

// True if more memory is free than the recent peak allows.
bool arena_runs_are_surplus(void);

#endif
