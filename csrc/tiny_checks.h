// Checks on blocks that are freed, at the level that the variant chose (TINY_CHECKS).
//
// mark: while a block lies in a thread's cache, something in it says so, and a second free of it shows. A block that carries
// the mark is looked for before it is called freed twice: a program's own data may look like it. Where all lists are packed
// words, these bring the mark with them (TINY_MARK_IN_LINK); else the second word holds the process' secret, as glibc's
// tcache has it, and keeps it when the block goes home.
// The second word of a block that another thread frees says so, too (sent), or why its owner has to look for it.
#ifndef TINY_CHECKS_H
#define TINY_CHECKS_H

#include "hak_types.h"
#include "tiny_link.h" // TINY_CHECKS, the secret
#include "tiny_packed.h"

// With every check, it is known of each block whether it is out; see hardened.h.
#define TINY_MARKS (TINY_CHECKS == TINY_CHECKS_BASIC)

#if TINY_MARKS

#define TINY_SENT(key) ((key) ^ 1)

ALWAYS_INLINE uint64_t tiny_second_word(const void *block)
{
    return ((const uint64_t *)block)[1];
}

ALWAYS_INLINE void tiny_set_second_word(void *block, uint64_t word)
{
    ((uint64_t *)block)[1] = word;
}

// A free of a block of the calling thread that carries the mark: ends the process if the block is free, else does the work.
void tiny_free_marked(void *block, size_t class) COLD;

#else

static inline void tiny_free_marked(void *block, size_t class)
{
    (void)class;
    (void)block;
}

#endif

// Whether a block carries the mark of a free one. `key` is the secret, which the hot path has at hand.
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

// A block on its way into a cache.
ALWAYS_INLINE void tiny_mark(void *block, uint64_t key)
{
    (void)block, (void)key;
#if TINY_MARKS && !TINY_MARK_IN_LINK
    tiny_set_second_word(block, key);
#endif
}

// A block on its way out to the program. It carries no mark from here on, whatever the program writes to it or does not: so
// only a block that is free, or whose program wrote what looks like a link, is looked for when it is freed.
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
