// Packed words: a list of free blocks in one word, its first block, how many more fit, and a mark.
//
// packed: bits 16..63 the address of the first block, bits 8..15 the room (blocks that still fit), bits 0..7 TINY_PACKED_MARK.
// A block that is pushed keeps the word as it was in its own first word. So a pop puts back the room as well, and nothing is
// counted in memory: one word is written by a pop, two by a push. The mark then stands in the block's first byte, where no
// address has it (it is odd), and where a program that uses the block at all leaves it seldom.
#ifndef TINY_PACKED_H
#define TINY_PACKED_H

#include "hak_types.h"
#include "tiny_link.h"

#define TINY_PACKED_MARK 0xf7u
#define TINY_PACKED_MOST 255 // blocks of one list
#define TINY_PACKED_EMPTY(room) ((uint64_t)(room) << 8 | TINY_PACKED_MARK)

ALWAYS_INLINE tiny_block_t *tiny_packed_first(uint64_t packed)
{
    return (tiny_block_t *)(uintptr_t)(packed >> 16);
}

ALWAYS_INLINE uint32_t tiny_packed_room(uint64_t packed)
{
    return packed >> 8 & 0xff;
}

// The list without its first block.
ALWAYS_INLINE uint64_t tiny_packed_next(const tiny_block_t *first)
{
#if TINY_CHECKS >= TINY_CHECKS_FULL
    uint64_t next = first->link ^ tiny_pad(first);
    // A block's address is a multiple of 16, and below 2^47: of other words, one in 8192 passes.
    if (UNLIKELY((next & 0x80000000000f00ff) != TINY_PACKED_MARK))
        hak_die("corrupted heap: a free block was written to", first);
    return next;
#else
    return first->link;
#endif
}

// Puts a block in front of the list; false: there is no room, and the list is as it was.
ALWAYS_INLINE bool tiny_packed_push(uint64_t *packed, tiny_block_t *block)
{
    uint64_t old = *packed;
#if TINY_CHECKS >= TINY_CHECKS_FULL
    block->link = old ^ tiny_pad(block);
#else
    block->link = old;
#endif
    // Room and mark, in a register of their own: compilers take an instruction more.
    uint64_t low = HAK_OPAQUE((uint64_t)(uint16_t)old);
    if (UNLIKELY(low < 1 << 8)) return false;
    uint64_t made = ((uint64_t)(uintptr_t)block << 16) + low - (1 << 8);
    HAK_WRITTEN();
    *packed = made;
    return true;
}

#endif
