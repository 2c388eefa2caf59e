// Heaps: the table, and how an owner waits for a fork or a visit.
#include "heap/tiny_heap.h"

#include "os/lock.h"

tiny_heaps_t tiny_heaps;
_Atomic(bool) tiny_heaps_forking;
_Atomic(bool) tiny_heaps_visiting;
_Atomic(tiny_heap_t *) tiny_heaps_visited;
_Atomic(bool) tiny_heaps_awaited;

size_t tiny_heaps_live(void)
{
    return atomic_load_explicit(&tiny_heaps.live, memory_order_relaxed);
}

// A visit sets tiny_heaps_visited and then reads in_change: one of the two sees the other. A fork that begins after the look at
// tiny_heaps_visiting sees in_change, too.
static bool is_left_alone(tiny_heap_t *heap)
{
    atomic_store(&heap->in_change, 1);
    return atomic_load(&tiny_heaps_visiting) && atomic_load(&tiny_heaps_visited) != heap;
}

// The owner has set in_change and then seen that a fork or a visit is in progress. The forking thread itself does not
// wait: other libraries' handlers may allocate.
void tiny_heap_wait_for_fork(tiny_heap_t *heap)
{
    while (!os_forking && atomic_load(&tiny_heaps_forking) && !is_left_alone(heap)) {
        atomic_store(&heap->in_change, 0);
        if (atomic_load(&tiny_heaps_awaited)) os_wake(&heap->in_change);
        os_lock(&tiny_heaps.forks);
        os_unlock(&tiny_heaps.forks);
        atomic_store(&heap->in_change, 1);
    }
}
