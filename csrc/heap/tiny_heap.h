// Heaps: the record of each, the table of all, and changes by their owners.
//
// heap: the slabs of one thread; it outlives the thread and is passed on to another one.
// remote: a slab's blocks that other threads freed; the owner collects them.
// pending: a heap's slabs that have remote blocks; a slab is listed once, by the thread whose block was the first.
// doubted: slabs with a remote block that may also lie in a cache of the owner, which only the owner can tell; a visit
// lists them.
// noted: blocks that the owner has freed and that lie in other heaps' slabs, not looked at yet.
// outbox: the same after that, sent in batches.
// visit: another thread collects for an owner that waits for something else.
// quiet: a heap whose thread took no blocks while others took many slabs; its sparse slabs are offered to all.
// vanished: the heap of a thread that does not exist in a forked child; it waits there to be released.
//
// Access: only its thread touches a live heap's slabs; an idle heap's slabs are touched only under the heaps' lock.
#ifndef TINY_HEAP_H
#define TINY_HEAP_H

#include "hardened/tiny_checks.h"
#include "os/lock.h"
#include "os/os.h"
#include "os/os_fence.h"
#include "registry/tiny_registry.h"
#include "registry/tiny_row.h"

enum { TINY_HEAP_LIVE = 1, TINY_HEAP_IDLE = 2, TINY_HEAP_VANISHED = 3 };

// Blocks of one word of one slab's bits.
typedef struct tiny_outgoing {
    tiny_slab_t *slab;
    uint64_t blocks; // one bit per block
    uint32_t word;
    uint16_t room; // blocks until they are enough to be sent
    uint16_t weight; // of each block
} tiny_outgoing_t;

// words[0..used) are in use; places: a hash table of them, each as its index + 1; 0: the place is free. There are so many places
// that nearly every word is at its first one.
#define TINY_OUTBOX_WORDS 96u
#define TINY_OUTBOX_PLACE_BITS 10
#define TINY_OUTBOX_PLACES (1u << TINY_OUTBOX_PLACE_BITS)
typedef struct tiny_outbox {
    uint32_t used;
    uint32_t weight; // of all blocks
    uint32_t most; // weight at which all is sent
    uint8_t places[TINY_OUTBOX_PLACES];
    tiny_outgoing_t words[TINY_OUTBOX_WORDS];
} tiny_outbox_t;

// Blocks that the owner has freed and that other heaps seem to own; fewer than this, and than these bytes.
#define TINY_NOTED_BLOCKS 64u
#define TINY_NOTED_BYTES (256u << 10)
typedef struct tiny_noted {
    uint32_t count;
    uint32_t bytes;
    tiny_block_t *block[TINY_NOTED_BLOCKS];
} tiny_noted_t;

typedef struct tiny_heap {
    uint32_t id; // the owner in its slabs' tags; ids begin at 1
    _Atomic(uint32_t) state; // live: has a thread; idle: waits for the next thread; vanished
    struct tiny_heap *next_waiting; // in the list of idle or of vanished heaps; under the heaps' lock
    tiny_slab_t *with_room[TINY_CLASSES]; // slabs with a free block
    uint32_t rooms[TINY_CLASSES]; // number of slabs in with_room
    tiny_slab_t *kept[TINY_CLASSES]; // empty slabs for the next requests; they are not in with_room
    uint32_t kept_pages; // of these slabs
    uint32_t next_released; // class whose empty slabs are released next
    _Atomic(size_t) pages; // of all its slabs; written by the owner, or by a visit
    size_t bytes_out; // allocated blocks: in the thread's caches, in use, or on their way back to the heap
    size_t bytes_out_peak; // since the heap was last found to have shrunk
    _Atomic(uint32_t) took_at; // the clock of new slabs when the thread last took blocks
    _Atomic(uint32_t) visited_at; // the clock of new slabs when others last took what it had free
    uint32_t next_looked_at; // the other heap that its thread looks at next
    uint32_t searched_at; // the clock of new slabs when a visit last took its empty slabs
    bool was_searched; // since it last needed a slab
    bool only_waits; // it needed slabs soon after such a search
    uint32_t searches; // unsuccessful searches for slabs of quiet heaps
    uint32_t pause; // new slabs to take before the next search
    uint32_t grown; // pages taken whose memory was not present, since the owner last asked
    uint64_t random; // with full checks: the state of the owner's random numbers
    void (*suspect)(const tiny_block_t *); // called by the owner for an arriving block that seems free
    bool (*give_back)(void); // called before memory grows; true: the thread gave back what its caches held
    struct run_cache *runs; // cache of page arena runs; NULL until it is used
#if TINY_CHECKS >= TINY_CHECKS_FULL
    void *quarantine; // empty while the heap has no thread; NULL until it is used
#endif
    void *front; // option `front_apart`: the owner's front, which the next owner reuses
    void *thread; // the owner's thread state, see tiny_tls.h; vanished: a copy of it
    unsigned changes; // nesting depth of the owner's changes
    _Atomic(uint32_t) in_change; // 1 during a change; a whole word, so that a fork can wait for it
    tiny_noted_t noted;
    tiny_outbox_t outbox;
    _Alignas(64) _Atomic(tiny_remote_t *) pending;
    tiny_remote_t *doubted; // the next one to be looked at; changed by the owner in change, or by a visit
    _Atomic(uint32_t) pending_count;
    _Atomic(uint32_t) pending_doubled; // how often visits have found too few blocks in the pending slabs
} tiny_heap_t;

#define TINY_HEAPS_MAX 65536u // ids fit the tag's upper 24 bits with room to spare

// All heaps. 1 <= id <= count for every heap; live = the number of heaps in the state TINY_HEAP_LIVE.
typedef struct tiny_heaps {
    os_lock_t forks; // held during a fork, during visits, and while a vanished heap is taken over
    os_lock_t lock;
    tiny_heap_t *idle;
    uint32_t count; // heaps ever made
    _Atomic(uint32_t) live; // changed under the lock
    _Atomic(uint32_t) slabs_taken; // slabs taken by all heaps; serves as their clock
    uint32_t next_looked_at; // changed under the locks of a visit
    _Atomic(uint32_t) idle_slabs[TINY_CLASSES]; // slabs with room in idle heaps; changed under the lock
    _Atomic(tiny_heap_t *) by_id[TINY_HEAPS_MAX];
} tiny_heaps_t;
extern tiny_heaps_t tiny_heaps;

static inline tiny_heap_t *tiny_heaps_by_id(uint32_t id)
{
    return atomic_load(&tiny_heaps.by_id[id]);
}

static inline size_t tiny_heap_pages(const tiny_heap_t *heap)
{
    return atomic_load_explicit(&heap->pages, memory_order_relaxed);
}

static inline void tiny_heap_count_pages(tiny_heap_t *heap, ptrdiff_t change)
{
    atomic_store_explicit(&heap->pages, tiny_heap_pages(heap) + (size_t)change, memory_order_relaxed);
}

// Counts slabs with room that an idle heap gets or loses. The caller holds the lock, so that no atomic addition is needed: even one
// of 0 would wait for all earlier writes.
static inline void tiny_heaps_count_idle_slabs(size_t class, uint32_t change)
{
    _Atomic(uint32_t) *slabs = &tiny_heaps.idle_slabs[class];
    if (change == 0) return;
    atomic_store_explicit(slabs, atomic_load_explicit(slabs, memory_order_relaxed) + change,
                          memory_order_relaxed);
}

// Returns the number of heaps that have a thread.
size_t tiny_heaps_live(void);

// Between tiny_heap_begin and tiny_heap_end the owner may leave its heap in any state: no fork and no visit happens in
// between. They nest.
// tiny_heaps_forking: a fork or a visit is in progress.
// tiny_heaps_visiting: it is a visit, for which only the owner of tiny_heaps_visited waits.
// tiny_heaps_awaited: a fork waits for the end of a change.
extern _Atomic(bool) tiny_heaps_forking;
extern _Atomic(bool) tiny_heaps_visiting;
extern _Atomic(tiny_heap_t *) tiny_heaps_visited;
extern _Atomic(bool) tiny_heaps_awaited;
void tiny_heap_wait_for_fork(tiny_heap_t *heap) COLD;

static inline void tiny_heap_begin(tiny_heap_t *heap)
{
    if (heap->changes++ > 0) return;
    atomic_store_explicit(&heap->in_change, 1, memory_order_relaxed);
    os_fence_light(); // a fork or a visit sets tiny_heaps_forking, executes the heavy fence, then reads in_change
    if (UNLIKELY(atomic_load_explicit(&tiny_heaps_forking, memory_order_acquire)))
        tiny_heap_wait_for_fork(heap);
}

static inline void tiny_heap_end(tiny_heap_t *heap)
{
    if (--heap->changes > 0) return;
    atomic_store_explicit(&heap->in_change, 0, memory_order_release);
    if (UNLIKELY(atomic_load_explicit(&tiny_heaps_awaited, memory_order_relaxed))) os_wake(&heap->in_change);
}

#endif
