// Heaps and their threads.
#include "heap/tiny_heaps.h"

#include "heap/decay.h"
#include "heap/run_cache.h"
#include "heap/tiny_remote.h"
#include "heap/tiny_slabs.h"
#include "heap/tiny_visits.h"
#include "os/lock.h"
#include "os/os.h"

#define MISSED_WAKE_MS 1u // an owner may end its change just before it sees that a fork waits for it

_Atomic(tiny_heap_t *) tiny_heaps_vanished; // changed under the lock

void tiny_heap_tidy(tiny_heap_t *heap)
{
    tiny_heap_collect(heap);
    tiny_slabs_release_empty(heap);
    run_cache_empty(heap->runs);
}

// ---- start and end of a thread

// Updates the count of an idle heap's slabs with room, which all heaps may adopt; `sign` is +1 when they are added, -1
// when they are removed.
static void count_idle_slabs(const tiny_heap_t *heap, int sign)
{
    for (size_t class = 0; class < TINY_CLASSES; class++)
        tiny_heaps_count_idle_slabs(class, (uint32_t)sign * heap->rooms[class]);
}

static tiny_heap_t *new_heap(void)
{
    static const hak_decay_heaps_t functions = {tiny_heaps_visit, tiny_heaps_collect};
    hak_decay_register_heaps(&functions);
    if (tiny_heaps.count + 1 >= TINY_HEAPS_MAX) return NULL;
    tiny_heap_t *heap = os_metadata(sizeof *heap);
    if (heap == NULL) return NULL;
    heap->id = ++tiny_heaps.count;
    atomic_store(&heap->state, TINY_HEAP_LIVE);
    atomic_store_explicit(&tiny_heaps.by_id[heap->id], heap, memory_order_release);
    return heap;
}

tiny_heap_t *tiny_heaps_idle_one(void)
{
    if (tiny_heaps.idle != NULL) return tiny_heaps.idle;
    tiny_heap_t *heap = new_heap();
    if (heap == NULL) return NULL;
    atomic_store(&heap->state, TINY_HEAP_IDLE);
    return tiny_heaps.idle = heap;
}

tiny_heap_t *tiny_heap_acquire(void)
{
    os_lock(&tiny_heaps.lock);
    tiny_heap_t *heap = tiny_heaps.idle;
    if (heap != NULL) {
        tiny_heaps.idle = heap->next_waiting;
        count_idle_slabs(heap, -1);
        tiny_heap_forget_peak(heap);
        heap->was_searched = heap->only_waits = false;
        atomic_store(&heap->state, TINY_HEAP_LIVE);
    } else {
        heap = new_heap();
    }
    if (heap != NULL) atomic_fetch_add_explicit(&tiny_heaps.live, 1, memory_order_relaxed);
    os_unlock(&tiny_heaps.lock);
    return heap;
}

void tiny_heap_release(tiny_heap_t *heap)
{
    os_lock(&tiny_heaps.lock);
    atomic_fetch_sub_explicit(&tiny_heaps.live, 1, memory_order_relaxed);
    atomic_store(&heap->state, TINY_HEAP_IDLE);
    heap->thread = NULL;
    tiny_heap_tidy(heap);
    count_idle_slabs(heap, +1);
    heap->next_waiting = tiny_heaps.idle;
    tiny_heaps.idle = heap;
    os_unlock(&tiny_heaps.lock);
}

// ---- fork

static uint32_t count_heaps(void)
{
    os_lock(&tiny_heaps.lock);
    uint32_t count = tiny_heaps.count;
    os_unlock(&tiny_heaps.lock);
    return count;
}

// A heap that is made later sees tiny_heaps_forking before its first change. The lock is taken last, because a thread
// that changes its heap may wait for it.
void tiny_heaps_before_fork(const tiny_heap_t *own)
{
    os_lock(&tiny_heaps.forks);
    atomic_store(&tiny_heaps_forking, true);
    atomic_store(&tiny_heaps_awaited, true);
    os_fence_heavy();
    for (uint32_t id = 1, count = count_heaps(); id <= count; id++) {
        tiny_heap_t *heap = tiny_heaps_by_id(id);
        while (heap != own && atomic_load(&heap->in_change)) os_wait(&heap->in_change, 1, MISSED_WAKE_MS);
    }
    atomic_store(&tiny_heaps_awaited, false);
    os_lock(&tiny_heaps.lock);
}

void tiny_heaps_after_fork(void)
{
    os_unlock(&tiny_heaps.lock);
    atomic_store(&tiny_heaps_forking, false);
    os_unlock(&tiny_heaps.forks);
}

void tiny_heaps_give_up(void)
{
    if (!os_holds(&tiny_heaps.forks)) return;
    atomic_store(&tiny_heaps_awaited, false);
    atomic_store(&tiny_heaps_visited, NULL);
    atomic_store(&tiny_heaps_visiting, false);
    atomic_store(&tiny_heaps_forking, false);
}

// Its thread may have been about to wait for the fork, see tiny_heap_wait_for_fork: no change had begun.
static void end_waiting(tiny_heap_t *heap)
{
    heap->changes = 0;
    atomic_store(&heap->in_change, 0);
}

// A heap that was about to get a thread, or whose thread cannot be copied, is on no list: it is lost.
void tiny_heaps_vanish(const tiny_heap_t *own, void *(*copy)(const void *thread))
{
    for (uint32_t id = 1; id <= tiny_heaps.count; id++) {
        tiny_heap_t *heap = tiny_heaps_by_id(id);
        if (heap == own || atomic_load(&heap->state) != TINY_HEAP_LIVE) continue;
        atomic_store(&heap->state, TINY_HEAP_VANISHED);
        atomic_fetch_sub_explicit(&tiny_heaps.live, 1, memory_order_relaxed);
        heap->suspect = NULL;
        heap->give_back = NULL;
        end_waiting(heap);
        if (heap->thread == NULL || (heap->thread = copy(heap->thread)) == NULL) continue;
        heap->next_waiting = atomic_load(&tiny_heaps_vanished);
        atomic_store(&tiny_heaps_vanished, heap);
    }
}

// No heap is taken over inside other libraries' fork handlers, because a fork is in progress.
tiny_heap_t *tiny_heap_take_over(void)
{
    if (os_forking) return NULL;
    os_lock(&tiny_heaps.forks);
    os_lock(&tiny_heaps.lock);
    tiny_heap_t *heap = atomic_load(&tiny_heaps_vanished);
    if (heap != NULL) {
        atomic_store(&tiny_heaps_vanished, heap->next_waiting);
        atomic_store(&heap->state, TINY_HEAP_LIVE);
        atomic_fetch_add_explicit(&tiny_heaps.live, 1, memory_order_relaxed);
    }
    os_unlock(&tiny_heaps.lock);
    if (heap == NULL) os_unlock(&tiny_heaps.forks);
    return heap;
}

void tiny_heap_taken_over(void)
{
    os_unlock(&tiny_heaps.forks);
}
