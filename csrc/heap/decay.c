// Decay: checks the clock, and chooses which part returns memory to the system.
#include "heap/decay.h"

#include "entry/hardened.h"
#include "heap/arena_return.h"
#include "heap/demand.h"
#include "heap/large.h"
#include "heap/page_arena.h"
#include "heap/shared_pool.h"
#include "heap/tiny_visits.h"
#include "os/lock.h"
#include "os/os.h"
#include "registry/tiny_state.h"
#include "thread/tiny_lifecycle.h"
#include "thread/tiny_tls.h"

// These steps together must take at most 2 * decay_ms: a burst ends, a thread notices it, the thread returns its cached
// blocks to their slabs, the memory stays free for the delay, and a thread's next check returns it.
#define CACHES_SHARE 4u
#define SCAN_SHARE 8u
#define STEP_BYTES ((size_t)32 << 20) // returned at most by one check

HAK_TLS unsigned hak_decay_steps;

static _Atomic(uint32_t) last_scan;

// Empties the quarantine into the caches, then the caches.
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
        return; // another thread is doing it
    tiny_heaps_visit(false);
    shared_pool_return(STEP_BYTES, now, delay);
    page_arena_return(STEP_BYTES, now, delay);
    large_return(STEP_BYTES, now, delay);
}

// ---- one bound for all pools

#define KEPT_BYTES ((size_t)16 << 20)

static os_lock_t total_lock;
static hak_demand_t total;

// Returns the free bytes that the other pools hold beyond their bound; fills `is_free` with each pool's free bytes.
static size_t surplus(hak_pool_t asking, size_t is_free[HAK_POOLS], uint32_t now)
{
    shared_pool_usage_t slabs = shared_pool_usage();
    page_arena_usage_t runs = page_arena_usage();
    large_usage_t extents = large_usage();
    size_t used = slabs.pages_used * HAK_PAGE + runs.bytes_used + extents.bytes;
    is_free[HAK_POOL_SLABS] = slabs.dirty_pages * HAK_PAGE;
    is_free[HAK_POOL_RUNS] = runs.bytes_dirty;
    is_free[HAK_POOL_EXTENTS] = extents.cached_bytes;
    is_free[asking] = 0; // it enforces its own bound
    hak_demand_look(&total, used, now);
    size_t most = used / 16 > KEPT_BYTES ? used / 16 : KEPT_BYTES;
    if (total.peak > used && total.peak - used > most) most = total.peak - used;
    size_t sum = is_free[HAK_POOL_SLABS] + is_free[HAK_POOL_RUNS] + is_free[HAK_POOL_EXTENTS];
    return sum > most ? sum - most : 0;
}

void hak_decay_make_room(hak_pool_t pool, size_t bytes)
{
    if (UNLIKELY(os_forking)) return;
    tiny_heaps_collect();
    if (!os_try_lock(&total_lock)) return;
    size_t is_free[HAK_POOLS];
    uint32_t now = os_clock_ms();
    size_t wanted = surplus(pool, is_free, now);
    if (wanted > 2 * bytes) wanted = 2 * bytes;
    os_unlock(&total_lock);
    if (wanted == 0) return;
    size_t slabs = is_free[HAK_POOL_SLABS], runs = is_free[HAK_POOL_RUNS],
           extents = is_free[HAK_POOL_EXTENTS];
    if (extents >= runs && extents >= slabs) large_return(wanted, now, 0);
    else if (runs >= slabs) page_arena_return(wanted, now, 0);
    else shared_pool_return(wanted, now, 0);
}

void hak_decay_before_fork(void)
{
    os_lock(&total_lock);
}

void hak_decay_after_fork(void)
{
    os_unlock(&total_lock);
}

bool hak_decay_now(void)
{
    while (tiny_lifecycle_end_vanished()) continue;
    empty_caches();
    tiny_heaps_visit(true);
    bool pages = shared_pool_return(SIZE_MAX, os_clock_ms(), 0) > 0;
    bool runs = page_arena_return(SIZE_MAX, os_clock_ms(), 0) > 0;
    bool mappings = large_return(SIZE_MAX, os_clock_ms(), 0) > 0;
    return pages || runs || mappings;
}
