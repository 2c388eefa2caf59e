// Decay: the looks at the clock, and who is asked to give memory back.
#include "decay.h"

#include "hardened.h"
#include "large.h"
#include "os.h"
#include "page_arena.h"
#include "shared_pool.h"
#include "tiny_lifecycle.h"
#include "tiny_state.h"
#include "tiny_superslab.h"
#include "tiny_tls.h"

// A burst ends, a thread notices, its blocks go home, they have been free long enough, somebody looks: all of that is to
// fit twice the delay.
#define CACHES_SHARE 4u
#define SCAN_SHARE 8u
#define STEP_BYTES ((size_t)32 << 20) // go back in one look

HAK_TLS unsigned hak_decay_steps;

static _Atomic(uint32_t) last_scan;

// What waits in a quarantine goes through the caches.
static void empty_caches(void)
{
    hardened_drain();
    tiny_backend_empty();
}

void hak_decay_look(void)
{
    if (UNLIKELY(os_forking)) return;
    uint32_t now = os_clock_ms(), delay = (uint32_t)TINY_OPTION_DECAY_MS;
    if (tiny_backend_is_past_burst(now, delay / CACHES_SHARE)) empty_caches();
    uint32_t last = atomic_load_explicit(&last_scan, memory_order_relaxed);
    if (now - last < delay / SCAN_SHARE) return;
    if (!atomic_compare_exchange_strong_explicit(&last_scan, &last, now, memory_order_relaxed,
                                                 memory_order_relaxed))
        return; // another thread does it
    tiny_heaps_visit(false);
    shared_pool_return(now, delay);
    page_arena_return(now, delay);
    large_return(STEP_BYTES, now, delay);
}

bool hak_decay_now(void)
{
    while (tiny_lifecycle_end_vanished()) continue;
    empty_caches();
    tiny_heaps_visit(true);
    bool pages = shared_pool_return(0, 0);
    bool runs = page_arena_return(0, 0);
    bool mappings = large_return(SIZE_MAX, os_clock_ms(), 0) > 0;
    return pages || runs || mappings;
}
