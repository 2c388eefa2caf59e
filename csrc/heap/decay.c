// Decay: checks the clock, and chooses which part returns memory to the system.
#include "heap/decay.h"

#include "heap/demand.h"
#include "os/lock.h"
#include "os/os.h"

// These steps together must take at most 2 * decay_ms: a burst ends, a thread notices it, the thread returns its cached
// blocks to their slabs, the memory stays free for the delay, and a thread's next check returns it.
#define CACHES_SHARE 4u
#define SCAN_SHARE 8u
#define STEP_BYTES ((size_t)32 << 20) // returned at most by one check

HAK_TLS unsigned hak_decay_steps;

static _Atomic(uint32_t) last_scan;

// ---- the parts

static _Atomic(const hak_decay_pool_t *) pools[HAK_POOLS];
static _Atomic(const hak_decay_heaps_t *) heaps;
static _Atomic(const hak_decay_caches_t *) caches;

void hak_decay_register_pool(hak_pool_t pool, const hak_decay_pool_t *functions)
{
    atomic_store_explicit(&pools[pool], functions, memory_order_release);
}

void hak_decay_register_heaps(const hak_decay_heaps_t *functions)
{
    atomic_store_explicit(&heaps, functions, memory_order_release);
}

void hak_decay_register_caches(const hak_decay_caches_t *functions)
{
    atomic_store_explicit(&caches, functions, memory_order_release);
}

// Returns the number of bytes. A pool that has not registered holds nothing.
static size_t give_back(hak_pool_t pool, size_t most, uint32_t now, uint32_t delay)
{
    const hak_decay_pool_t *functions = atomic_load_explicit(&pools[pool], memory_order_acquire);
    return functions != NULL ? functions->give_back(most, now, delay) : 0;
}

static hak_pool_usage_t usage_of(hak_pool_t pool)
{
    const hak_decay_pool_t *functions = atomic_load_explicit(&pools[pool], memory_order_acquire);
    return functions != NULL ? functions->usage() : (hak_pool_usage_t){0, 0};
}

static void visit_heaps(bool tidy)
{
    const hak_decay_heaps_t *functions = atomic_load_explicit(&heaps, memory_order_acquire);
    if (functions != NULL) functions->visit(tidy);
}

static void collect_for_heaps(void)
{
    const hak_decay_heaps_t *functions = atomic_load_explicit(&heaps, memory_order_acquire);
    if (functions != NULL) functions->collect();
}

// ---- checks

void hak_decay_look(void)
{
    if (UNLIKELY(os_forking)) return;
    uint32_t now = os_clock_ms(), delay = (uint32_t)TINY_OPTION_DECAY_MS;
    const hak_decay_caches_t *own = atomic_load_explicit(&caches, memory_order_acquire);
    if (own != NULL) own->look(now, delay / CACHES_SHARE);
    uint32_t last = atomic_load_explicit(&last_scan, memory_order_relaxed);
    if (now - last < delay / SCAN_SHARE) return;
    if (!atomic_compare_exchange_strong_explicit(&last_scan, &last, now, memory_order_relaxed,
                                                 memory_order_relaxed))
        return; // another thread is doing it
    visit_heaps(false);
    for (hak_pool_t pool = 0; pool < HAK_POOLS; pool++) give_back(pool, STEP_BYTES, now, delay);
}

bool hak_decay_now(void)
{
    const hak_decay_caches_t *own = atomic_load_explicit(&caches, memory_order_acquire);
    if (own != NULL) own->empty();
    visit_heaps(true);
    bool any = false;
    for (hak_pool_t pool = 0; pool < HAK_POOLS; pool++)
        any |= give_back(pool, SIZE_MAX, os_clock_ms(), 0) > 0;
    return any;
}

// ---- one bound for all pools

#define KEPT_BYTES ((size_t)16 << 20)

static os_lock_t total_lock;
static hak_demand_t total;

// Returns the free bytes that the other pools hold beyond their bound:
// max(0, free - max(used / 16, KEPT_BYTES, peak - used)). Fills `is_free` with each pool's free bytes.
static size_t surplus(hak_pool_t asking, size_t is_free[HAK_POOLS], uint32_t now)
{
    size_t used = 0, sum = 0;
    for (hak_pool_t pool = 0; pool < HAK_POOLS; pool++) {
        hak_pool_usage_t usage = usage_of(pool);
        used += usage.used;
        is_free[pool] = pool != asking ? usage.free : 0; // it enforces its own bound
        sum += is_free[pool];
    }
    hak_demand_look(&total, used, now);
    size_t most = used / 16 > KEPT_BYTES ? used / 16 : KEPT_BYTES;
    if (total.peak > used && total.peak - used > most) most = total.peak - used;
    return sum > most ? sum - most : 0;
}

static hak_pool_t largest(const size_t is_free[HAK_POOLS])
{
    hak_pool_t best = HAK_POOLS - 1;
    for (hak_pool_t pool = best; pool-- > 0;)
        if (is_free[pool] > is_free[best]) best = pool;
    return best;
}

void hak_decay_make_room(hak_pool_t pool, size_t bytes)
{
    if (UNLIKELY(os_forking)) return;
    collect_for_heaps();
    if (!os_try_lock(&total_lock)) return;
    size_t is_free[HAK_POOLS];
    uint32_t now = os_clock_ms();
    size_t wanted = surplus(pool, is_free, now);
    if (wanted > 2 * bytes) wanted = 2 * bytes;
    os_unlock(&total_lock);
    if (wanted > 0) give_back(largest(is_free), wanted, now, 0);
}

void hak_decay_before_fork(void)
{
    os_lock(&total_lock);
}

void hak_decay_after_fork(void)
{
    os_unlock(&total_lock);
}
