// A thread's side of the backend: taking and returning blocks, batched remote frees, the options `hotmag` and `bg_*`.
#include "thread/tiny_tls.h"

#include "debug/messages.h"
#include "front/tiny_front.h"
#include "heap/decay.h"
#include "heap/tiny_heaps.h"
#include "heap/tiny_remote.h"
#include "heap/tiny_slabs.h"
#include "heap/tiny_superslab.h"
#include "heap/tiny_visits.h"
#include "os/os.h"
#include "thread/tiny_lifecycle.h"

#define OUTBOX_BLOCKS 256u // maximum number of blocks in the outbox
#define OUTBOX_BYTES ((size_t)8 << 10) // a batch is sent at this size, but not below two blocks

#define HOT_CLASSES (TINY_CLASSES < 4 ? TINY_CLASSES : 4)
#define HOT_BLOCKS 16u

typedef struct hot_magazine {
    unsigned count;
    tiny_block_t *block[HOT_BLOCKS];
} hot_magazine_t;

typedef struct tiny_thread {
    tiny_heap_t *heap;
#if !TINY_OPTION_FRONT_APART
    const tiny_front_t *front; // this thread's; only a forked child reads that of another thread
#endif
    bool detached;
    size_t may_hold; // bytes by which the lists were enlarged
    unsigned ticks; // slow paths since the remote blocks were last collected
    uint32_t looked_at; // by os_clock_ms; `shrunk` tells whether a burst was over then
    bool shrunk;
    void *quarantine; // see hardened.c
#if TINY_HAS_OPTION_HOTMAG
    hot_magazine_t hot[HOT_CLASSES];
#endif
} tiny_thread_t;

static HAK_TLS tiny_thread_t thread;

// ---- the front, in the thread-local state or apart from it

#if TINY_OPTION_FRONT_APART

static const tiny_front_t nobodys_front = TINY_FRONT_INITIAL;
#define NOBODYS_FRONT ((tiny_front_t *)(uintptr_t)&nobodys_front) // never written to
HAK_TLS tiny_front_t *tiny_front_apart = NOBODYS_FRONT;

// False: no memory is available for it.
static bool make_front(tiny_heap_t *heap)
{
    if (heap->front != NULL) return true;
    tiny_front_t *front = os_metadata(sizeof *front);
    if (front == NULL) return false;
    *front = nobodys_front;
    heap->front = front;
    return true;
}

static void take_front(const tiny_heap_t *heap)
{
    tiny_front_apart = heap->front;
}

static void leave_front(void)
{
    tiny_front.tag = TINY_NO_TAG;
    tiny_front_apart = NOBODYS_FRONT;
}

// What a forked child copies of another thread's front: nothing, because the heap has it.
typedef tiny_front_t *left_front_t;
#define FRONT_LEFT_BY(thread) ((void)(thread), NOBODYS_FRONT)
#define FRONT_HERE tiny_front_apart

#else

HAK_TLS tiny_front_t tiny_front = TINY_FRONT_INITIAL;

static bool make_front(const tiny_heap_t *heap)
{
    (void)heap;
    return true;
}

static void take_front(const tiny_heap_t *heap)
{
    (void)heap;
    thread.front = &tiny_front;
}

static void leave_front(void)
{
    tiny_front.tag = TINY_NO_TAG;
}

// What a forked child copies of another thread's front: all of it.
typedef tiny_front_t left_front_t;
#define FRONT_LEFT_BY(thread) (*(thread)->front)
#define FRONT_HERE tiny_front

#endif

// ---- option `hotmag`: a few blocks of the last refill per class, used before the backend

#if TINY_HAS_OPTION_HOTMAG

static unsigned take_hot(size_t class, tiny_chain_t *chain)
{
    if (!TINY_OPTION_HOTMAG || class >= HOT_CLASSES || thread.hot[class].count == 0) return 0;
    tiny_chain_push(chain, thread.hot[class].block[--thread.hot[class].count]);
    return 1;
}

static void fill_hot(size_t class)
{
    if (!TINY_OPTION_HOTMAG || class >= HOT_CLASSES) return;
    tiny_chain_t chain = {NULL, NULL, 0};
    tiny_heap_take(thread.heap, class, HOT_BLOCKS - thread.hot[class].count, &chain);
    for (tiny_block_t *block = chain.head; chain.count > 0; chain.count--) {
        thread.hot[class].block[thread.hot[class].count] = block;
        HAK_WRITTEN();
        thread.hot[class].count++;
        block = tiny_next(block);
    }
}

static __attribute__((unused)) bool hot_holds(const tiny_block_t *block)
{
    for (size_t class = 0; class < HOT_CLASSES; class++)
        for (unsigned i = 0; i < thread.hot[class].count; i++)
            if (thread.hot[class].block[i] == block) return true;
    return false;
}

static void drain_hot(void)
{
    for (size_t class = 0; class < HOT_CLASSES; class++)
        while (thread.hot[class].count > 0)
            tiny_backend_give(thread.hot[class].block[--thread.hot[class].count]);
}

#endif

// ---- option `bg_spill`: spilled blocks wait in a list; a later slow path of any thread returns them to their slabs

#if TINY_HAS_OPTION_BG_SPILL

static _Atomic(tiny_block_t *) spilled;

// A single block keeps its slab in use, so the queue is kept short.
#define SPILLED_BYTES ((size_t)128 << 10)
static _Atomic(size_t) spilled_bytes;

static bool queue_spill(const tiny_chain_t *chain)
{
    if (!TINY_OPTION_BG_SPILL) return false;
    size_t bytes = chain->count * (size_t)tiny_class_size[TINY_TAG_KIND(tiny_registry_tag(chain->head))];
    if (atomic_fetch_add_explicit(&spilled_bytes, bytes, memory_order_relaxed) > SPILLED_BYTES) {
        atomic_fetch_sub_explicit(&spilled_bytes, bytes, memory_order_relaxed);
        return false;
    }
    tiny_block_t *old = atomic_load_explicit(&spilled, memory_order_relaxed);
    do {
        tiny_link(chain->tail, old);
    } while (!atomic_compare_exchange_weak_explicit(&spilled, &old, chain->head, memory_order_release,
                                                    memory_order_relaxed));
    return true;
}

static void take_spilled_home(void)
{
    if (atomic_load_explicit(&spilled, memory_order_relaxed) == NULL) return;
    tiny_block_t *block = atomic_exchange_explicit(&spilled, NULL, memory_order_acquire);
    while (block != NULL) {
        tiny_block_t *next = tiny_next(block);
        size_t size = tiny_class_size[TINY_TAG_KIND(tiny_registry_tag(block))];
        atomic_fetch_sub_explicit(&spilled_bytes, size, memory_order_relaxed);
        tiny_backend_give(block);
        block = next;
    }
}

#endif

// ---- attaching

#if TINY_MARKS

// Ends the process if a marked block of the calling thread's heap is free: in a cache of the thread, or in its slab. A
// mark in the link is cleared before the block is returned to its slab, so the slab's list, which may be long, need not
// be searched.
static void check_not_free(const tiny_block_t *block)
{
    bool held = tiny_front_holds(TINY_TAG_KIND(tiny_registry_tag(block)), block);
#if !TINY_MARK_IN_LINK
    tiny_heap_begin(thread.heap);
    held = held || (TINY_TAG_OWNER(tiny_registry_tag(block)) == thread.heap->id && tiny_heap_holds(block));
    tiny_heap_end(thread.heap);
#endif
#if TINY_HAS_OPTION_HOTMAG
    held = held || hot_holds(block);
#endif
    if (held) tiny_die("double free", block);
}

// Checks a marked block of the calling thread's heap before it is freed.
static void check_marked(const tiny_block_t *block)
{
#if TINY_HAS_OPTION_BG_SPILL
    take_spilled_home(); // the block may be in that queue
#endif
    check_not_free(block);
}

#endif

// Makes the calling thread the heap's owner.
static void own(tiny_heap_t *heap)
{
    take_front(heap);
    thread.heap = heap;
    heap->thread = &thread;
    tiny_front.tag = TINY_OWN_TAG(heap->id);
#if TINY_MARKS
    tiny_front.key = tiny_secret();
    heap->suspect = check_not_free;
#endif
}

static void attach(void)
{
    tiny_heap_t *heap = tiny_heap_acquire();
    if (heap == NULL) return;
    if (!make_front(heap)) {
        tiny_heap_release(heap);
        return;
    }
    own(heap);
    tiny_lifecycle_thread_started();
#if HAKMEM_DEBUG_OUTPUT
    if (UNLIKELY(hak_debug_on)) hak_debug_print("[hakmem:tiny_tls.attach] heap %u\n", thread.heap->id);
#endif
}

tiny_heap_t *tiny_backend_heap(void)
{
    if (UNLIKELY(thread.heap == NULL) && !thread.detached) attach();
    return thread.heap;
}

void **tiny_backend_quarantine(void)
{
    return &thread.quarantine;
}

bool tiny_backend_is_detached(void)
{
    return thread.detached;
}

void tiny_backend_detach(void)
{
    if (thread.heap == NULL) return;
    tiny_backend_drain();
#if HAKMEM_DEBUG_OUTPUT
    if (UNLIKELY(hak_debug_on)) hak_debug_print("[hakmem:tiny_tls.detach] heap %u\n", thread.heap->id);
#endif
    tiny_heap_t *heap = thread.heap;
    heap->suspect = NULL;
    thread.detached = true;
    thread.heap = NULL;
    leave_front();
    tiny_heap_release(heap);
}

// ---- threads that do not exist in a forked child

// A copy of a vanished thread's state: a new thread may reuse the original's memory.
typedef struct tiny_left {
    tiny_thread_t thread;
    left_front_t front;
} tiny_left_t;

static void *copy_left(const void *of)
{
    const tiny_thread_t *left = of;
    tiny_left_t *copy = os_metadata(sizeof *copy);
    if (copy != NULL) *copy = (tiny_left_t){*left, FRONT_LEFT_BY(left)};
    return copy;
}

bool tiny_backend_is_in_change(void)
{
    return thread.heap != NULL && thread.heap->changes > 0;
}

void tiny_backend_give_up(void)
{
    tiny_heaps_give_up();
    if (!tiny_backend_is_in_change()) return;
    thread.heap->changes = 1;
    tiny_heap_end(thread.heap);
}

void tiny_backend_others_vanish(void)
{
    tiny_heaps_vanish(thread.heap, copy_left);
}

// Swaps byte by byte: a copy of a thread's whole state may not fit on a small stack.
static void swap(void *one, void *other, size_t size)
{
    for (char *a = one, *b = other; size > 0; size--, a++, b++) {
        char kept = *a;
        *a = *b;
        *b = kept;
    }
}

static void change_places(tiny_left_t *left)
{
    swap(&thread, &left->thread, sizeof thread);
    swap(&FRONT_HERE, &left->front, sizeof left->front);
}

bool tiny_backend_end_vanished(void (*end)(void))
{
    tiny_heap_t *heap = tiny_heap_take_over();
    if (heap == NULL) return false;
    tiny_left_t *left = heap->thread;
    change_places(left);
    own(heap); // the thread may have been about to release it
    end();
    change_places(left);
    tiny_heap_taken_over();
    return true;
}

// ---- what the thread's lists may hold

// All threads share HELD_IN_ALL, but each may hold HELD_LEAST. With many threads, none holds much when it becomes idle;
// only an idle thread itself could empty its lists.
#define HELD_IN_ALL ((size_t)32 << 20)
#define HELD_LEAST ((size_t)512 << 10)
#define HELD_MOST ((size_t)6 << 20)

bool tiny_backend_may_hold(size_t bytes)
{
    size_t threads = tiny_heaps_live(), most = HELD_IN_ALL / (threads > 0 ? threads : 1);
    if (most > HELD_MOST) most = HELD_MOST;
    if (most < HELD_LEAST) most = HELD_LEAST;
    if (thread.may_hold + bytes > most) return false;
    thread.may_hold += bytes;
    return true;
}

// ---- taking and giving

void tiny_backend_begin(void)
{
    if (LIKELY(thread.heap != NULL)) tiny_heap_begin(thread.heap);
}

void tiny_backend_end(void)
{
    if (LIKELY(thread.heap != NULL)) tiny_heap_end(thread.heap);
}

// Work unrelated to this request: options `bg_spill` and `bg_remote`.
static void background(tiny_heap_t *heap)
{
#if TINY_HAS_OPTION_BG_SPILL
    take_spilled_home();
#endif
#if TINY_HAS_OPTION_BG_REMOTE
    if (TINY_OPTION_BG_REMOTE > 0 && ++thread.ticks >= (unsigned)TINY_OPTION_BG_REMOTE) {
        thread.ticks = 0;
        tiny_heap_collect(heap);
    }
#else
    (void)heap;
#endif
}

unsigned tiny_backend_take(size_t class, unsigned want, tiny_chain_t *chain)
{
    *chain = (tiny_chain_t){NULL, NULL, 0};
    tiny_heap_t *heap = tiny_backend_heap();
    if (heap == NULL) return 0;
    hak_decay_step();
#if TINY_HAS_OPTION_HOTMAG
    if (take_hot(class, chain) > 0) return chain->count;
#endif
    tiny_heap_begin(heap);
    if (UNLIKELY(atomic_load_explicit(&tiny_heaps_vanished, memory_order_relaxed) != NULL) &&
        heap->with_room[class] == NULL) {
        tiny_heap_end(heap);
        tiny_lifecycle_end_vanished(); // this may provide blocks
        tiny_heap_begin(heap);
    }
    background(heap);
    tiny_heap_take(heap, class, want, chain);
#if TINY_HAS_OPTION_HOTMAG
    if (chain->count > 0) fill_hot(class);
#endif
    tiny_heap_end(heap);
#if HAKMEM_DEBUG_OUTPUT
    if (UNLIKELY(hak_debug_on))
        hak_debug_print("[hakmem:tiny_tls.take] class %zu: %u of %u blocks\n", class, chain->count, want);
#endif
    return chain->count;
}

// Empties the slot before its blocks are posted. The heap must be in change.
static void send_slot(tiny_heap_t *heap, tiny_outgoing_t *slot)
{
    uint64_t blocks = slot->blocks;
    heap->outgoing -= slot->count;
    slot->count = 0;
    slot->blocks = 0;
    tiny_heap_send(slot->slab, slot->word, blocks);
}

static void send_outbox(void)
{
    tiny_heap_t *heap = thread.heap;
    if (heap == NULL) return;
    tiny_heap_begin(heap);
    for (unsigned i = 0; i < TINY_OUTBOX_SLOTS; i++)
        if (heap->outbox[i].blocks != 0) send_slot(heap, &heap->outbox[i]);
    heap->outgoing = 0;
    tiny_heap_end(heap);
}

static tiny_outgoing_t *outbox_slot(tiny_heap_t *heap, const tiny_slab_t *slab, uint32_t word)
{
    uint32_t page = (uint32_t)((uintptr_t)slab->start >> HAK_PAGE_SHIFT);
    return &heap->outbox[(page + word) * 0x9e3779b9u >> 27 & (TINY_OUTBOX_SLOTS - 1)];
}

static void send_one_slot(tiny_heap_t *heap, tiny_outgoing_t *slot)
{
    tiny_heap_begin(heap);
    send_slot(heap, slot);
    tiny_heap_end(heap);
}

// A batch is complete when it has all blocks of a word, or enough bytes.
static bool is_complete(const tiny_outgoing_t *slot)
{
    if (slot->blocks == UINT64_MAX) return true;
    return slot->count >= 2 && slot->count * (size_t)tiny_class_size[slot->slab->class] >= OUTBOX_BYTES;
}

// Makes a slot serve the word. True: blocks that were in the slot were sent.
static bool turn_slot(tiny_heap_t *heap, tiny_outgoing_t *slot, tiny_slab_t *slab, uint32_t word)
{
    bool taken = slot->blocks != 0;
    if (taken) send_one_slot(heap, slot);
    slot->slab = slab;
    slot->word = word;
    slot->count = 0;
    return taken;
}

// Puts a block of another heap into the outbox: the one with that index in its slab. True: blocks were sent. A forked
// child finds the slot either without or with the block.
static bool send_later(tiny_slab_t *slab, size_t index)
{
    uint32_t word = (uint32_t)(index / 64);
    uint64_t bit = (uint64_t)1 << index % 64;
    tiny_heap_t *heap = tiny_backend_heap(); // a thread that only frees gets a heap too
    if (UNLIKELY(heap == NULL)) {
        tiny_heap_send(slab, word, bit);
        return false;
    }
    tiny_outgoing_t *slot = outbox_slot(heap, slab, word);
    bool sent = false;
    if (slot->slab != slab || slot->word != word) sent = turn_slot(heap, slot, slab, word);
    if (UNLIKELY((slot->blocks & bit) != 0)) tiny_die("double free", tiny_block_at(slab, index));
    HAK_WRITTEN();
    slot->blocks |= bit;
    slot->count++;
    heap->outgoing++;
    if (is_complete(slot)) {
        send_one_slot(heap, slot);
        return true;
    }
    if (UNLIKELY(heap->outgoing >= OUTBOX_BLOCKS)) send_outbox();
    return sent;
}

// Returns the block's index in its slab. Freeing a pointer that is not the start of a block would corrupt the heap, so the
// process ends here.
static size_t index_of(const tiny_slab_t *slab, const tiny_block_t *block)
{
    size_t index = tiny_block_index(slab, block);
    if (UNLIKELY(index == SIZE_MAX)) tiny_die("free of a pointer into a block", block);
    return index;
}

static bool is_own(tiny_tag_t tag)
{
    return thread.heap != NULL && TINY_TAG_OWNER(tag) == thread.heap->id;
}

// Returns a block to its slab; false if another heap owns it. The owner can only be checked in change: otherwise
// another thread may take the slab over.
static bool give_home(tiny_block_t *block)
{
    tiny_heap_t *heap = thread.heap;
    if (heap == NULL) return false;
    tiny_heap_begin(heap);
    bool own = is_own(tiny_registry_tag(block));
    if (own) tiny_heap_give(heap, block);
    tiny_heap_end(heap);
    return own;
}

// Blocks in the caches belong to the thread's own heap, but those in the shared queue may not.
void tiny_backend_give(tiny_block_t *block)
{
    if (give_home(block)) return;
    tiny_slab_t *slab = tiny_registry_slab(block);
    send_later(slab, index_of(slab, block));
}

void tiny_backend_give_chain(const tiny_chain_t *chain)
{
    if (chain->count == 0) return;
#if TINY_HAS_OPTION_BG_SPILL
    if (queue_spill(chain)) return;
#endif
    tiny_block_t *block = chain->head;
    tiny_backend_begin();
    for (unsigned left = chain->count; left > 0;) {
        if (thread.heap != NULL && is_own(tiny_registry_tag(block))) {
            left -= tiny_heap_give_row(thread.heap, &block, left);
            continue;
        }
        tiny_block_t *next = tiny_next(block);
        tiny_backend_give(block);
        block = next;
        left--;
    }
    tiny_backend_end();
}

void tiny_backend_drain(void)
{
#if TINY_HAS_OPTION_HOTMAG
    drain_hot();
#endif
#if TINY_HAS_OPTION_BG_SPILL
    take_spilled_home();
#endif
    send_outbox();
}

void tiny_backend_empty(void)
{
    tiny_heap_t *heap = thread.heap;
    if (heap == NULL) return;
    tiny_heap_begin(heap);
    tiny_heap_collect(heap); // blocks that others freed a second time are found in the caches
    tiny_front_drain();
    thread.may_hold = 0;
    tiny_backend_drain();
    tiny_heap_tidy(heap);
    tiny_heap_forget_peak(heap);
    tiny_heap_end(heap);
}

bool tiny_backend_is_past_burst(uint32_t now, uint32_t patience)
{
    if (thread.heap == NULL || now - thread.looked_at < patience) return false;
    thread.looked_at = now;
    tiny_heap_begin(thread.heap);
    tiny_heap_collect(thread.heap);
    bool was_shrunk = thread.shrunk;
    thread.shrunk = tiny_heap_has_shrunk(thread.heap);
    tiny_heap_end(thread.heap);
    return was_shrunk && thread.shrunk;
}

// ---- frees that the fast path did not take

#if TINY_MARKS

void tiny_free_marked(void *block, size_t class)
{
    check_marked(block);
    if (!tiny_caches_push(class, block)) tiny_backend_give(block);
}

static void check_and_mark(tiny_block_t *block)
{
    if (tiny_is_marked(block, tiny_secret())) check_marked(block);
    tiny_mark(block, tiny_secret());
}

#else

static void check_and_mark(const tiny_block_t *block)
{
    (void)block;
}

#endif

void tiny_backend_free(tiny_block_t *block, tiny_tag_t tag)
{
    tiny_slab_t *slab = tiny_registry_slab(block);
    size_t index = index_of(slab, block);
    if (!is_own(tag)) {
        if (send_later(slab, index)) hak_decay_step();
        return;
    }
    check_and_mark(block);
    tiny_backend_give(block);
}
