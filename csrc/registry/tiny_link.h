// Links of free blocks: only this file reads and writes them.
//
// block: free memory; in a list, its first word links it to the next free block. chain: linked free blocks of one class
// with both ends known, so that chains join in constant time.
// With full checks (TINY_CHECKS_FULL) a link is encoded with a secret and with its own address. So a program that
// writes there cannot choose where a link leads, and what it writes is almost never a valid link.
#ifndef TINY_LINK_H
#define TINY_LINK_H

#include "os/die.h"
#include "os/hak_types.h"
#include "tiny_alloc_fast_gen.h" // TINY_CHECKS

#define TINY_CHECKS_NONE 0
#define TINY_CHECKS_BASIC 1
#define TINY_CHECKS_FULL 2

typedef struct tiny_block {
    uintptr_t link;
} tiny_block_t;

typedef struct tiny_chain {
    tiny_block_t *head;
    tiny_block_t *tail;
    unsigned count;
} tiny_chain_t;

#if TINY_CHECKS >= TINY_CHECKS_BASIC

extern _Atomic(uint64_t) tiny_secret_made; // 0 until first used
uint64_t tiny_make_secret(void) COLD;

// Returns a number that cannot be guessed: not 0, and the same at each call.
ALWAYS_INLINE uint64_t tiny_secret(void)
{
    uint64_t secret = atomic_load_explicit(&tiny_secret_made, memory_order_relaxed);
    return LIKELY(secret != 0) ? secret : tiny_make_secret();
}

#endif

#if TINY_CHECKS >= TINY_CHECKS_FULL

// The pad that encodes and decodes the word at `place`. It folds both halves of a product with the secret, as wyhash
// does: one known pad does not reveal others. It is not a cipher.
ALWAYS_INLINE uint64_t tiny_pad_with(uint64_t secret, const void *place)
{
    __extension__ unsigned __int128 product = (uintptr_t)place ^ secret;
    product *= (secret << 32 | secret >> 32) | 1;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

ALWAYS_INLINE uint64_t tiny_pad(const void *place)
{
    return tiny_pad_with(tiny_secret(), place);
}

// Returns the secret where it must have been made: a block or a random state depends on it already.
ALWAYS_INLINE uint64_t tiny_secret_known(void)
{
    return atomic_load_explicit(&tiny_secret_made, memory_order_relaxed);
}

// Returns the next random number of a state that is not 0, and never becomes 0.
ALWAYS_INLINE uint32_t tiny_draw_next(uint64_t *state)
{
    uint64_t drawn = *state;
    drawn ^= drawn << 13;
    drawn ^= drawn >> 7;
    drawn ^= drawn << 17;
    *state = drawn;
    return (uint32_t)(drawn >> 32);
}

// Returns a random number: xorshift, see Marsaglia, "Xorshift RNGs", 2003, seeded by the secret. *state is 0 at first.
static inline uint32_t tiny_draw(uint64_t *state)
{
    if (*state == 0) *state = tiny_pad(state) | 1;
    return tiny_draw_next(state);
}

ALWAYS_INLINE uintptr_t tiny_encode(const void *pointer, const void *place)
{
    return (uintptr_t)pointer ^ tiny_pad(place);
}

// Of the words that are not valid links, all but one in 2^20 decode to bits that no block's address has.
ALWAYS_INLINE void *tiny_decode(uintptr_t link, const void *place)
{
    uintptr_t pointer = link ^ tiny_pad(place);
    if (UNLIKELY((pointer & ~(((uintptr_t)1 << 48) - 16)) != 0))
        hak_die("corrupted heap: a free block was written to", place);
    return (void *)pointer;
}

#else

ALWAYS_INLINE uintptr_t tiny_encode(const void *pointer, const void *place)
{
    (void)place;
    return (uintptr_t)pointer;
}

ALWAYS_INLINE void *tiny_decode(uintptr_t link, const void *place)
{
    (void)place;
    return (void *)link;
}

#endif

ALWAYS_INLINE tiny_block_t *tiny_next(const tiny_block_t *block)
{
    return tiny_decode(block->link, block);
}

ALWAYS_INLINE void tiny_link(tiny_block_t *block, tiny_block_t *next)
{
    block->link = tiny_encode(next, block);
}

// Returns the last block of a non-empty list.
static inline tiny_block_t *tiny_last(tiny_block_t *block)
{
    for (tiny_block_t *next; (next = tiny_next(block)) != NULL;) block = next;
    return block;
}

#endif
