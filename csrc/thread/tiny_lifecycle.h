// Start and end of a thread: it gets a heap, and the heap is handed on.
#ifndef TINY_LIFECYCLE_H
#define TINY_LIFECYCLE_H

#include "heap/tiny_heap.h"

// Returns the calling thread's heap; NULL when it has none and cannot get one. A thread past its own end has none and
// gets none: a freed block is sent to its owner at once.
tiny_heap_t *tiny_backend_heap(void);

// Registers the library's fork handlers, once.
void tiny_lifecycle_watch_forks(void);

// In a forked child: releases the heap of one thread that does not exist in the child. False: none is left.
bool tiny_lifecycle_end_vanished(void);

#endif
