// Where the blocks of a slab begin, and the order in which they are allocated: that of their addresses, or, with full
// checks, an order in which the next block cannot be predicted: it is drawn at random from the free ones.
//
// colour: the offset of a slab's first block from its page's start, in steps of a cache line or of the blocks' own
// alignment, so that equal blocks of many slabs do not share one cache set.
// window: with full checks, fresh blocks become free ones a window at a time, so that a slab's memory is used page by page.
// It has at least TINY_WINDOW_BLOCKS blocks, and at least TINY_WINDOW_BYTES.
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

static inline void tiny_order_set_up(tiny_slab_t *slab)
{
    canary_set_post(slab->start);
    for (size_t i = 0; i < slab->capacity; i++)
        atomic_store_explicit(&slab->asked[i], 0, memory_order_relaxed);
}

#define TINY_WINDOW_BLOCKS ((size_t)8)
#define TINY_WINDOW_BYTES ((size_t)16384)

// Returns the number of blocks of the slab's next window.
static inline size_t tiny_order_window(const tiny_slab_t *slab)
{
    size_t blocks = TINY_WINDOW_BYTES / tiny_class_size[slab->class],
           left = slab->capacity - (size_t)slab->fresh;
    if (blocks < TINY_WINDOW_BLOCKS) blocks = TINY_WINDOW_BLOCKS;
    return blocks < left ? blocks : left;
}

static inline uint32_t tiny_order_draw(uint64_t *random)
{
    return tiny_draw(random);
}

// Adds the block at a random position: with each, the row is a random permutation (R. Durstenfeld, CACM algorithm 235).
static inline void tiny_order_add(uint32_t drawn, tiny_row_t *row, tiny_block_t *block)
{
    tiny_row_add(row, block);
    unsigned last = row->count - 1, at = (unsigned)((uint64_t)drawn * row->count >> 32);
    row->block[last] = row->block[at];
    row->block[at] = block;
}

// Where the search for free blocks begins among the first `words` words of a slab's free bits.
static inline size_t tiny_order_first_word(uint64_t *random, const tiny_slab_t *slab, size_t words)
{
    (void)slab;
    return (size_t)((uint64_t)tiny_draw(random) * words >> 32);
}

// Returns the position of a word's bit that has `rank` others below it. The sums of the bytes' bits give the byte; see Vigna,
// "Broadword implementation of rank/select queries", 2008.
static inline unsigned tiny_order_select(uint64_t word, uint64_t sums, unsigned rank)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones << 7;
    uint64_t below = ((rank * ones | tops) - sums) & tops; // of the bytes whose sums are at most the rank
    unsigned shift = (unsigned)((below >> 7) * ones >> 56) * 8;
    word >>= shift;
    for (rank -= (unsigned)(sums << 8 >> shift & 0xff); rank > 0; rank--) word &= word - 1;
    return shift + (unsigned)__builtin_ctzll(word);
}

// True if all blocks of a word are taken: then only their order in the row is random.
static inline bool tiny_order_takes_all(uint64_t bits, unsigned left)
{
    return (unsigned)__builtin_popcountll(bits) <= left;
}

// Picks one of the bits of a word that is not 0, each as likely as the others. It uses other bits of the drawn number than
// tiny_order_add.
static inline unsigned tiny_order_pick(uint32_t drawn, uint64_t word)
{
    const uint64_t twos = UINT64_C(0x3333333333333333);
    uint64_t sums = word - (word >> 1 & UINT64_C(0x5555555555555555));
    sums = (sums & twos) + (sums >> 2 & twos);
    sums = ((sums + (sums >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f)) * UINT64_C(0x0101010101010101);
    uint32_t swapped = drawn << 16 | drawn >> 16;
    return tiny_order_select(word, sums, (unsigned)(swapped * (sums >> 56) >> 32));
}

#else

#define TINY_FIRST_COLOUR 0u

static inline void tiny_order_set_up(tiny_slab_t *slab)
{
    (void)slab;
}

static inline uint32_t tiny_order_draw(uint64_t *random)
{
    (void)random;
    return 0;
}

static inline void tiny_order_add(uint32_t drawn, tiny_row_t *row, tiny_block_t *block)
{
    (void)drawn;
    tiny_row_add(row, block);
}

static inline size_t tiny_order_first_word(uint64_t *random, const tiny_slab_t *slab, size_t words)
{
    (void)random;
    (void)words;
    return slab->free_from;
}

static inline bool tiny_order_takes_all(uint64_t bits, unsigned left)
{
    (void)bits;
    (void)left;
    return true;
}

static inline unsigned tiny_order_pick(uint32_t drawn, uint64_t word)
{
    (void)drawn;
    return (unsigned)__builtin_ctzll(word);
}

#endif

#endif
