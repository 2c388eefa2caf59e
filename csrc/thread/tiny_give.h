// Returns a block from a thread's caches to its slab, or sends it to its owner.
#ifndef TINY_GIVE_H
#define TINY_GIVE_H

#include "registry/tiny_registry.h"

// Returns a block to its slab; false if another heap owns it.
bool tiny_give_home(tiny_block_t *block);

// Returns the block's index in its slab; ends the process if no block begins there.
size_t tiny_give_index(const tiny_slab_t *slab, const tiny_block_t *block);

// Sends the slab's block with that index to the heap that owns it, now or with others. True: blocks were sent.
bool tiny_give_away(tiny_slab_t *slab, size_t index);

// Between these two, no fork happens, and no other thread collects for the calling thread. They nest.
void tiny_backend_begin(void);
void tiny_backend_end(void);

// Returns blocks of one class to their slabs, because the thread's caches have no room for them.
void tiny_backend_give(tiny_block_t *block) COLD;

#endif
