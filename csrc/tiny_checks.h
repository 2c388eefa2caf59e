// Checks on blocks that are freed, at the level that the variant chose (TINY_CHECKS).
//
// mark: while a block is free, its second word holds the process' secret, so that a second free of it shows; glibc's tcache
// does the same. A block that carries the mark is looked for before it is called freed twice: a program's own data may
// look like it.  sent: the mark of a block that was freed by a thread that does not own it.
#ifndef TINY_CHECKS_H
#define TINY_CHECKS_H

#include "hak_types.h"
#include "tiny_link.h" // TINY_CHECKS, the secret

// With every check, it is known of each block whether it is out; see hardened.h.
#define TINY_MARKS (TINY_CHECKS == TINY_CHECKS_BASIC)

#if TINY_MARKS

#define TINY_SENT(key) ((key) ^ 1)

ALWAYS_INLINE uint64_t tiny_mark_of(const void *block)
{
    return ((const uint64_t *)block)[1];
}

ALWAYS_INLINE void tiny_mark(void *block, uint64_t mark)
{
    ((uint64_t *)block)[1] = mark;
}

ALWAYS_INLINE bool tiny_is_marked(const void *block, uint64_t key)
{
    return tiny_mark_of(block) == key;
}

// A free of a block of the calling thread that carries the mark: ends the process if the block is free, else does the work.
void tiny_free_marked(void *block, size_t class) COLD;

#else

ALWAYS_INLINE void tiny_mark(void *block, uint64_t mark)
{
    (void)block;
    (void)mark;
}

ALWAYS_INLINE bool tiny_is_marked(const void *block, uint64_t key)
{
    (void)block;
    (void)key;
    return false;
}

static inline void tiny_free_marked(void *block, size_t class)
{
    (void)class;
    (void)block;
}

#endif

// A block on its way out to the program.
ALWAYS_INLINE void *tiny_hand_out(void *block)
{
    tiny_mark(block, 0);
    return block;
}

#endif
