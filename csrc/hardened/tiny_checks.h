// Checks on freed blocks, at the level that the variant sets (TINY_CHECKS).
//
// mark: a value in a block that lies in a thread's cache; it reveals a second free of the block. The program's own
// data may equal the mark, so a marked block is searched for before it is reported as freed twice. If all lists are
// packed words, a block's link contains the mark (TINY_MARK_IN_LINK). Otherwise the mark is the process's secret in the
// second word, as in glibc's tcache, and it stays there when the block is returned to its slab.
// A block that another thread freed is searched for when its owner collects it: only the owner can search its caches.
#ifndef TINY_CHECKS_H
#define TINY_CHECKS_H

#include "os/hak_types.h"
#include "registry/tiny_link.h" // TINY_CHECKS, the secret
#include "registry/tiny_packed.h"

// With full checks, the state of each block is recorded; see tiny_notes.h.
#define TINY_MARKS (TINY_CHECKS == TINY_CHECKS_BASIC)

#if TINY_MARKS

ALWAYS_INLINE uint64_t tiny_second_word(const void *block)
{
    return ((const uint64_t *)block)[1];
}

ALWAYS_INLINE void tiny_set_second_word(void *block, uint64_t word)
{
    ((uint64_t *)block)[1] = word;
}

#endif

// True if the block carries the mark of a free one. `key` is the secret, which the hot path has at hand.
ALWAYS_INLINE bool tiny_is_marked(const void *block, uint64_t key)
{
    (void)block, (void)key;
#if TINY_MARKS && TINY_MARK_IN_LINK
    return *(const uint8_t *)block == TINY_PACKED_MARK;
#elif TINY_MARKS
    return tiny_second_word(block) == key;
#else
    return false;
#endif
}

// Marks a block that enters a cache.
ALWAYS_INLINE void tiny_mark(void *block, uint64_t key)
{
    (void)block, (void)key;
#if TINY_MARKS && !TINY_MARK_IN_LINK
    tiny_set_second_word(block, key);
#endif
}

// Clears the mark of a block that is given to the program. So a later free searches only for a block that is free
// already, or into which the program wrote a value that equals the mark.
ALWAYS_INLINE void *tiny_hand_out(void *block)
{
#if TINY_MARKS && TINY_MARK_IN_LINK
    ((tiny_block_t *)block)->link = 0;
#elif TINY_MARKS
    tiny_set_second_word(block, 0);
#endif
    return block;
}

#endif
