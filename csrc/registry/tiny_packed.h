// Packed words: a list of free blocks in one word: its first block, its room, and a mark.
//
// packed: bits 16..63 the address of the first block, bits 8..15 the room (blocks that still fit), bits 0..7
// TINY_PACKED_MARK.
// A push saves the old word in the new block's first word. So a pop restores the room too, and no separate count is
// stored: a pop writes one word, a push two. A free block then has the mark in its first byte. The mark is odd, so no
// block's address has it there, and a program that uses the block rarely leaves it unchanged.
#ifndef TINY_PACKED_H
#define TINY_PACKED_H

#include "os/die.h"
#include "os/hak_types.h"
#include "registry/tiny_row.h"

#define TINY_PACKED_MARK 0xf7u
#define TINY_PACKED_MOST 255 // maximum number of blocks in a list
#define TINY_PACKED_EMPTY(room) ((uint64_t)(room) << 8 | TINY_PACKED_MARK)

ALWAYS_INLINE tiny_block_t *tiny_packed_first(uint64_t packed)
{
    return (tiny_block_t *)(uintptr_t)(packed >> 16);
}

ALWAYS_INLINE uint32_t tiny_packed_room(uint64_t packed)
{
    return packed >> 8 & 0xff;
}

// Returns the list without its first block.
ALWAYS_INLINE uint64_t tiny_packed_next(const tiny_block_t *first)
{
#if TINY_CHECKS >= TINY_CHECKS_FULL
    uint64_t next = first->link ^ tiny_pad(first);
    // A block's address is a multiple of 16 and below 2^47; of invalid words, one in 8192 passes this check.
    if (UNLIKELY((next & 0x80000000000f00ff) != TINY_PACKED_MARK))
        hak_die("corrupted heap: a free block was written to", first);
    return next;
#else
    return first->link;
#endif
}

ALWAYS_INLINE void tiny_packed_set_next(tiny_block_t *block, uint64_t next)
{
#if TINY_CHECKS >= TINY_CHECKS_FULL
    block->link = next ^ tiny_pad(block);
#else
    block->link = next;
#endif
}

// Moves up to `count` blocks, at most TINY_ROW_MOST, from the front of the list to an empty row, in the list's order.
static inline void tiny_packed_take(uint64_t *packed, unsigned count, tiny_row_t *row)
{
    uint64_t word = *packed;
    for (tiny_block_t *block; row->count < count && (block = tiny_packed_first(word)) != NULL;) {
        word = tiny_packed_next(block);
        tiny_row_add(row, block);
    }
    *packed = word;
}

// Adds a block at the front of the list. False: there is no room, and the list is unchanged.
ALWAYS_INLINE bool tiny_packed_push(uint64_t *packed, tiny_block_t *block)
{
    uint64_t old = *packed;
    tiny_packed_set_next(block, old);
    // Keeps room and mark in a separate register, and subtracts where it compares: each saves an instruction.
    uint64_t low = HAK_OPAQUE((uint64_t)(uint16_t)old);
    if (UNLIKELY(__builtin_sub_overflow(low, (uint64_t)1 << 8, &low))) return false;
    uint64_t made = (uint64_t)(uintptr_t)block << 16 | low;
    HAK_WRITTEN();
    *packed = made;
    return true;
}

// Adds the last blocks for which there is room, so that the first of them is the list's first; returns the number of those
// that are left. Links are written in the order of the row, which is mostly that of the addresses.
static inline unsigned tiny_packed_fill(uint64_t *packed, tiny_block_t *const *blocks, unsigned count)
{
    const uint64_t word = *packed;
    const unsigned room = tiny_packed_room(word), left = count > room ? count - room : 0;
    if (left == count) return left;
    uint64_t low = (uint16_t)word - (uint64_t)(count - left) * (1 << 8); // room and mark of the whole list
    const uint64_t made = (uint64_t)(uintptr_t)blocks[left] << 16 | low;
    for (unsigned i = left; i + 1 < count; i++) {
        low += 1 << 8;
        tiny_packed_set_next(blocks[i], (uint64_t)(uintptr_t)blocks[i + 1] << 16 | low);
    }
    tiny_packed_set_next(blocks[count - 1], word);
    HAK_WRITTEN();
    *packed = made;
    return left;
}

#endif
