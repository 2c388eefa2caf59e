// SuperSlab backend: a heap's slabs, and the way of blocks out of them and home again.
//
// heap: the slabs of one thread; it outlives the thread and is handed on to the next.
// remote: of a slab, the blocks that other threads freed; a lock-free list, taken in by the owner.
// pending: of a heap, its slabs that have remote blocks; each is there once, put there by who found it without any.
// outbox: blocks of other threads' slabs that the owner has freed, a chain a slab, sent in one.
// visit: another thread takes in for an owner that does not come to it, because it waits for something.
// quiet: a heap whose thread took no blocks while others took many slabs; what it has room in is taken over.
// vanished: of a thread that a fork has not taken along into the child, where its heap waits to be handed on.
#ifndef TINY_SUPERSLAB_H
#define TINY_SUPERSLAB_H

#include "hak_types.h"
#include "os.h"
#include "tiny_checks.h"
#include "tiny_registry.h"

enum { TINY_HEAP_LIVE = 1, TINY_HEAP_IDLE = 2, TINY_HEAP_VANISHED = 3 };

// A slot serves one slab after the other, found by its address.
#define TINY_OUTBOX_SLOTS 32u
typedef struct tiny_outgoing {
    tiny_slab_t *slab;
    tiny_block_t *head; // NULL: the slot is empty
    tiny_block_t *tail;
    unsigned count;
} tiny_outgoing_t;

typedef struct tiny_heap {
    uint32_t id; // the owner in its slabs' tags; from 1
    _Atomic(uint32_t) state; // live: a thread's; idle: waits for the next thread; vanished
    struct tiny_heap *next_waiting; // of those that are idle, or vanished; under the heaps' lock
    tiny_slab_t *with_room[TINY_CLASSES]; // slabs that have a block to give
    uint32_t rooms[TINY_CLASSES]; // how many they are
    size_t bytes_out; // of blocks with the thread's caches, with the program or on their way home
    size_t bytes_out_peak; // since the heap was last found to have shrunk
    uint32_t took_at; // the clock of new slabs when a thread last took blocks from it
    uint32_t searches; // in vain, for slabs of quiet heaps
    uint32_t pause; // new slabs before the next search
    uint64_t random; // with every check: the state of the owner's coin
    void (*suspect)(const tiny_block_t *); // the owner looks at one that came in and seems to be free already
    struct run_cache *runs; // of the page arena; NULL until there are any
    void *front; // option `front_apart`: the one of its owner, which the next owner takes over
    void *thread; // what is the owner's own, see tiny_tls.c; vanished: a copy of it
    unsigned changes; // by the owner, under way: one within the other
    _Atomic(uint32_t) in_change; // 1 while one is under way; a word, so that a fork can wait for it
    unsigned outgoing; // blocks in the outbox
    tiny_outgoing_t outbox[TINY_OUTBOX_SLOTS];
    _Alignas(64) _Atomic(tiny_slab_t *) pending;
    _Atomic(tiny_block_t *) doubted; // of all classes: those that only the owner can judge, after a visit
    _Atomic(uint32_t) pending_count;
} tiny_heap_t;

// The power of two that all blocks of a class are aligned to is the largest that divides their size, up to this one.
#define TINY_ALIGNMENT_MOST ((size_t)4096)

// Pages of one slab, at most: a power of two, as each slab's are.
#define TINY_SLAB_PAGES_MOST 4u

// Which of its slab's blocks begins at an address in the slab; SIZE_MAX if none does.
static inline size_t tiny_block_index(const tiny_slab_t *slab, const void *address)
{
    const char *at = address;
    if (at < slab->start) return SIZE_MAX;
    uint32_t size = tiny_class_size[slab->class], offset = (uint32_t)(at - slab->start);
    uint32_t index = offset / size;
    return index * size == offset && index < slab->capacity ? index : SIZE_MAX;
}

// Misuse of a tiny block: the line names its class' size, too.
_Noreturn void tiny_die(const char *what, const void *block) COLD;

// Between these two the owner may leave its heap in any state: no fork comes between, and no visit. They nest.
// tiny_heaps_forking: one of them is under way.
// tiny_heaps_awaited: a fork waits for the end of one.
extern _Atomic(bool) tiny_heaps_forking;
extern _Atomic(bool) tiny_heaps_awaited;
void tiny_heap_wait_for_fork(tiny_heap_t *heap) COLD;

static inline void tiny_heap_begin(tiny_heap_t *heap)
{
    if (heap->changes++ > 0) return;
    atomic_store(&heap->in_change, 1); // and then it looks; a fork first says so, and then looks here
    if (UNLIKELY(atomic_load(&tiny_heaps_forking))) tiny_heap_wait_for_fork(heap);
}

static inline void tiny_heap_end(tiny_heap_t *heap)
{
    if (--heap->changes > 0) return;
    atomic_store_explicit(&heap->in_change, 0, memory_order_release);
    if (UNLIKELY(atomic_load_explicit(&tiny_heaps_awaited, memory_order_relaxed))) os_wake(&heap->in_change);
}

// Adds up to `want` blocks to the chain, from slabs of the heap, then from the shared pool; returns how many.
// The heap must be the calling thread's.
unsigned tiny_heap_take(tiny_heap_t *heap, size_t class, unsigned want, tiny_chain_t *chain);

// One block goes home to its slab, which the heap owns. An empty slab goes to the shared pool.
void tiny_heap_give(tiny_heap_t *heap, tiny_block_t *block);

// Whether the block is at home in its slab, which the heap owns. Looks at all that are, or at those that came last where the
// mark is in the link.
bool tiny_heap_holds(const tiny_block_t *block);

// Takes in what other threads have freed; `all` also what was doubted.
void tiny_heap_collect(tiny_heap_t *heap);
void tiny_heap_collect_all(tiny_heap_t *heap);

// True when much less is out than at the peak: a burst is over. `tiny_heap_forget_peak` then begins anew.
bool tiny_heap_has_shrunk(const tiny_heap_t *heap);
void tiny_heap_forget_peak(tiny_heap_t *heap);

// Takes in everything and gives every empty slab to the shared pool.
void tiny_heap_tidy(tiny_heap_t *heap);

// Visits every heap whose owner is not in the midst of a change, and takes in for it; with `tidy` its empty slabs go to the
// shared pool.
void tiny_heaps_visit(bool tidy) COLD;

// Takes in what has been freed for idle heaps, and for those whose owners are not in the midst of a change.
void tiny_heaps_collect(void) COLD;

// Blocks of one slab, freed by a thread that does not own it. Lock-free but where the owner is idle, or has more slabs
// pending than it should.
void tiny_heap_send(tiny_slab_t *slab, const tiny_chain_t *chain);

// A heap for the calling thread: an idle one, else a new one; NULL when memory cannot be had.
tiny_heap_t *tiny_heap_acquire(void);

// Heaps that are a thread's.
size_t tiny_heaps_live(void);

// The thread is done with its heap, whose caches have been drained.
void tiny_heap_release(tiny_heap_t *heap);

// Waits until no heap is in change but `own`, the calling thread's or NULL, and keeps all that way.
void tiny_heaps_before_fork(const tiny_heap_t *own);
void tiny_heaps_after_fork(void);

// The calling thread is about to end the process: if it was in the midst of a visit, or of a fork, others need not wait for
// its end.
void tiny_heaps_give_up(void);

// In the child, before that: the heaps of all other threads have vanished. `copy` makes a copy of what a thread had, or
// NULL: then the heap is lost, but that its blocks can be freed.
void tiny_heaps_vanish(const tiny_heap_t *own, void *(*copy)(const void *thread));

// A vanished heap, which the caller releases in its thread's place; NULL when there is none. No fork comes between
// this and tiny_heap_taken_over.
extern _Atomic(tiny_heap_t *) tiny_heaps_vanished;
tiny_heap_t *tiny_heap_take_over(void);
void tiny_heap_taken_over(void);

#endif
