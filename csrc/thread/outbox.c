// Outbox: a word is emptied before its blocks are posted, so that a fork finds no block twice.
#include "thread/outbox.h"

#include <string.h>

#include "heap/tiny_remote.h"
#include "heap/tiny_visits.h"

#define BATCH_BYTES ((size_t)64 << 10) // a word is sent at this size, but not below LEAST_BLOCKS
#define LEAST_BLOCKS 8u

// A block weighs its size in units of UNIT bytes, rounded up. An outbox holds up to its thread's share of SHARED_WEIGHT, within
// these bounds: the more blocks it sends at once, the more of them lie in one slab, but others cannot use them meanwhile.
#define UNIT ((size_t)1 << 10)
#define SHARED_WEIGHT 4096u
#define LEAST_WEIGHT 64u
#define MOST_WEIGHT 1024u

// Returns the blocks of the word, which is empty then.
static uint64_t take_blocks(tiny_outgoing_t *outgoing)
{
    uint64_t blocks = outgoing->blocks;
    outgoing->blocks = 0;
    return blocks;
}

static uint32_t bound(void)
{
    uint32_t share = SHARED_WEIGHT / (uint32_t)(tiny_heaps_live() + 1);
    if (share < LEAST_WEIGHT) return LEAST_WEIGHT;
    return share < MOST_WEIGHT ? share : MOST_WEIGHT;
}

void outbox_send(tiny_heap_t *heap)
{
    tiny_outbox_t *outbox = &heap->outbox;
    tiny_heap_begin(heap);
    for (unsigned i = 0; i < outbox->used; i++)
        tiny_remote_prefetch(outbox->words[i].slab, outbox->words[i].word);
    tiny_sending_t sending = {0};
    for (unsigned i = 0; i < outbox->used; i++) {
        tiny_outgoing_t *outgoing = &outbox->words[i];
        uint64_t blocks = take_blocks(outgoing);
        if (blocks != 0) tiny_sending_add(&sending, outgoing->slab, outgoing->word, blocks);
    }
    tiny_sending_end(&sending);
    memset(outbox->places, 0, sizeof outbox->places);
    outbox->used = 0;
    outbox->weight = 0;
    outbox->most = bound();
    tiny_heap_end(heap);
}

static uint16_t weight_of(size_t size)
{
    return (uint16_t)((size + UNIT - 1) / UNIT);
}

// Returns the number of blocks that are enough to be sent: those of a whole word, or BATCH_BYTES.
static uint16_t room_for(size_t class)
{
    size_t blocks =
        (BATCH_BYTES + tiny_class_size[class] - 1) * tiny_class_inverse[class] >> TINY_INVERSE_BITS;
    return (uint16_t)(blocks < LEAST_BLOCKS ? LEAST_BLOCKS : blocks < 64 ? blocks : 64);
}

static COLD bool send_complete(tiny_heap_t *heap, tiny_outgoing_t *outgoing)
{
    tiny_heap_begin(heap);
    uint64_t blocks = take_blocks(outgoing);
    heap->outbox.weight -= (uint32_t)__builtin_popcountll(blocks) * outgoing->weight;
    outgoing->room = room_for(outgoing->slab->class);
    tiny_heap_send(outgoing->slab, outgoing->word, blocks);
    tiny_heap_end(heap);
    return true;
}

// A forked child finds the word either in use or not.
static tiny_outgoing_t *add_word(tiny_heap_t *heap, uint8_t *place, tiny_slab_t *slab, uint32_t word)
{
    tiny_outbox_t *outbox = &heap->outbox;
    size_t class = slab->class;
    if (UNLIKELY(outbox->used == TINY_OUTBOX_WORDS)) outbox_send(heap); // every place is free then
    tiny_outgoing_t *outgoing = &outbox->words[outbox->used];
    *outgoing = (tiny_outgoing_t){slab, 0, word, room_for(class), weight_of(tiny_class_size[class])};
    HAK_WRITTEN();
    *place = (uint8_t)++outbox->used;
    return outgoing;
}

// Returns what the outbox has of a word, which is not at its first place.
static NOINLINE tiny_outgoing_t *find_or_add(tiny_heap_t *heap, uint32_t at, tiny_slab_t *slab, uint32_t word)
{
    for (;; at++) {
        uint8_t *place = &heap->outbox.places[at % TINY_OUTBOX_PLACES];
        if (*place == 0) return add_word(heap, place, slab, word);
        tiny_outgoing_t *outgoing = &heap->outbox.words[*place - 1];
        if (outgoing->slab == slab && outgoing->word == word) return outgoing;
    }
}

// Returns what the outbox has of a word.
ALWAYS_INLINE tiny_outgoing_t *outgoing_of(tiny_heap_t *heap, tiny_slab_t *slab, uint32_t word)
{
    uint32_t hash = ((uint32_t)((uintptr_t)slab / sizeof *slab) + word * 0x85ebca6bu) * 0x9e3779b9u;
    uint32_t at = hash >> (32 - TINY_OUTBOX_PLACE_BITS), place = heap->outbox.places[at];
    if (LIKELY(place != 0)) {
        tiny_outgoing_t *outgoing = &heap->outbox.words[place - 1];
        if (LIKELY(outgoing->slab == slab && outgoing->word == word)) return outgoing;
    }
    return find_or_add(heap, at, slab, word);
}

// A forked child finds the word either without or with the blocks.
ALWAYS_INLINE bool add(tiny_heap_t *heap, tiny_slab_t *slab, size_t word, uint64_t blocks, unsigned count)
{
    tiny_outgoing_t *outgoing = outgoing_of(heap, slab, (uint32_t)word);
    uint64_t twice = outgoing->blocks & blocks;
    if (UNLIKELY(twice != 0))
        tiny_die("double free", tiny_block_at(slab, word * 64 + (unsigned)__builtin_ctzll(twice)));
    HAK_WRITTEN();
    outgoing->blocks |= blocks;
    heap->outbox.weight += outgoing->weight * count;
    if (outgoing->room <= count) return send_complete(heap, outgoing);
    outgoing->room = (uint16_t)(outgoing->room - count);
    if (LIKELY(heap->outbox.weight < heap->outbox.most)) return false;
    outbox_send(heap);
    return true;
}

bool outbox_add(tiny_heap_t *heap, tiny_slab_t *slab, size_t index)
{
    return add(heap, slab, index / 64, (uint64_t)1 << index % 64, 1);
}

void outbox_add_row(tiny_heap_t *heap, tiny_slab_t *slab, size_t word, uint64_t blocks, unsigned count)
{
    (void)add(heap, slab, word, blocks, count);
}
