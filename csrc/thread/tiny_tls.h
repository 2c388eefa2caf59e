// A thread's side of the backend: its heap, and the blocks it has freed for others.
//
// outbox: blocks of other threads' heaps, sent to their owners in batches. hot magazine: option `hotmag`, see the
// catalogue.
#ifndef TINY_TLS_H
#define TINY_TLS_H

#include "heap/tiny_heap.h"
#include "os/hak_types.h"
#include "registry/tiny_registry.h"

// Blocks fetched by one refill: n = 4096 / size, at most 64; if n < 4, min(4, 32768 / size), at least 1.
static inline unsigned tiny_batch(size_t class)
{
    unsigned size = tiny_class_size[class], blocks = 4096 / size, least = 32768 / size;
    if (blocks >= 4) return blocks > 64 ? 64 : blocks;
    return least > 4 ? 4 : least > 1 ? least : 1;
}

// Takes a chain of up to `want` blocks of the class; returns their number: 0 when no memory is available, or the thread
// is past its own end. Attaches the thread to a heap if it has none.
unsigned tiny_backend_take(size_t class, unsigned want, tiny_chain_t *chain) COLD;

// True if the thread's lists may hold `bytes` more, which then count against its bound.
bool tiny_backend_may_hold(size_t bytes) COLD;

// Between these two, no fork happens, and no other thread collects for the calling thread. They nest.
void tiny_backend_begin(void);
void tiny_backend_end(void);

// Returns blocks of one class to their slabs, because the thread's caches have no room for them.
void tiny_backend_give(tiny_block_t *block) COLD;
void tiny_backend_give_chain(const tiny_chain_t *chain) COLD;

// Frees a block that the fast path did not take: one of another heap, or one that is not in the tag map. Checked.
void tiny_backend_free(tiny_block_t *block, tiny_tag_t tag) COLD;

// Returns the blocks that wait on the thread's side to their owners: the outbox, the hot magazine, the queue of spilled
// blocks.
void tiny_backend_drain(void) COLD;

// Collects what other threads have freed. True if a burst of the thread was over at the last check, at least `patience`
// milliseconds ago, and still is: then its caches should be emptied. `now` is os_clock_ms().
bool tiny_backend_is_past_burst(uint32_t now, uint32_t patience) COLD;

// Returns all blocks in the thread's caches, and those that others have freed for it, to their slabs; empty slabs are
// returned to the pool.
void tiny_backend_empty(void) COLD;

// Returns the calling thread's heap; NULL when it has none and cannot get one.
tiny_heap_t *tiny_backend_heap(void);

// Releases the thread's heap. Afterwards the thread has no heap and gets none: a freed block is sent to its owner at
// once.
void tiny_backend_detach(void);

// True while the calling thread changes its heap, as seen by a signal handler that has interrupted it.
bool tiny_backend_is_in_change(void);

// The calling thread is about to end the process: its unfinished change stays as it is, and no thread waits for its
// end.
void tiny_backend_give_up(void);

// In a forked child: marks the heaps of all other threads, which do not exist there, as vanished.
void tiny_backend_others_vanish(void);

// The calling thread acts for one vanished thread while `end` does the work of a thread's end. False: none is left.
bool tiny_backend_end_vanished(void (*end)(void)) COLD;

// Returns a pointer variable that hardened.c keeps for the calling thread.
void **tiny_backend_quarantine(void);

// True once the thread's caches have been released, near the end of the thread.
bool tiny_backend_is_detached(void);

#endif
