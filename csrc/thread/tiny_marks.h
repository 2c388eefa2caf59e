// Marked blocks, in variants with basic checks: is a block that carries the mark of a free one really free?
#ifndef TINY_MARKS_H
#define TINY_MARKS_H

#include "hardened/tiny_checks.h"
#include "heap/tiny_heap.h"

#if TINY_MARKS

// Checks a marked block of the calling thread's heap before it is freed: ends the process if it is free already.
void tiny_marks_check_own(const tiny_block_t *block);

// From now on the calling thread, which owns the heap, checks arriving blocks that seem free.
void tiny_marks_watch(tiny_heap_t *heap);

#else

static inline void tiny_marks_watch(tiny_heap_t *heap)
{
    (void)heap;
}

#endif
#endif
