// A thread's side of the backend: its heap, and the blocks it has freed for others.
//
// outbox: blocks of other threads' heaps, sent home in batches.  hot magazine: option `hotmag`, see the catalogue.
#ifndef TINY_TLS_H
#define TINY_TLS_H

#include "hak_types.h"
#include "tiny_registry.h"
#include "tiny_superslab.h"

// Blocks fetched by one refill: 4 KiB worth, at most 64, at least 4 or 32 KiB worth; one of the largest.
static inline unsigned tiny_batch(size_t class)
{
    unsigned size = tiny_class_size[class], blocks = 4096 / size, least = 32768 / size;
    if (blocks >= 4) return blocks > 64 ? 64 : blocks;
    return least > 4 ? 4 : least > 1 ? least : 1;
}

// A chain of up to `want` blocks of the class; returns how many: 0 when memory cannot be had, or the thread is past its
// own end. Attaches the thread to a heap when it has none.
unsigned tiny_backend_take(size_t class, unsigned want, tiny_chain_t *chain) COLD;

// Whether the thread's lists may hold so many bytes more; if so, they are taken off what it may hold.
bool tiny_backend_may_hold(size_t bytes) COLD;

// Blocks of one class that the thread's caches have no room for go home to their slabs.
void tiny_backend_give(tiny_block_t *block) COLD;
void tiny_backend_give_chain(const tiny_chain_t *chain) COLD;

// A free that the fast path did not take: of another heap's block, or of one that the tag map does not know. Checked.
void tiny_backend_free(tiny_block_t *block, tiny_tag_t tag) COLD;

// What waits on the thread's side goes home: the outbox, the hot magazine, the queue of spilled blocks.
void tiny_backend_drain(void) COLD;

// Takes in what others have freed. True when the thread is past a burst now, and was at the last look already, at least
// `patience` milliseconds ago: its caches should be emptied. `now` is os_clock_ms().
bool tiny_backend_is_past_burst(uint32_t now, uint32_t patience) COLD;

// Everything that the thread's caches hold, and what others have freed for it, goes home; empty slabs go to the pool.
void tiny_backend_empty(void) COLD;

// The heap of the calling thread; NULL when it has none and cannot have one.
tiny_heap_t *tiny_backend_heap(void);

// Hands the thread's heap on. Afterwards the thread has none, and gets none: frees go straight home.
void tiny_backend_detach(void);

// True while the calling thread changes its heap: in a signal's handler, which has interrupted it.
bool tiny_backend_is_in_change(void);

// The calling thread is about to end the process: what it was changing is left as it is, and nobody waits for that.
void tiny_backend_give_up(void);

// The child of a fork: all other threads are gone, what they had is set aside.
void tiny_backend_others_vanish(void);

// The calling thread stands in for one of these while `end` does what a thread does at its end. False: there is none left.
bool tiny_backend_end_vanished(void (*end)(void)) COLD;

// A pointer that hardened.c keeps for the calling thread.
void **tiny_backend_quarantine(void);

// True once the thread's caches are gone, near the end of the thread.
bool tiny_backend_is_detached(void);

#endif
