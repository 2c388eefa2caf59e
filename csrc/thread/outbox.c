// Outbox: a slot is emptied before its blocks are posted, so that a fork finds no block twice.
#include "thread/outbox.h"

#include "heap/tiny_visits.h"

#define MOST_BLOCKS 256u
#define BATCH_BYTES ((size_t)8 << 10) // a batch is sent at this size, but not below two blocks

// The heap is in change.
static void send_slot(tiny_heap_t *heap, tiny_outgoing_t *slot)
{
    uint64_t blocks = slot->blocks;
    heap->outgoing -= slot->count;
    slot->count = 0;
    slot->blocks = 0;
    tiny_heap_send(slot->slab, slot->word, blocks);
}

void outbox_send(tiny_heap_t *heap)
{
    tiny_heap_begin(heap);
    for (unsigned i = 0; i < TINY_OUTBOX_SLOTS; i++)
        if (heap->outbox[i].blocks != 0) send_slot(heap, &heap->outbox[i]);
    heap->outgoing = 0;
    tiny_heap_end(heap);
}

static tiny_outgoing_t *slot_for(tiny_heap_t *heap, const tiny_slab_t *slab, uint32_t word)
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
    return slot->count >= 2 && slot->count * (size_t)tiny_class_size[slot->slab->class] >= BATCH_BYTES;
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

// A forked child finds the slot either without or with the block.
bool outbox_add(tiny_heap_t *heap, tiny_slab_t *slab, size_t index)
{
    uint32_t word = (uint32_t)(index / 64);
    uint64_t bit = (uint64_t)1 << index % 64;
    tiny_outgoing_t *slot = slot_for(heap, slab, word);
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
    if (UNLIKELY(heap->outgoing >= MOST_BLOCKS)) outbox_send(heap);
    return sent;
}
