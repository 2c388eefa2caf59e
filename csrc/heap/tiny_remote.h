// Blocks that other threads have freed: added to their slabs' remote blocks, collected by the owner or on its behalf.
#ifndef TINY_REMOTE_H
#define TINY_REMOTE_H

#include "heap/tiny_heap.h"

typedef enum tiny_collector {
    TINY_BY_OWNER,
    TINY_BY_VISIT,
    TINY_BY_TAKER, // a visit to a quiet heap, whose sparse slabs are given to others
    TINY_BY_SENDER, // for an idle heap
} tiny_collector_t;

// Adds blocks of one word of the slab's bits to its remote blocks. Returns these, and their owner, if the slab was not pending
// before: the caller lists it. Else NULL, because the thread that sent the first block lists it. Ends the process if one of the
// blocks is remote already.
tiny_remote_t *tiny_remote_post(tiny_slab_t *slab, size_t word, uint64_t blocks, tiny_heap_t **owner);

// Adds `count` slabs, linked from the first to the last one, to the pending ones of a heap.
void tiny_remote_list(tiny_heap_t *heap, tiny_remote_t *first, tiny_remote_t *last, uint32_t count);

// Fetches the memory that a post of this word writes to.
static inline void tiny_remote_prefetch(const tiny_slab_t *slab, size_t word)
{
    tiny_remote_t *remote = &slab->remote[word / TINY_REMOTE_WORDS];
    __builtin_prefetch(&remote->words, 1);
    __builtin_prefetch(&remote->freed[word % TINY_REMOTE_WORDS], 1);
}

// Takes in the remote blocks of the heap's pending slabs.
void tiny_remote_collect(tiny_heap_t *heap, tiny_collector_t by);

// Looks at some of a quiet heap's doubted slabs: takes in the doubted blocks of sparse ones.
void tiny_remote_look_at_doubted(tiny_heap_t *heap);

// True: a block of the slab is doubted, so the slab stays with its owner.
bool tiny_remote_is_doubted(const tiny_slab_t *slab);

// Takes in, for the owner, the remote blocks of all these slabs.
void tiny_heap_collect(tiny_heap_t *heap);

#endif
