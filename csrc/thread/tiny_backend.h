// The heap as the layers of the front call it: blocks are taken in batches, and freed.
#ifndef TINY_BACKEND_H
#define TINY_BACKEND_H

#include "registry/tiny_registry.h"

// Blocks fetched by one refill: n = 4096 / size, at most 64; if n < 4, min(4, 32768 / size), at least 1.
static inline unsigned tiny_batch(size_t class)
{
    unsigned size = tiny_class_size[class], blocks = 4096 / size, least = 32768 / size;
    if (blocks >= 4) return blocks > 64 ? 64 : blocks;
    return least > 4 ? 4 : least > 1 ? least : 1;
}

// Takes a chain of up to `want` blocks of the class; returns their number: 0 when no memory is available, or the thread
// is past its own end. Attaches the thread to a heap if it has none.
unsigned tiny_backend_take(size_t class, unsigned want, tiny_chain_t *chain) COLD;

// Returns a chain as tiny_backend_give returns a block.
void tiny_backend_give_chain(const tiny_chain_t *chain) COLD;

// Frees a block that the fast path did not take: one of another heap, or one that is not in the tag map. Checked.
void tiny_backend_free(tiny_block_t *block, tiny_tag_t tag) COLD;

#endif
