// Outbox: a word is emptied before its blocks are posted, so that a fork finds no block twice.
#include "thread/outbox.h"

#include <string.h>

#include "heap/tiny_remote.h"
#include "heap/tiny_visits.h"

// The outbox is sent when it has this many blocks, or bytes of them; a single word before that, when its batch is complete.
#define MOST_BLOCKS 256u
#define MOST_BYTES ((size_t)256 << 10)
#define BATCH_BYTES ((size_t)8 << 10) // a word is sent at this size, but not below two blocks

// The heap is in change.
static void send_word(tiny_heap_t *heap, tiny_outgoing_t *outgoing)
{
    uint64_t blocks = outgoing->blocks;
    heap->outbox.blocks -= outgoing->count;
    heap->outbox.bytes -= outgoing->count * (size_t)tiny_class_size[outgoing->slab->class];
    outgoing->count = 0;
    outgoing->blocks = 0;
    tiny_heap_send(outgoing->slab, outgoing->word, blocks);
}

void outbox_send(tiny_heap_t *heap)
{
    tiny_outbox_t *outbox = &heap->outbox;
    tiny_heap_begin(heap);
    for (unsigned i = 0; i < outbox->used; i++)
        if (outbox->words[i].blocks != 0) tiny_remote_prefetch(outbox->words[i].slab, outbox->words[i].word);
    for (unsigned i = 0; i < outbox->used; i++)
        if (outbox->words[i].blocks != 0) send_word(heap, &outbox->words[i]);
    memset(outbox->places, 0, sizeof outbox->places);
    outbox->used = 0;
    outbox->blocks = 0;
    outbox->bytes = 0;
    tiny_heap_end(heap);
}

static void send_one(tiny_heap_t *heap, tiny_outgoing_t *outgoing)
{
    tiny_heap_begin(heap);
    send_word(heap, outgoing);
    tiny_heap_end(heap);
}

// A batch is complete when it has all blocks of a word, or enough bytes.
static bool is_complete(const tiny_outgoing_t *outgoing)
{
    if (outgoing->blocks == UINT64_MAX) return true;
    return outgoing->count >= 2 &&
           outgoing->count * (size_t)tiny_class_size[outgoing->slab->class] >= BATCH_BYTES;
}

// A forked child finds the word either in use or not.
static tiny_outgoing_t *add_word(tiny_outbox_t *outbox, uint8_t *place, tiny_slab_t *slab, uint32_t word)
{
    tiny_outgoing_t *outgoing = &outbox->words[outbox->used];
    *outgoing = (tiny_outgoing_t){.slab = slab, .word = word};
    HAK_WRITTEN();
    *place = (uint8_t)++outbox->used;
    return outgoing;
}

// Returns what the outbox has of a word; it must have room for one more.
static tiny_outgoing_t *outgoing_of(tiny_outbox_t *outbox, tiny_slab_t *slab, uint32_t word)
{
    uint32_t hash = ((uint32_t)((uintptr_t)slab / sizeof *slab) + word * 0x85ebca6bu) * 0x9e3779b9u;
    for (uint32_t at = hash >> (32 - TINY_OUTBOX_PLACE_BITS);; at++) {
        uint8_t *place = &outbox->places[at % TINY_OUTBOX_PLACES];
        if (*place == 0) return add_word(outbox, place, slab, word);
        tiny_outgoing_t *outgoing = &outbox->words[*place - 1];
        if (LIKELY(outgoing->slab == slab && outgoing->word == word)) return outgoing;
    }
}

static bool is_full(const tiny_outbox_t *outbox)
{
    return outbox->used == TINY_OUTBOX_WORDS || outbox->blocks >= MOST_BLOCKS || outbox->bytes >= MOST_BYTES;
}

// A forked child finds the word either without or with the block.
bool outbox_add(tiny_heap_t *heap, tiny_slab_t *slab, size_t index)
{
    tiny_outbox_t *outbox = &heap->outbox;
    uint64_t bit = (uint64_t)1 << index % 64;
    tiny_outgoing_t *outgoing = outgoing_of(outbox, slab, (uint32_t)(index / 64));
    if (UNLIKELY((outgoing->blocks & bit) != 0)) tiny_die("double free", tiny_block_at(slab, index));
    HAK_WRITTEN();
    outgoing->blocks |= bit;
    outgoing->count++;
    outbox->blocks++;
    outbox->bytes += tiny_class_size[slab->class];
    if (is_complete(outgoing)) {
        send_one(heap, outgoing);
        return true;
    }
    if (LIKELY(!is_full(outbox))) return false;
    outbox_send(heap);
    return true;
}
