// Decay: memory that has been free for a while goes back to the system.
//
// There is no background thread. Slow paths count their steps here, and look at a coarse clock now and then; what has been
// free for the option `decay_ms` goes back, whichever thread freed it. A thread that is past a burst also sends home what
// its own caches hold: each block there keeps a slab in use.
#ifndef DECAY_H
#define DECAY_H

#include "hak_types.h"

extern HAK_TLS unsigned hak_decay_steps;

void hak_decay_look(void) COLD;

// All that is free goes back at once, as far as the calling thread can reach it; true if there was any. To be called as
// hak_decay_step is.
bool hak_decay_now(void) COLD;

// A pool takes memory from the system, `bytes` of late: what the others have free goes back, as far as it is more than the
// recent peak of what is in use leaves. No lock is held.
typedef enum hak_pool { HAK_POOL_SLABS, HAK_POOL_RUNS, HAK_POOL_EXTENTS, HAK_POOLS } hak_pool_t;
void hak_decay_make_room(hak_pool_t pool, size_t bytes);

void hak_decay_before_fork(void);
void hak_decay_after_fork(void);

// Called where no lock is held and no layer is in the midst of a change: its caches may be emptied here.
static inline void hak_decay_step(void)
{
    enum { STEPS_A_LOOK = 64 }; // a look costs as much as a few steps
    if (UNLIKELY(++hak_decay_steps % STEPS_A_LOOK == 0)) hak_decay_look();
}

#endif
