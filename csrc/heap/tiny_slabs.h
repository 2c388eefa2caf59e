// The slabs of one heap: blocks are taken from them and returned to them.
//
// For each slab: used + the number of its free bits = fresh <= capacity; remote blocks count as used until the owner
// collects them. For each heap: bytes_out = the sum of used * size over its slabs.
#ifndef TINY_SLABS_H
#define TINY_SLABS_H

#include "heap/tiny_heap.h"

// Returns the fewest pages that hold six blocks and leave at most a tenth unused.
unsigned tiny_slab_pages_for(size_t class);

// Makes the pages a slab of the heap.
tiny_slab_t *tiny_slab_format(tiny_heap_t *heap, char *page, unsigned pages, size_t class);

// Gives the slab, which has room, to another heap.
void tiny_slab_move(tiny_heap_t *from, tiny_heap_t *to, tiny_slab_t *slab);

// Adds up to `want` of the slab's blocks to the row, which must have room; returns their number.
unsigned tiny_slab_take(tiny_heap_t *heap, tiny_slab_t *slab, unsigned want, tiny_row_t *row);

// Marks the blocks of one word of the slab's free bits, at least one, as free; returns their number, which the caller
// counts. Ends the process if one of them is free already.
unsigned tiny_slab_set_free(tiny_slab_t *slab, size_t word, uint64_t blocks);

// `count` blocks, at least one, have been marked as free. Keeps an empty slab if it is the class's only slab with room:
// otherwise a program whose need varies around that point would take and return a slab each time. True: the slab was
// returned to the pool.
bool tiny_slab_count_freed(tiny_heap_t *heap, tiny_slab_t *slab, unsigned count);

// Returns how many blocks a slab that is given to other threads has in use, at most: three quarters. If only emptier ones were given,
// the others would stay just above the limit, with that much unused. A fuller one gains others little.
static inline unsigned tiny_slab_offered_most(const tiny_slab_t *slab)
{
    return slab->capacity * 3u / 4;
}

// Returns one block to its slab, in the same way.
bool tiny_slab_give(tiny_heap_t *heap, tiny_slab_t *slab, const tiny_block_t *block);

// Returns an empty slab to the shared pool; or all of the heap's empty slabs, and then their number.
void tiny_slab_release(tiny_heap_t *heap, tiny_slab_t *slab);
unsigned tiny_slabs_release_empty(tiny_heap_t *heap);

// Returns one of the heap's empty slabs to the pool: one that it keeps, or the only one with room of its class. False: it has none.
bool tiny_slabs_release_one(tiny_heap_t *heap);

// Lists an empty slab of the class that the heap keeps; NULL if it keeps none.
tiny_slab_t *tiny_slab_use_kept(tiny_heap_t *heap, size_t class);

// Returns the memory of free blocks in slabs that stay in use to the system, with about `calls` calls of it: of blocks
// that are large enough to contain whole pages, alone or with free neighbours.
void tiny_slabs_purge(tiny_heap_t *heap, unsigned calls);

// Returns one block to its slab, which the heap owns. An empty slab is returned to the shared pool.
void tiny_heap_give(tiny_heap_t *heap, tiny_block_t *block);

// Returns blocks of one class to their slabs, up to the first one that is not found to be the heap's; returns their number.
unsigned tiny_heap_give_row(tiny_heap_t *heap, tiny_block_t *const *blocks, unsigned count);

// True if the block is free in its slab, which the heap owns.
bool tiny_heap_holds(const tiny_block_t *block);

// True when much less is allocated than at the peak: a burst is over. `tiny_heap_forget_peak` resets the peak.
bool tiny_heap_has_shrunk(const tiny_heap_t *heap);
void tiny_heap_forget_peak(tiny_heap_t *heap);

#endif
