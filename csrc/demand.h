// Demand: how much of a kind of memory was in use at the recent peak.
//
// What a program freed a moment ago it often wants again: a pool keeps free memory up to its recent peak. The peak decays
// towards what is in use, by half of the difference each quarter of the option `decay_ms`.
#ifndef HAK_DEMAND_H
#define HAK_DEMAND_H

#include "tiny_state.h"

typedef struct hak_demand {
    size_t peak; // bytes
    uint32_t decayed_at; // by os_clock_ms
} hak_demand_t;

// Under the pool's lock; `now` is os_clock_ms().
static inline void hak_demand_look(hak_demand_t *demand, size_t in_use, uint32_t now)
{
    if (in_use >= demand->peak) {
        demand->peak = in_use;
        demand->decayed_at = now;
    } else if (now - demand->decayed_at >= (uint32_t)TINY_OPTION_DECAY_MS / 4) {
        demand->peak -= (demand->peak - in_use) / 2;
        demand->decayed_at = now;
    }
}

// Bytes of free memory that may be kept: what the recent peak leaves, half of what is in use, or `least`.
static inline size_t hak_demand_keeps(const hak_demand_t *demand, size_t in_use, size_t least)
{
    size_t most = in_use / 2 > least ? in_use / 2 : least;
    size_t below_peak = demand->peak > in_use ? demand->peak - in_use : 0;
    return below_peak > most ? below_peak : most;
}

#endif
