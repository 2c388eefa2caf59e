// Decay: returns memory to the system once it has been free for a while.
//
// There is no background thread. Slow paths count their steps here and check a coarse clock now and then. Memory
// that has been free for `decay_ms` is returned to the system, whichever thread freed it. A thread whose burst is over
// also returns its cached blocks to their slabs, because each cached block keeps a slab in use.
// Pools, heaps and caches register here before they hold memory, so decay calls them without including them.
#ifndef DECAY_H
#define DECAY_H

#include "os/hak_types.h"

extern HAK_TLS unsigned hak_decay_steps;

void hak_decay_look(void) COLD;

// Returns all free memory that the calling thread can reach to the system at once; true if there was any. The
// conditions for a call are those of hak_decay_step.
bool hak_decay_now(void) COLD;

// A pool takes memory from the system and returns it.
typedef enum hak_pool { HAK_POOL_SLABS, HAK_POOL_RUNS, HAK_POOL_EXTENTS, HAK_POOLS } hak_pool_t;
typedef struct hak_pool_usage {
    size_t used; // bytes
    size_t free; // bytes of free memory that the pool has not returned
} hak_pool_usage_t;
typedef struct hak_decay_pool {
    hak_pool_usage_t (*usage)(void);
    // Returns up to about `most` bytes that have been free for `delay` milliseconds, or exceed the pool's own bound, and
    // the number of bytes. `now` is os_clock_ms().
    size_t (*give_back)(size_t most, uint32_t now, uint32_t delay);
} hak_decay_pool_t;
void hak_decay_register_pool(hak_pool_t pool, const hak_decay_pool_t *functions);

typedef struct hak_decay_heaps {
    void (*visit)(bool tidy); // takes in blocks for all heaps; with `tidy`, also empties what they hold
    void (*collect)(void); // takes in blocks for heaps to which other threads have freed some
} hak_decay_heaps_t;
void hak_decay_register_heaps(const hak_decay_heaps_t *functions);

// The calling thread's caches.
typedef struct hak_decay_caches {
    void (*look)(uint32_t now,
                 uint32_t patience); // empties them if a burst was over `patience` milliseconds ago
    void (*empty)(void);
} hak_decay_caches_t;
void hak_decay_register_caches(const hak_decay_caches_t *functions);

// A pool has taken `bytes` from the system recently. The other pools return the free memory that exceeds what their
// recent peak allows. The caller holds no lock.
void hak_decay_make_room(hak_pool_t pool, size_t bytes);

void hak_decay_before_fork(void);
void hak_decay_after_fork(void);

// The caller holds no lock, and no layer is being changed: the thread's caches may be emptied here.
static inline void hak_decay_step(void)
{
    enum { STEPS_A_LOOK = 64 }; // a check costs as much as a few steps
    if (UNLIKELY(++hak_decay_steps % STEPS_A_LOOK == 0)) hak_decay_look();
}

#endif
