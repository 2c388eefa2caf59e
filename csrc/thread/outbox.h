// Outbox: blocks of other threads' heaps, sent to their owners in batches.
//
// Frees only note a block here, so that a thread that frees others' blocks waits for no memory that several threads write to.
// A batch visits all of that memory at once.
#ifndef OUTBOX_H
#define OUTBOX_H

#include "heap/tiny_heap.h"

// Puts a block of another heap, the one with that index in its slab, into the outbox of the calling thread's heap. True:
// blocks were sent. Ends the process if the block is there already.
bool outbox_add(tiny_heap_t *heap, tiny_slab_t *slab, size_t index);

// The same for `count` blocks of one word of the slab's bits.
void outbox_add_row(tiny_heap_t *heap, tiny_slab_t *slab, size_t word, uint64_t blocks, unsigned count);

// Sends everything.
void outbox_send(tiny_heap_t *heap);

#endif
