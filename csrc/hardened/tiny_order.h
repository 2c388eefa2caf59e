// Where the blocks of a slab begin, and the order in which they are allocated: that of their addresses, or, with full
// checks, an order in which the next block cannot be predicted.
//
// colour: the offset of a slab's first block from its page's start, in steps of a cache line or of the blocks' own
// alignment, so that equal blocks of many slabs do not share one cache set.
#ifndef TINY_ORDER_H
#define TINY_ORDER_H

#include "hardened/canary.h"
#include "registry/tiny_registry.h"
#include "registry/tiny_row.h"

#define TINY_COLOUR_SPAN 1024u
#define TINY_COLOUR_STEP 64u

#if TINY_CHECKS >= TINY_CHECKS_FULL

// A post stands before the first block of a slab, too.
#define TINY_FIRST_COLOUR 1u
_Static_assert(TINY_MAX_SIZE + TINY_ALIGNMENT_MOST <= TINY_SLAB_PAGES_MOST * HAK_PAGE,
               "a slab has no room for its first post");

static inline void tiny_order_set_up(uint64_t *random, tiny_slab_t *slab)
{
    slab->order = tiny_draw(random);
    canary_set_post(slab->start);
    for (size_t i = 0; i < slab->capacity; i++)
        atomic_store_explicit(&slab->asked[i], 0, memory_order_relaxed);
}

// Returns a number that depends on the secret. Mixed twice, because one product keeps neighbours together.
static inline size_t tiny_order_mixed(const tiny_slab_t *slab, size_t round, size_t half)
{
    uint64_t once = tiny_pad((const void *)((uintptr_t)slab->order << 32 | round << 16 | half));
    return tiny_pad((const void *)once);
}

// Fresh blocks are drawn from one window of a slab after the other, so that a slab's memory is used page by page.
// window: at least TINY_WINDOW_BLOCKS blocks, and at least TINY_WINDOW_BYTES.
#define TINY_WINDOW_BLOCKS ((size_t)8)
#define TINY_WINDOW_BYTES ((size_t)16384)

static inline size_t tiny_order_window(const tiny_slab_t *slab)
{
    size_t blocks = TINY_WINDOW_BYTES / tiny_class_size[slab->class];
    return blocks > TINY_WINDOW_BLOCKS ? blocks : TINY_WINDOW_BLOCKS;
}

// Returns the nth of `count` numbers in a random order: a Feistel network over the next even number of bits, keyed by the
// secret and repeated until it gives one of them. With steps of one length, two batches would reveal the third.
static inline size_t tiny_order_permuted(const tiny_slab_t *slab, size_t window, size_t count, size_t n)
{
    unsigned bits = count > 4 ? 32u - (unsigned)__builtin_clz((unsigned)count - 1u) : 2,
             half = (bits + 1) / 2;
    size_t mask = ((size_t)1 << half) - 1;
    do {
        for (size_t round = 0; round < 4; round++) {
            size_t low = n & mask;
            n = low << half | ((n >> half ^ tiny_order_mixed(slab, window * 4 + round, low)) & mask);
        }
    } while (n >= count);
    return n;
}

// Returns the index of the nth fresh block.
static inline size_t tiny_order_nth(const tiny_slab_t *slab, size_t n)
{
    size_t length = tiny_order_window(slab), window = n / length, first = window * length;
    size_t count = slab->capacity - first < length ? slab->capacity - first : length;
    return first + tiny_order_permuted(slab, window, count, n - first);
}

// Adds the block at a random position: with each, the row is a random permutation (R. Durstenfeld, CACM algorithm 235).
static inline void tiny_order_add(uint64_t *random, tiny_row_t *row, tiny_block_t *block)
{
    tiny_row_add(row, block);
    unsigned last = row->count - 1, at = tiny_draw(random) % row->count;
    row->block[last] = row->block[at];
    row->block[at] = block;
}

// Where the search for free blocks begins among the words of a slab's free bits.
static inline size_t tiny_order_first_word(uint64_t *random, const tiny_slab_t *slab, size_t words)
{
    (void)slab;
    return tiny_draw(random) % words;
}

// Picks one of the bits of a word that is not 0.
static inline unsigned tiny_order_pick(uint64_t *random, uint64_t word)
{
    unsigned turn = tiny_draw(random) % 64;
    uint64_t turned = word >> turn | word << (64 - turn) % 64;
    return ((unsigned)__builtin_ctzll(turned) + turn) % 64;
}

#else

#define TINY_FIRST_COLOUR 0u

static inline void tiny_order_set_up(uint64_t *random, tiny_slab_t *slab)
{
    (void)random;
    (void)slab;
}

static inline size_t tiny_order_nth(const tiny_slab_t *slab, size_t n)
{
    (void)slab;
    return n;
}

static inline void tiny_order_add(uint64_t *random, tiny_row_t *row, tiny_block_t *block)
{
    (void)random;
    tiny_row_add(row, block);
}

static inline size_t tiny_order_first_word(uint64_t *random, const tiny_slab_t *slab, size_t words)
{
    (void)random;
    (void)words;
    return slab->free_from;
}

static inline unsigned tiny_order_pick(uint64_t *random, uint64_t word)
{
    (void)random;
    return (unsigned)__builtin_ctzll(word);
}

#endif

#endif
