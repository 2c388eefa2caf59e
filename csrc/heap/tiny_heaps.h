// Heaps get threads and lose them: start and end of a thread, and fork.
#ifndef TINY_HEAPS_H
#define TINY_HEAPS_H

#include "heap/tiny_heap.h"

// Returns a heap for the calling thread, idle or new; NULL when no memory is available.
tiny_heap_t *tiny_heap_acquire(void);

// Returns an idle heap, which is made if there is none; NULL when no memory is available. The caller holds the heaps'
// lock.
tiny_heap_t *tiny_heaps_idle_one(void);

// Makes the heap idle; its thread's caches have been drained.
void tiny_heap_release(tiny_heap_t *heap);

// Collects everything and returns every empty slab to the shared pool.
void tiny_heap_tidy(tiny_heap_t *heap);

// Waits until no heap but `own` (the calling thread's, or NULL) is in change, and prevents new changes.
void tiny_heaps_before_fork(const tiny_heap_t *own);
void tiny_heaps_after_fork(void);

// The calling thread is about to end the process: if it was making a visit or a fork, other threads need not wait for
// its end.
void tiny_heaps_give_up(void);

// In the child, before tiny_heaps_after_fork: marks the heaps of all other threads as vanished. `copy` copies a
// thread's state, or returns NULL: then the heap is lost, but its blocks can still be freed.
void tiny_heaps_vanish(const tiny_heap_t *own, void *(*copy)(const void *thread));

// Takes a vanished heap, which the caller then releases on behalf of its thread; NULL when there is none. No fork
// happens between this and tiny_heap_taken_over.
extern _Atomic(tiny_heap_t *) tiny_heaps_vanished;
tiny_heap_t *tiny_heap_take_over(void);
void tiny_heap_taken_over(void);

#endif
