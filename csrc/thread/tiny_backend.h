// The heap as the layers of the front call it: blocks are taken in batches, and freed.
#ifndef TINY_BACKEND_H
#define TINY_BACKEND_H

#include "registry/tiny_registry.h"
#include "registry/tiny_row.h"

// Blocks fetched by one refill: n = 4096 / size, at most TINY_ROW_MOST; if n < 4, min(4, 32768 / size), at least 1.
static inline unsigned tiny_batch(size_t class)
{
    unsigned blocks = (unsigned)(4096 * tiny_class_inverse[class] >> TINY_INVERSE_BITS);
    unsigned least = (unsigned)(32768 * tiny_class_inverse[class] >> TINY_INVERSE_BITS);
    if (blocks >= 4) return blocks > TINY_ROW_MOST ? TINY_ROW_MOST : blocks;
    return least > 4 ? 4 : least > 1 ? least : 1;
}

// Makes a row of up to `want` blocks of the class; returns their number: 0 when no memory is available, or the thread
// is past its own end. Attaches the thread to a heap if it has none.
unsigned tiny_backend_take_row(size_t class, unsigned want, tiny_row_t *row) COLD;

// The same as a chain.
unsigned tiny_backend_take(size_t class, unsigned want, tiny_chain_t *chain) COLD;

// Returns a row, or a chain, as tiny_backend_give returns a block.
void tiny_backend_give_row(const tiny_row_t *row) COLD;
void tiny_backend_give_chain(const tiny_chain_t *chain) COLD;

// Frees a block that the fast path did not take: one of another heap, or one that is not in the tag map. Checked.
void tiny_backend_free(tiny_block_t *block, tiny_tag_t tag) COLD;

#endif
