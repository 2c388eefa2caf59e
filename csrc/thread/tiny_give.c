// Blocks leave a thread's caches.
#include "thread/tiny_give.h"

#include "heap/tiny_slabs.h"
#include "heap/tiny_visits.h"
#include "thread/outbox.h"
#include "thread/tiny_tls.h"

void tiny_backend_begin(void)
{
    if (LIKELY(tiny_thread.heap != NULL)) tiny_heap_begin(tiny_thread.heap);
}

void tiny_backend_end(void)
{
    if (LIKELY(tiny_thread.heap != NULL)) tiny_heap_end(tiny_thread.heap);
}

// The owner can only be checked in change: otherwise another thread may take the slab over.
bool tiny_give_home(tiny_block_t *block)
{
    tiny_heap_t *heap = tiny_thread.heap;
    if (heap == NULL) return false;
    tiny_heap_begin(heap);
    bool own = tiny_tls_owns(tiny_registry_tag(block));
    if (own) tiny_heap_give(heap, block);
    tiny_heap_end(heap);
    return own;
}

bool tiny_give_away(tiny_block_t *block)
{
    if (LIKELY(tiny_thread.heap != NULL)) return outbox_add(tiny_thread.heap, block);
    tiny_link(block, NULL);
    tiny_heap_send(tiny_registry_slab(block), &(tiny_chain_t){block, block, 1});
    return false;
}

// Blocks in the caches belong to the thread's own heap, but those in the queue of spilled blocks may not.
void tiny_backend_give(tiny_block_t *block)
{
    if (tiny_give_home(block)) return;
#if TINY_MARKS
    tiny_set_second_word(block, TINY_SENT(tiny_secret()));
#endif
    tiny_give_away(block);
}
