// Spill queue: one lock-free list for all threads.
#include "thread/spill_queue.h"

#if TINY_HAS_OPTION_BG_SPILL

#include "registry/tiny_registry.h"
#include "thread/tiny_give.h"

static _Atomic(tiny_block_t *) spilled;

// A single block keeps its slab in use, so the queue is kept short.
#define SPILLED_BYTES ((size_t)128 << 10)
static _Atomic(size_t) spilled_bytes; // = the sum of the sizes of the blocks in the list

static size_t size_of(const tiny_block_t *block)
{
    return tiny_class_size[TINY_TAG_KIND(tiny_registry_tag(block))];
}

bool spill_queue_add(const tiny_row_t *row)
{
    if (!TINY_OPTION_BG_SPILL) return false;
    size_t bytes = row->count * size_of(row->block[0]);
    if (atomic_fetch_add_explicit(&spilled_bytes, bytes, memory_order_relaxed) > SPILLED_BYTES) {
        atomic_fetch_sub_explicit(&spilled_bytes, bytes, memory_order_relaxed);
        return false;
    }
    const tiny_chain_t chain = tiny_row_linked(row);
    tiny_block_t *old = atomic_load_explicit(&spilled, memory_order_relaxed);
    do {
        tiny_link(chain.tail, old);
    } while (!atomic_compare_exchange_weak_explicit(&spilled, &old, chain.head, memory_order_release,
                                                    memory_order_relaxed));
    return true;
}

void spill_queue_empty(void)
{
    if (atomic_load_explicit(&spilled, memory_order_relaxed) == NULL) return;
    tiny_block_t *block = atomic_exchange_explicit(&spilled, NULL, memory_order_acquire);
    while (block != NULL) {
        tiny_block_t *next = tiny_next(block);
        atomic_fetch_sub_explicit(&spilled_bytes, size_of(block), memory_order_relaxed);
        tiny_backend_give(block);
        block = next;
    }
}

#else
typedef int spill_queue_is_compiled_out; // ISO C requires a declaration in every file
#endif
