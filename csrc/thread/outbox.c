// Outbox: a word is emptied before its blocks are posted, so that a fork finds no block twice.
#include "thread/outbox.h"

#include <string.h>

#include "heap/tiny_remote.h"
#include "heap/tiny_visits.h"

#define BATCH_BYTES ((size_t)8 << 10) // a word is sent at this size, but not below two blocks

// A block weighs its size in units of UNIT bytes, rounded up: so the outbox holds at most MOST_WEIGHT blocks and MOST_WEIGHT units.
#define UNIT ((size_t)1 << 10)
#define MOST_WEIGHT 256u

// The heap is in change.
static void send_word(tiny_outgoing_t *outgoing)
{
    uint64_t blocks = outgoing->blocks;
    outgoing->blocks = 0;
    tiny_heap_send(outgoing->slab, outgoing->word, blocks);
}

void outbox_send(tiny_heap_t *heap)
{
    tiny_outbox_t *outbox = &heap->outbox;
    tiny_heap_begin(heap);
    for (unsigned i = 0; i < outbox->used; i++)
        tiny_remote_prefetch(outbox->words[i].slab, outbox->words[i].word);
    for (unsigned i = 0; i < outbox->used; i++)
        if (outbox->words[i].blocks != 0) send_word(&outbox->words[i]);
    memset(outbox->places, 0, sizeof outbox->places);
    outbox->used = 0;
    outbox->weight = 0;
    tiny_heap_end(heap);
}

static uint16_t weight_of(size_t size)
{
    return (uint16_t)((size + UNIT - 1) / UNIT);
}

// Returns the number of blocks that are enough to be sent: those of a whole word, or BATCH_BYTES, but at least two.
static uint16_t room_for(size_t size)
{
    size_t blocks = (BATCH_BYTES + size - 1) / size;
    return (uint16_t)(blocks < 2 ? 2 : blocks < 64 ? blocks : 64);
}

static COLD bool send_complete(tiny_heap_t *heap, tiny_outgoing_t *outgoing)
{
    size_t size = tiny_class_size[outgoing->slab->class];
    tiny_heap_begin(heap);
    heap->outbox.weight -= room_for(size) * (uint32_t)outgoing->weight;
    outgoing->room = room_for(size);
    send_word(outgoing);
    tiny_heap_end(heap);
    return true;
}

// A forked child finds the word either in use or not.
static tiny_outgoing_t *add_word(tiny_heap_t *heap, uint8_t *place, tiny_slab_t *slab, uint32_t word)
{
    tiny_outbox_t *outbox = &heap->outbox;
    size_t size = tiny_class_size[slab->class];
    if (UNLIKELY(outbox->used == TINY_OUTBOX_WORDS)) outbox_send(heap); // every place is free then
    tiny_outgoing_t *outgoing = &outbox->words[outbox->used];
    *outgoing = (tiny_outgoing_t){slab, 0, word, room_for(size), weight_of(size)};
    HAK_WRITTEN();
    *place = (uint8_t)++outbox->used;
    return outgoing;
}

// Returns what the outbox has of a word.
static tiny_outgoing_t *outgoing_of(tiny_heap_t *heap, tiny_slab_t *slab, uint32_t word)
{
    uint32_t hash = ((uint32_t)((uintptr_t)slab / sizeof *slab) + word * 0x85ebca6bu) * 0x9e3779b9u;
    for (uint32_t at = hash >> (32 - TINY_OUTBOX_PLACE_BITS);; at++) {
        uint8_t *place = &heap->outbox.places[at % TINY_OUTBOX_PLACES];
        if (*place == 0) return add_word(heap, place, slab, word);
        tiny_outgoing_t *outgoing = &heap->outbox.words[*place - 1];
        if (LIKELY(outgoing->slab == slab && outgoing->word == word)) return outgoing;
    }
}

// A forked child finds the word either without or with the block.
bool outbox_add(tiny_heap_t *heap, tiny_slab_t *slab, size_t index)
{
    uint64_t bit = (uint64_t)1 << index % 64;
    tiny_outgoing_t *outgoing = outgoing_of(heap, slab, (uint32_t)(index / 64));
    if (UNLIKELY((outgoing->blocks & bit) != 0)) tiny_die("double free", tiny_block_at(slab, index));
    HAK_WRITTEN();
    outgoing->blocks |= bit;
    heap->outbox.weight += outgoing->weight;
    if (--outgoing->room == 0) return send_complete(heap, outgoing);
    if (LIKELY(heap->outbox.weight < MOST_WEIGHT)) return false;
    outbox_send(heap);
    return true;
}
