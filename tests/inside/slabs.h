// Blocks of a heap's slabs: taken, checked and returned, by the owner or as another thread does it.
#ifndef SLABS_H
#define SLABS_H

#include "inside.h"

#include "heap/tiny_heaps.h"
#include "heap/tiny_slabs.h"
#include "heap/tiny_superslab.h"
#include "heap/tiny_visits.h"

enum { BLOCKS = 5000 };

static tiny_block_t *blocks[BLOCKS];

// Takes that many blocks of a class, one batch after the other.
static inline void take_blocks(tiny_heap_t *heap, size_t class, unsigned count)
{
    for (unsigned have = 0; have < count;) {
        tiny_row_t row;
        row.count = 0;
        unsigned want = count - have < TINY_ROW_MOST ? count - have : TINY_ROW_MOST,
                 got = tiny_heap_take(heap, class, want, &row);
        T_CHECK(got > 0 && got <= want && got == row.count, "%u of %u blocks came, %u in the row", got, want,
                row.count);
        for (unsigned i = 0; i < got; i++) blocks[have++] = row.block[i];
    }
}

static inline void check_blocks(const tiny_heap_t *heap, size_t class, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        const tiny_slab_t *slab = tiny_registry_slab(blocks[i]);
        T_CHECK(tiny_registry_tag(blocks[i]) == TINY_TAG(heap->id, class), "a block has another tag");
        T_CHECK(tiny_block_index(slab, blocks[i]) != SIZE_MAX, "%p is no start of a block",
                (void *)blocks[i]);
        memset((void *)blocks[i], (int)(i % 255 + 1), tiny_class_size[class]);
    }
    for (unsigned i = 0; i < count; i++)
        T_CHECK(*(unsigned char *)blocks[i] == i % 255 + 1, "block %u lies in another one", i);
}

static inline void give_blocks(tiny_heap_t *heap, unsigned count)
{
    for (unsigned i = 0; i < count; i++) tiny_heap_give(heap, blocks[(i * 7919) % count]);
}

static inline size_t place_of(const tiny_block_t *block)
{
    return tiny_block_index(tiny_registry_slab(block), block);
}

static inline uint64_t bit_of(const tiny_block_t *block)
{
    return (uint64_t)1 << place_of(block) % 64;
}

// Frees a block as a thread that does not own it.
static inline void send(const tiny_block_t *block)
{
    tiny_heap_send(tiny_registry_slab(block), place_of(block) / 64, bit_of(block));
}

#if TINY_MARKS
// As far as another thread can tell, the block may lie in a cache of its owner.
static inline void make_look_cached(tiny_block_t *block)
{
    memset((void *)block, 0, 16);
    if (TINY_MARK_IN_LINK) block->link = TINY_PACKED_EMPTY(9);
    else tiny_set_second_word(block, tiny_secret());
}
#endif

#endif
