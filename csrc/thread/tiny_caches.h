// What waits on a thread's side: how much it may be, when a burst of the thread is over, and how it is emptied.
#ifndef TINY_CACHES_H
#define TINY_CACHES_H

#include "thread/tiny_tls.h"

// True if the thread's lists may hold `bytes` more, which then count against its bound.
bool tiny_backend_may_hold(size_t bytes) COLD;
void tiny_backend_holds_less(size_t bytes);

// Returns by how many pages the memory of the thread's heap has grown since the last call.
static inline unsigned tiny_backend_grown(void)
{
    tiny_heap_t *heap = tiny_thread.heap;
    if (heap == NULL || LIKELY(heap->grown == 0)) return 0;
    unsigned grown = heap->grown;
    heap->grown = 0;
    return grown;
}

// Returns the blocks in the front's layers to their slabs if they are much, by themselves and beside what the program
// uses; true if so. For a heap whose memory would grow otherwise.
bool tiny_caches_give_back(void) COLD;

// Returns the blocks that wait behind the front to their owners: the outbox, the hot magazine, the queue of spilled
// blocks.
void tiny_caches_drain(void) COLD;

// Returns all blocks in the thread's caches, and those that others have freed for it, to their slabs; empty slabs are
// returned to the pool.
void tiny_caches_empty(void) COLD;

// Collects what other threads have freed. Empties the caches if a burst of the thread was over at the last check, at
// least `patience` milliseconds ago, and still is. `now` is os_clock_ms().
void tiny_caches_look(uint32_t now, uint32_t patience) COLD;

// The same for a thread that ends. The caller detaches it next.
void tiny_caches_end(void);

#endif
