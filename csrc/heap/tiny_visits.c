// Visits: of all heaps, or of one that has too many pending slabs.
#include "heap/tiny_visits.h"

#include <limits.h>

#include "heap/run_cache.h"
#include "heap/tiny_remote.h"
#include "heap/tiny_slabs.h"
#include "os/lock.h"

// Above this, a sender collects for the owner, if that is idle or not in change; above the double after each time that
// was in vain.
#define PENDING_SLABS 1024u
#define DOUBLED_MOST 6u
#define WORTH_BYTES (HAK_PAGE / 8) // for each pending slab

// The caller holds both locks, and no owner begins a change. A thread that is changing its heap drains its inbox when
// it finishes.
static bool collect_for(tiny_heap_t *heap)
{
    uint32_t state = atomic_load(&heap->state);
    if (state == TINY_HEAP_IDLE) tiny_remote_collect(heap, TINY_BY_SENDER);
    if (state != TINY_HEAP_LIVE || atomic_load(&heap->in_change)) return false;
    tiny_remote_collect(heap, TINY_BY_VISIT);
    return true;
}

static void visit(tiny_heap_t *heap, bool tidy)
{
    if (!collect_for(heap)) return;
    tiny_remote_collect_doubted(heap, TINY_BY_VISIT);
    if (tidy) (void)tiny_slabs_release_empty(heap);
    if (tidy) tiny_slabs_purge(heap, UINT_MAX);
    if (tidy) run_cache_empty(heap->runs);
    else run_cache_look(heap->runs);
}

bool tiny_visits_begin(void)
{
    if (os_forking || !os_try_lock(&tiny_heaps.forks)) return false;
    atomic_store(&tiny_heaps_forking, true);
    os_fence_heavy();
    os_lock(&tiny_heaps.lock);
    return true;
}

void tiny_visits_end(void)
{
    os_unlock(&tiny_heaps.lock);
    atomic_store(&tiny_heaps_forking, false);
    os_unlock(&tiny_heaps.forks);
}

void tiny_heaps_visit(bool tidy)
{
    if (!tiny_visits_begin()) return;
    for (uint32_t id = 1; id <= tiny_heaps.count; id++) {
        tiny_heap_t *heap = tiny_heaps_by_id(id);
        visit(heap, tidy);
    }
    tiny_visits_end();
}

void tiny_heaps_collect(void)
{
    if (!tiny_visits_begin()) return;
    for (uint32_t id = 1; id <= tiny_heaps.count; id++) {
        tiny_heap_t *heap = tiny_heaps_by_id(id);
        if (atomic_load_explicit(&heap->pending_count, memory_order_relaxed) > 0) collect_for(heap);
    }
    tiny_visits_end();
}

// Few blocks in each of many slabs are not worth a visit: with most frees in other slabs than the one before, each would
// cost as much as a visit to a slab.
static void collect_pending(tiny_heap_t *heap)
{
    size_t pending = atomic_load_explicit(&heap->pending_count, memory_order_relaxed);
    size_t before = heap->bytes_out;
    collect_for(heap);
    bool worth = before - heap->bytes_out >= pending * WORTH_BYTES;
    uint32_t doubled = atomic_load_explicit(&heap->pending_doubled, memory_order_relaxed);
    doubled = worth ? 0 : doubled < DOUBLED_MOST ? doubled + 1 : DOUBLED_MOST;
    atomic_store_explicit(&heap->pending_doubled, doubled, memory_order_relaxed);
}

static COLD void visit_one(tiny_heap_t *heap)
{
    if (!tiny_visits_begin()) return;
    collect_pending(heap);
    tiny_visits_end();
}

static bool has_many_pending(const tiny_heap_t *heap)
{
    uint32_t doubled = atomic_load_explicit(&heap->pending_doubled, memory_order_relaxed);
    return atomic_load_explicit(&heap->pending_count, memory_order_relaxed) > PENDING_SLABS << doubled;
}

// Most pending slabs receive more blocks before the owner, or a visit, collects them: so the cost of a free does not
// depend on the number of the owner's slabs.
void tiny_heap_send(tiny_slab_t *slab, size_t word, uint64_t blocks)
{
    tiny_heap_t *heap = tiny_remote_post(slab, word, blocks);
    if (heap == NULL) return;
    if (UNLIKELY(has_many_pending(heap))) visit_one(heap);
}
