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

bool tiny_visit_enter(tiny_heap_t *heap)
{
    atomic_store(&tiny_heaps_visited, heap);
    if (!atomic_load(&heap->in_change)) return true;
    tiny_visit_leave();
    return false;
}

void tiny_visit_leave(void)
{
    atomic_store(&tiny_heaps_visited, NULL);
}

// The caller holds both locks. Returns the number of bytes that have become free. A thread that is changing its heap drains its
// inbox when it finishes.
static size_t collect_for(tiny_heap_t *heap)
{
    uint32_t state = atomic_load(&heap->state);
    bool live = state == TINY_HEAP_LIVE;
    if (live ? !tiny_visit_enter(heap) : state != TINY_HEAP_IDLE) return 0;
    size_t before = heap->bytes_out;
    tiny_remote_collect(heap, live ? TINY_BY_VISIT : TINY_BY_SENDER);
    size_t freed = before - heap->bytes_out;
    if (live) tiny_visit_leave();
    return freed;
}

static void visit(tiny_heap_t *heap, bool tidy)
{
    (void)collect_for(heap);
    if (atomic_load(&heap->state) != TINY_HEAP_LIVE || !tiny_visit_enter(heap)) return;
    if (tidy) (void)tiny_slabs_release_empty(heap);
    if (tidy) tiny_slabs_purge(heap, UINT_MAX);
    if (tidy) run_cache_empty(heap->runs);
    else run_cache_look(heap->runs);
    tiny_visit_leave();
}

bool tiny_visits_begin(void)
{
    if (os_forking || !os_try_lock(&tiny_heaps.forks)) return false;
    atomic_store(&tiny_heaps_visiting, true);
    atomic_store(&tiny_heaps_forking, true);
    os_fence_heavy();
    os_lock(&tiny_heaps.lock);
    return true;
}

void tiny_visits_end(void)
{
    os_unlock(&tiny_heaps.lock);
    atomic_store(&tiny_heaps_forking, false);
    atomic_store(&tiny_heaps_visiting, false);
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
        if (atomic_load_explicit(&heap->pending_count, memory_order_relaxed) > 0) (void)collect_for(heap);
    }
    tiny_visits_end();
}

// Few blocks in each of many slabs are not worth a visit: with most frees in other slabs than the one before, each would
// cost as much as a visit to a slab.
static void collect_pending(tiny_heap_t *heap)
{
    size_t pending = atomic_load_explicit(&heap->pending_count, memory_order_relaxed);
    bool worth = collect_for(heap) >= pending * WORTH_BYTES;
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
static void list(const tiny_unlisted_t *slabs)
{
    tiny_remote_list(slabs->owner, slabs->first, slabs->last, slabs->count);
    if (UNLIKELY(has_many_pending(slabs->owner))) visit_one(slabs->owner);
}

void tiny_heap_send(tiny_slab_t *slab, size_t word, uint64_t blocks)
{
    tiny_heap_t *owner;
    tiny_remote_t *remote = tiny_remote_post(slab, word, blocks, &owner);
    if (remote != NULL) list(&(tiny_unlisted_t){owner, remote, remote, 1});
}

void tiny_sending_add(tiny_sending_t *sending, tiny_slab_t *slab, size_t word, uint64_t blocks)
{
    tiny_heap_t *owner;
    tiny_remote_t *remote = tiny_remote_post(slab, word, blocks, &owner);
    if (remote == NULL) return;
    tiny_unlisted_t *slabs = &sending->of[owner->id % TINY_SENDING_OWNERS];
    if (slabs->owner == owner) {
        remote->next = slabs->first;
        slabs->first = remote;
        slabs->count++;
    } else {
        if (slabs->owner != NULL) list(slabs);
        *slabs = (tiny_unlisted_t){owner, remote, remote, 1};
    }
}

void tiny_sending_end(tiny_sending_t *sending)
{
    for (unsigned i = 0; i < TINY_SENDING_OWNERS; i++)
        if (sending->of[i].owner != NULL) list(&sending->of[i]);
}
