// Chunks of the page arena: the mappings that runs lie in, and what is recorded of each unit.
//
// unit: the granularity of runs. The runs of a chunk cover it: the sum of their lengths = ARENA_CHUNK_UNITS.
#ifndef ARENA_CHUNK_H
#define ARENA_CHUNK_H

#include "hardened/canary.h"
#include "heap/arena_sizes.h"
#include "registry/tiny_registry.h"

#define ARENA_CHUNK_UNITS ((uint32_t)(PAGE_ARENA_CHUNK / PAGE_ARENA_UNIT))

// A free run is identified by its address. Its data is stored apart from it if units are pages, else in its first unit.
#define ARENA_NODES_APART (PAGE_ARENA_UNIT >= PAGE_ARENA_PAGE)

// The age of a free run's memory.
typedef struct arena_age {
    uint32_t freed_at; // by os_clock_ms; of the larger part
    uint32_t dirty; // units that may hold memory; 0 <= dirty <= length
} arena_age_t;

// Links to other free runs, encoded as a tiny block's links; see tiny_link.h.
typedef struct arena_node {
    uintptr_t next; // in its size list
    uintptr_t previous;
    uintptr_t younger; // in its generation; only if is_aged
    uintptr_t older;
    arena_age_t age;
    uint8_t generation;
    bool is_aged; // is in a generation
} arena_node_t;

enum { ARENA_RUN_NONE, ARENA_RUN_OUT, ARENA_RUN_PARKED };

typedef struct arena_chunk {
    char *start;
    struct arena_chunk *next;
    struct arena_chunk *previous;
    uint32_t units_used; // units of the chunk's runs in use
    bool huge_pages; // the kernel may use huge pages for it
    _Atomic(uint8_t) state[ARENA_CHUNK_UNITS]; // of the run in use that begins at this unit
    uint64_t free_edge[ARENA_CHUNK_UNITS / 64]; // a free run begins or ends at this unit
    uint16_t
        length[ARENA_CHUNK_UNITS]; // units of the run; at its first unit and, if it is free, also at its last
#if TINY_CHECKS >= TINY_CHECKS_FULL
    uint32_t asked[ARENA_CHUNK_UNITS]; // at the first unit of an allocated run: requested bytes plus 1
    bool filled[ARENA_CHUNK_UNITS]; // the unit was filled when it was freed, see fill.h
#endif
    arena_node_t node[ARENA_NODES_APART ? ARENA_CHUNK_UNITS : 1];
} arena_chunk_t;

// Makes a chunk that no run lies in, of free memory of large blocks or of new one, and sets the memory's age; NULL when no memory
// is available. The caller does not hold the arena's lock.
arena_chunk_t *arena_chunk_map(arena_age_t *age);
void arena_chunk_unmap(arena_chunk_t *chunk);

// Makes the registry lead from the chunk's addresses to the chunk; or no longer.
void arena_chunk_publish(arena_chunk_t *chunk);
void arena_chunk_forget(const arena_chunk_t *chunk);

static inline char *arena_address_of(const arena_chunk_t *chunk, uint32_t unit)
{
    return chunk->start + unit * PAGE_ARENA_UNIT;
}

static inline arena_chunk_t *arena_chunk_of(const void *block)
{
    return tiny_registry_record(block)->owner;
}

static inline uint32_t arena_unit_of(const arena_chunk_t *chunk, const void *block)
{
    return (uint32_t)((size_t)((const char *)block - chunk->start) / PAGE_ARENA_UNIT);
}

// True if a run in this state begins at `block`.
static inline bool arena_is_start(const arena_chunk_t *chunk, const void *block, uint8_t state)
{
    return ((uintptr_t)block & (PAGE_ARENA_UNIT - 1)) == 0 &&
           atomic_load_explicit(&chunk->state[arena_unit_of(chunk, block)], memory_order_relaxed) == state;
}

static inline void arena_set_state(arena_chunk_t *chunk, uint32_t unit, uint8_t state)
{
    atomic_store_explicit(&chunk->state[unit], state, memory_order_relaxed);
}

#endif
