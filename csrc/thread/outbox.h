// Outbox: blocks of other threads' heaps, sent to their owners in batches.
//
// slot: one chain of one slab's blocks, selected by the slab's address. outgoing = the sum of the slots' counts.
#ifndef OUTBOX_H
#define OUTBOX_H

#include "heap/tiny_heap.h"

// Puts a block of another heap into the outbox of the calling thread's heap. True: blocks were sent.
bool outbox_add(tiny_heap_t *heap, tiny_block_t *block);

// Sends everything.
void outbox_send(tiny_heap_t *heap);

bool outbox_holds(tiny_heap_t *heap, const tiny_block_t *block);

#endif
