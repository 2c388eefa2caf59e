// SuperSlab backend: a heap takes blocks from its slabs, then from slabs of other heaps, then from the shared pool.
#ifndef TINY_SUPERSLAB_H
#define TINY_SUPERSLAB_H

#include "heap/tiny_heap.h"

// Adds up to `want` blocks to the row, which must have room; returns their number. The heap must be the calling thread's.
unsigned tiny_heap_take(tiny_heap_t *heap, size_t class, unsigned want, tiny_row_t *row);

#endif
