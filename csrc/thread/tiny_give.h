// Returns a block from a thread's caches to its slab, or sends it to its owner.
#ifndef TINY_GIVE_H
#define TINY_GIVE_H

#include "thread/tiny_tls.h"

// Returns a block to its slab; false if another heap owns it.
bool tiny_give_home(tiny_block_t *block);

// Returns the block's index in its slab; ends the process if no block begins there.
size_t tiny_give_index(const tiny_slab_t *slab, const tiny_block_t *block);

// Sends the slab's block with that index to the heap that owns it, now or with others. True: blocks were sent.
bool tiny_give_away(tiny_slab_t *slab, size_t index);

// Notes that the calling thread has freed a block of this class that another heap seems to own. False: the noted blocks are to
// be given away now. The thread must have a heap.
//
// A program reads a block before it frees it, and waits for its memory. The fewer instructions a free executes, the more of
// these reads the processor has under way at once; so blocks are only noted here, and checked and sorted many at a time.
static inline bool tiny_give_note(tiny_block_t *block, size_t class)
{
    tiny_noted_t *noted = &tiny_thread.heap->noted;
    noted->block[noted->count] = block;
    HAK_WRITTEN(); // a forked child finds the block or not
    noted->bytes += tiny_class_size[class];
    return ++noted->count < TINY_NOTED_BLOCKS && noted->bytes < TINY_NOTED_BYTES;
}

// Gives away the blocks that are noted.
void tiny_give_noted(void) COLD;

// Between these two, no fork happens, and no other thread collects for the calling thread. They nest.
void tiny_backend_begin(void);
void tiny_backend_end(void);

// Returns blocks of one class to their slabs, because the thread's caches have no room for them.
void tiny_backend_give(tiny_block_t *block) COLD;

#endif
