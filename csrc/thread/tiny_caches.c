// A thread's caches: the quarantine, the front, and what waits behind the front; each is emptied into the next.
#include "thread/tiny_caches.h"

#include "heap/tiny_heaps.h"
#include "heap/tiny_remote.h"
#include "heap/tiny_slabs.h"
#include "thread/hot_magazine.h"
#include "thread/outbox.h"
#include "thread/spill_queue.h"
#include "thread/tiny_give.h"
#include "thread/tiny_tls.h"

// ---- what the thread's lists may hold

// All threads share HELD_IN_ALL, but each may hold HELD_LEAST. With many threads, none holds much when it becomes idle;
// only an idle thread itself could empty its lists.
#define HELD_IN_ALL ((size_t)64 << 20)
#define HELD_LEAST ((size_t)512 << 10)
#define HELD_MOST ((size_t)16 << 20)

// may_hold <= max(HELD_LEAST, min(HELD_MOST, HELD_IN_ALL / threads))
bool tiny_backend_may_hold(size_t bytes)
{
    size_t held = tiny_thread.may_hold + bytes;
    if (held > HELD_MOST) return false;
    if (held > HELD_LEAST && held * tiny_heaps_live() > HELD_IN_ALL) return false;
    tiny_thread.may_hold = held;
    return true;
}

void tiny_backend_holds_less(size_t bytes)
{
    tiny_thread.may_hold -= bytes;
}

// ---- emptying

#define MUCH_BYTES ((size_t)1 << 20)

static size_t held_bytes(void)
{
    size_t bytes = 0;
    for (size_t layer = 0; layer < TINY_LAYERS; layer++)
        for (size_t class = 0; class < TINY_CLASSES; class++)
            bytes += tiny_layer_table[layer].held(class) * (size_t)tiny_class_size[class];
    return bytes;
}

// Each block returned here has been freed since the last time, so that this costs a free little.
bool tiny_caches_give_back(void)
{
    size_t held = held_bytes();
    if (held < MUCH_BYTES || held < tiny_thread.heap->bytes_out / 2) return false;
    tiny_front_drain();
    spill_queue_empty();
    return true;
}

#define PURGES 1024u // system calls at a time, each for the free blocks of one slab

void tiny_caches_drain(void)
{
    hot_magazine_drain();
    spill_queue_empty();
    if (tiny_thread.heap == NULL) return;
    tiny_give_noted();
    outbox_send(tiny_thread.heap);
}

void tiny_caches_empty(void)
{
    if (tiny_thread.quarantine.blocks != NULL) tiny_thread.quarantine.drain();
    tiny_heap_t *heap = tiny_thread.heap;
    if (heap == NULL) return;
    tiny_heap_begin(heap);
    tiny_heap_collect(heap); // blocks that others freed a second time are found in the caches
    tiny_front_drain();
    tiny_caches_drain();
    tiny_heap_tidy(heap);
    tiny_slabs_purge(heap, PURGES);
    tiny_heap_forget_peak(heap);
    tiny_heap_end(heap);
}

static bool is_past_burst(uint32_t now, uint32_t patience)
{
    tiny_heap_t *heap = tiny_thread.heap;
    if (heap == NULL || now - tiny_thread.looked_at < patience) return false;
    tiny_thread.looked_at = now;
    tiny_heap_begin(heap);
    tiny_heap_collect(heap);
    bool was_shrunk = tiny_thread.shrunk;
    tiny_thread.shrunk = tiny_heap_has_shrunk(heap);
    tiny_heap_end(heap);
    return was_shrunk && tiny_thread.shrunk;
}

void tiny_caches_look(uint32_t now, uint32_t patience)
{
    if (is_past_burst(now, patience)) tiny_caches_empty();
}

void tiny_caches_end(void)
{
    if (tiny_thread.quarantine.blocks != NULL) tiny_thread.quarantine.end();
    tiny_front_drain();
}
