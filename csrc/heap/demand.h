// Demand: how many bytes of one kind of memory were in use at the recent peak.
//
// A program often needs again what it has just freed, so a pool keeps free memory up to its recent peak. Every
// quarter of `decay_ms`, the peak loses half of its distance to what is in use, unless the use came near it since.
//
// gaps: free memory that is too short for the next request. Blocks of many sizes that come and go leave gaps of about a
// third of what is in use; a pool that counts no gaps returns memory that it maps again for the next block.
#ifndef HAK_DEMAND_H
#define HAK_DEMAND_H

#include "registry/tiny_state.h"

typedef struct hak_demand {
    size_t peak; // bytes
    uint32_t decayed_at; // by os_clock_ms
    bool renewed; // the use came near the peak since the last look, which may happen at low moments only
} hak_demand_t;

// Called when the use grows. The caller holds the pool's lock.
static inline void hak_demand_count(hak_demand_t *demand, size_t in_use)
{
    if (in_use > demand->peak) demand->peak = in_use;
    if (in_use >= demand->peak - demand->peak / 8) demand->renewed = true;
}

// The caller holds the pool's lock; `now` is os_clock_ms().
static inline void hak_demand_look(hak_demand_t *demand, size_t in_use, uint32_t now)
{
    if (in_use >= demand->peak || demand->renewed) {
        if (in_use > demand->peak) demand->peak = in_use;
        demand->renewed = false;
        demand->decayed_at = now;
    } else if (now - demand->decayed_at >= (uint32_t)TINY_OPTION_DECAY_MS / 4) {
        demand->peak -= (demand->peak - in_use) / 2;
        demand->decayed_at = now;
    }
}

// Returns the bytes, used and free ones together, that a pool may keep: 9/8 * peak. Free memory is not always what the next
// block needs, so a load that allocates the same amount again and again needs a little more than its peak. Otherwise it would
// return as much each time, and take it anew.
static inline size_t hak_demand_bound(const hak_demand_t *demand)
{
    return demand->peak + demand->peak / 8;
}

// Returns the bytes of free memory that the pool may keep: max(bound - in_use, in_use / 2, least).
static inline size_t hak_demand_keeps(const hak_demand_t *demand, size_t in_use, size_t least)
{
    size_t most = in_use / 2 > least ? in_use / 2 : least;
    size_t total = hak_demand_bound(demand);
    return total > in_use + most ? total - in_use : most;
}

// The same for a pool whose blocks lie in gaps of any length: max(1.5 * peak - in_use, least).
static inline size_t hak_demand_keeps_with_gaps(const hak_demand_t *demand, size_t in_use, size_t least)
{
    size_t total = demand->peak + demand->peak / 2;
    return total > in_use + least ? total - in_use : least;
}

#endif
