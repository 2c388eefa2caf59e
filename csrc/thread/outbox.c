// Outbox: a slot is emptied before its blocks are posted, so that a fork finds no block twice.
#include "thread/outbox.h"

#include "heap/tiny_visits.h"

#define MOST_BLOCKS 256u
#define CHAIN_BYTES ((size_t)8 << 10) // a chain of one slab is sent at this size, but not below two blocks

// The heap is in change.
static void send_slot(tiny_heap_t *heap, tiny_outgoing_t *slot)
{
    tiny_chain_t chain = {slot->head, slot->tail, slot->count};
    heap->outgoing -= slot->count;
    slot->head = NULL;
    tiny_heap_send(slot->slab, &chain);
}

void outbox_send(tiny_heap_t *heap)
{
    tiny_heap_begin(heap);
    for (unsigned i = 0; i < TINY_OUTBOX_SLOTS; i++)
        if (heap->outbox[i].head != NULL) send_slot(heap, &heap->outbox[i]);
    heap->outgoing = 0;
    tiny_heap_end(heap);
}

static tiny_outgoing_t *slot_for(tiny_heap_t *heap, const tiny_slab_t *slab)
{
    uint32_t page = (uint32_t)((uintptr_t)slab->start >> HAK_PAGE_SHIFT);
    return &heap->outbox[page * 0x9e3779b9u >> 27 & (TINY_OUTBOX_SLOTS - 1)];
}

static void send_one_slot(tiny_heap_t *heap, tiny_outgoing_t *slot)
{
    tiny_heap_begin(heap);
    send_slot(heap, slot);
    tiny_heap_end(heap);
}

// A forked child finds the chain either without or with the block.
static void add_to_slot(tiny_heap_t *heap, tiny_outgoing_t *slot, tiny_block_t *block)
{
    if (slot->head == NULL) {
        slot->tail = block;
        slot->count = 0;
    }
    tiny_link(block, slot->head);
    HAK_WRITTEN();
    slot->head = block;
    slot->count++;
    heap->outgoing++;
}

bool outbox_add(tiny_heap_t *heap, tiny_block_t *block)
{
    tiny_slab_t *slab = tiny_registry_slab(block);
    tiny_outgoing_t *slot = slot_for(heap, slab);
    bool taken = slot->head != NULL && slot->slab != slab;
    if (taken) send_one_slot(heap, slot);
    slot->slab = slab;
    add_to_slot(heap, slot, block);
    if (slot->count < 2 || slot->count * (size_t)tiny_class_size[slab->class] < CHAIN_BYTES) {
        if (UNLIKELY(heap->outgoing >= MOST_BLOCKS)) outbox_send(heap);
        return taken;
    }
    send_one_slot(heap, slot);
    return true;
}

bool outbox_holds(tiny_heap_t *heap, const tiny_block_t *block)
{
    const tiny_slab_t *slab = tiny_registry_slab(block);
    const tiny_outgoing_t *slot = slot_for(heap, slab);
    if (slot->head == NULL || slot->slab != slab) return false;
    const tiny_block_t *held = slot->head;
    while (held != NULL && held != block) held = tiny_next(held);
    return held != NULL;
}
