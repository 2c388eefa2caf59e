// Blocks that other threads have freed: added to their slabs' remote lists, collected by the owner or on its behalf.
#ifndef TINY_REMOTE_H
#define TINY_REMOTE_H

#include "heap/tiny_heap.h"

typedef enum tiny_collector {
    TINY_BY_OWNER,
    TINY_BY_VISIT,
    TINY_BY_SENDER, // for an idle heap
} tiny_collector_t;

// Adds the chain to the slab's remote blocks. Returns the owning heap if the slab was not pending before; else NULL,
// because the thread that found it empty notifies the owner.
tiny_heap_t *tiny_remote_post(tiny_slab_t *slab, const tiny_chain_t *chain);

// Takes in the remote blocks of the heap's pending slabs.
void tiny_remote_collect(tiny_heap_t *heap, tiny_collector_t by);

// Collects what other threads have freed; the second also takes in the doubted blocks.
void tiny_heap_collect(tiny_heap_t *heap);
void tiny_heap_collect_all(tiny_heap_t *heap);

#endif
