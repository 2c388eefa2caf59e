// Blocks that other threads free: lock-free lists, one a slab, and one of the slabs that have any.
#include "heap/tiny_remote.h"

#include "heap/tiny_slabs.h"
#include "os/die.h"

// Adds the slab to the pending ones of its owner. `of` is a block of the slab.
static tiny_heap_t *add_pending(tiny_slab_t *slab, const void *of)
{
    unsigned owner = TINY_TAG_OWNER(tiny_registry_tag(slab->start));
    tiny_heap_t *heap = atomic_load_explicit(&tiny_heaps.by_id[owner], memory_order_acquire);
    if (UNLIKELY(heap == NULL)) hak_die("double free", of); // no heap owns its slab
    atomic_fetch_add_explicit(&heap->pending_count, 1, memory_order_relaxed);
    tiny_slab_t *old = atomic_load_explicit(&heap->pending, memory_order_relaxed);
    do {
        slab->next_pending = old;
    } while (!atomic_compare_exchange_weak(&heap->pending, &old, slab));
    return heap;
}

tiny_heap_t *tiny_remote_post(tiny_slab_t *slab, const tiny_chain_t *chain)
{
    tiny_block_t *old = atomic_load_explicit(&slab->remote, memory_order_relaxed);
    do {
        tiny_link(chain->tail, old);
    } while (!atomic_compare_exchange_weak(&slab->remote, &old, chain->head));
    return old == NULL ? add_pending(slab, chain->head) : NULL;
}

#if TINY_MARKS

// Checks an arriving block that carries the mark of a free one: ends the process if it is in its slab or in a cache of
// the owner.
static void check_arrival(const tiny_heap_t *heap, tiny_block_t *block)
{
#if TINY_MARK_IN_LINK
    block->link = tiny_second_word(block); // restores the link that the block has if it is in a list
#endif
    if (tiny_heap_holds(block)) tiny_die("double free", block);
    if (heap->suspect != NULL) heap->suspect(block);
}

// True if the second word records that the sender found the block to look like a free one.
static bool looked_free(const tiny_block_t *block)
{
#if TINY_MARK_IN_LINK
    return (tiny_second_word(block) & 0xff) == TINY_PACKED_MARK &&
           tiny_second_word(block) != TINY_SENT(tiny_secret());
#else
    return tiny_second_word(block) == tiny_secret();
#endif
}

#endif

#if TINY_MARKS

// Replaces the sender's word, which must not reach the program that gets the block next.
static void mark_at_home(tiny_block_t *block)
{
    if (TINY_MARK_IN_LINK) tiny_set_second_word(block, 0);
    else tiny_mark(block, tiny_secret());
}

#endif

// Only the owner can tell whether a block that looks free is free. True: the slab was returned to the pool.
static bool take_in(tiny_heap_t *heap, tiny_slab_t *slab, tiny_block_t *block, tiny_collector_t by)
{
    (void)by;
#if TINY_MARKS
    if (UNLIKELY(looked_free(block))) {
        if (by == TINY_BY_VISIT) {
            tiny_block_t *old = atomic_load_explicit(&heap->doubted, memory_order_relaxed);
            do {
                tiny_link(block, old);
            } while (!atomic_compare_exchange_weak(&heap->doubted, &old, block));
            return false;
        }
        check_arrival(heap, block);
    }
    mark_at_home(block);
#endif
    return tiny_slab_give(heap, slab, block);
}

// An idle heap keeps no empty slab; its slabs with room are available to all tiny_heaps.
static void offer_room(tiny_heap_t *heap, tiny_slab_t *slab, size_t class, bool is_gone,
                       unsigned rooms_before)
{
    if (!is_gone && slab->used == 0 && slab->listed) tiny_slab_release(heap, slab);
    atomic_fetch_add_explicit(&tiny_heaps.idle_slabs[class], heap->rooms[class] - rooms_before,
                              memory_order_relaxed);
}

// A slab that another heap has adopted since is sent on as a whole.
static void take_in_slab(tiny_heap_t *heap, tiny_slab_t *slab, tiny_collector_t by)
{
    if (UNLIKELY(TINY_TAG_OWNER(tiny_registry_tag(slab->start)) != heap->id)) {
        add_pending(slab, slab->start);
        return;
    }
    size_t class = slab->class;
    unsigned rooms = heap->rooms[class];
    bool is_gone = false;
    for (tiny_block_t *block = atomic_exchange(&slab->remote, NULL), *next; block != NULL; block = next) {
#if TINY_MARK_IN_LINK && TINY_MARKS
        // The block was in the remote list already when its owner put it into a cache.
        if (UNLIKELY(tiny_is_marked(block, 0))) tiny_die("double free", block);
#endif
        next = tiny_next(block);
        is_gone = take_in(heap, slab, block, by);
    }
    if (by == TINY_BY_SENDER) offer_room(heap, slab, class, is_gone, rooms);
}

// A slab may become pending again as soon as its blocks are taken.
void tiny_remote_collect(tiny_heap_t *heap, tiny_collector_t by)
{
    if (LIKELY(atomic_load_explicit(&heap->pending, memory_order_relaxed) == NULL)) return;
    for (tiny_slab_t *slab = atomic_exchange(&heap->pending, NULL), *next; slab != NULL; slab = next) {
        next = slab->next_pending;
        atomic_fetch_sub_explicit(&heap->pending_count, 1, memory_order_relaxed);
        take_in_slab(heap, slab, by);
    }
}

void tiny_heap_collect(tiny_heap_t *heap)
{
    tiny_remote_collect(heap, TINY_BY_OWNER);
}

// Takes in the blocks that a visit left to the owner; their slabs may have been adopted since.
static void collect_doubted(tiny_heap_t *heap)
{
    if (atomic_load_explicit(&heap->doubted, memory_order_relaxed) == NULL) return;
    for (tiny_block_t *block = atomic_exchange(&heap->doubted, NULL), *next; block != NULL; block = next) {
        next = tiny_next(block);
        tiny_slab_t *slab = tiny_registry_slab(block);
        if (TINY_TAG_OWNER(tiny_registry_tag(block)) == heap->id) take_in(heap, slab, block, TINY_BY_OWNER);
        else tiny_remote_post(slab, &(tiny_chain_t){block, block, 1});
    }
}

void tiny_heap_collect_all(tiny_heap_t *heap)
{
    tiny_remote_collect(heap, TINY_BY_OWNER);
    collect_doubted(heap);
}
