// SuperSlab backend: a heap's slabs, the allocation of their blocks and the return of freed ones.
//
// heap: the slabs of one thread; it outlives the thread and is passed on to another one.
// remote: a slab's blocks that other threads freed; a lock-free list that the owner collects.
// pending: a heap's slabs that have remote blocks; a slab is listed once, by the thread that found its remote list
// empty.
// outbox: blocks of other threads' slabs that the owner has freed: one chain per slab, sent as a whole.
// visit: another thread collects for an owner that waits for something else.
// quiet: a heap whose thread took no blocks while others took many slabs; its slabs with room are taken over.
// vanished: the heap of a thread that does not exist in a forked child; it waits there to be released.
#ifndef TINY_SUPERSLAB_H
#define TINY_SUPERSLAB_H

#include "os/hak_types.h"
#include "os/os.h"
#include "hardened/tiny_checks.h"
#include "registry/tiny_registry.h"

enum { TINY_HEAP_LIVE = 1, TINY_HEAP_IDLE = 2, TINY_HEAP_VANISHED = 3 };

// A slot, selected by the slab's address, serves one slab at a time.
#define TINY_OUTBOX_SLOTS 32u
typedef struct tiny_outgoing {
    tiny_slab_t *slab;
    tiny_block_t *head; // NULL: the slot is empty
    tiny_block_t *tail;
    unsigned count;
} tiny_outgoing_t;

typedef struct tiny_heap {
    uint32_t id; // the owner in its slabs' tags; ids begin at 1
    _Atomic(uint32_t) state; // live: has a thread; idle: waits for the next thread; vanished
    struct tiny_heap *next_waiting; // in the list of idle or of vanished heaps; under the heaps' lock
    tiny_slab_t *with_room[TINY_CLASSES]; // slabs with a free block
    uint32_t rooms[TINY_CLASSES]; // number of slabs in with_room
    size_t bytes_out; // allocated blocks: in the thread's caches, in use, or on their way back to the heap
    size_t bytes_out_peak; // since the heap was last found to have shrunk
    uint32_t took_at; // the clock of new slabs when the thread last took blocks
    uint32_t searches; // unsuccessful searches for slabs of quiet heaps
    uint32_t pause; // new slabs to take before the next search
    uint64_t random; // with full checks: the state of the owner's random numbers
    void (*suspect)(const tiny_block_t *); // called by the owner for an arriving block that seems free
    struct run_cache *runs; // cache of page arena runs; NULL until it is used
    void *front; // option `front_apart`: the owner's front, which the next owner reuses
    void *thread; // the owner's thread state, see tiny_tls.c; vanished: a copy of it
    unsigned changes; // nesting depth of the owner's changes
    _Atomic(uint32_t) in_change; // 1 during a change; a whole word, so that a fork can wait for it
    unsigned outgoing; // blocks in the outbox
    tiny_outgoing_t outbox[TINY_OUTBOX_SLOTS];
    _Alignas(64) _Atomic(tiny_slab_t *) pending;
    _Atomic(tiny_block_t *) doubted; // blocks of any class that a visit left to the owner
    _Atomic(uint32_t) pending_count;
} tiny_heap_t;

// All blocks of a class are aligned to the largest power of two that divides their size, up to this one.
#define TINY_ALIGNMENT_MOST ((size_t)4096)

// Maximum pages of a slab; each slab has a power of two of them.
#define TINY_SLAB_PAGES_MOST 4u

// Returns the index of the block that begins at `address`, which lies in the slab; SIZE_MAX if none does.
static inline size_t tiny_block_index(const tiny_slab_t *slab, const void *address)
{
    const char *at = address;
    if (at < slab->start) return SIZE_MAX;
    uint32_t size = tiny_class_size[slab->class], offset = (uint32_t)(at - slab->start);
    uint32_t index = offset / size;
    return index * size == offset && index < slab->capacity ? index : SIZE_MAX;
}

// Reports misuse of a tiny block; the line also gives its class's size.
_Noreturn void tiny_die(const char *what, const void *block) COLD;

// Between tiny_heap_begin and tiny_heap_end the owner may leave its heap in any state: no fork and no visit happens in
// between. They nest.
// tiny_heaps_forking: a fork or a visit is in progress.
// tiny_heaps_awaited: a fork waits for the end of a change.
extern _Atomic(bool) tiny_heaps_forking;
extern _Atomic(bool) tiny_heaps_awaited;
void tiny_heap_wait_for_fork(tiny_heap_t *heap) COLD;

static inline void tiny_heap_begin(tiny_heap_t *heap)
{
    if (heap->changes++ > 0) return;
    atomic_store(&heap->in_change, 1); // store, then load; a fork stores tiny_heaps_forking, then loads this
    if (UNLIKELY(atomic_load(&tiny_heaps_forking))) tiny_heap_wait_for_fork(heap);
}

static inline void tiny_heap_end(tiny_heap_t *heap)
{
    if (--heap->changes > 0) return;
    atomic_store_explicit(&heap->in_change, 0, memory_order_release);
    if (UNLIKELY(atomic_load_explicit(&tiny_heaps_awaited, memory_order_relaxed))) os_wake(&heap->in_change);
}

// Adds up to `want` blocks to the chain, from slabs of the heap, then from the shared pool; returns their number. The
// heap must be the calling thread's.
unsigned tiny_heap_take(tiny_heap_t *heap, size_t class, unsigned want, tiny_chain_t *chain);

// Returns one block to its slab, which the heap owns. An empty slab is returned to the shared pool.
void tiny_heap_give(tiny_heap_t *heap, tiny_block_t *block);

// True if the block is free in its slab, which the heap owns. Checks all free blocks of the slab, or only those that
// were returned last if the mark is in the link.
bool tiny_heap_holds(const tiny_block_t *block);

// Collects what other threads have freed; the second also takes in the doubted blocks.
void tiny_heap_collect(tiny_heap_t *heap);
void tiny_heap_collect_all(tiny_heap_t *heap);

// True when much less is allocated than at the peak: a burst is over. `tiny_heap_forget_peak` resets the peak.
bool tiny_heap_has_shrunk(const tiny_heap_t *heap);
void tiny_heap_forget_peak(tiny_heap_t *heap);

// Collects everything and returns every empty slab to the shared pool.
void tiny_heap_tidy(tiny_heap_t *heap);

// Visits every heap that is not in change and collects for it; with `tidy`, returns its empty slabs to the shared pool.
void tiny_heaps_visit(bool tidy) COLD;

// Collects remote blocks of idle heaps and of live heaps that are not in change.
void tiny_heaps_collect(void) COLD;

// Sends blocks of one slab to its owner; the calling thread does not own it. Lock-free unless the owner has too many
// pending slabs.
void tiny_heap_send(tiny_slab_t *slab, const tiny_chain_t *chain);

// Returns a heap for the calling thread, idle or new; NULL when no memory is available.
tiny_heap_t *tiny_heap_acquire(void);

// Returns the number of heaps that have a thread.
size_t tiny_heaps_live(void);

// Makes the heap idle; its thread's caches have been drained.
void tiny_heap_release(tiny_heap_t *heap);

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
