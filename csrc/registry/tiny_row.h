// Rows: blocks of one class on their way between a cache and the slabs.
//
// A row is an array of pointers. So nothing is written into the blocks on the way, and the memory that describes all of
// them can be fetched at once, which a linked list allows only one after the other.
#ifndef TINY_ROW_H
#define TINY_ROW_H

#include "registry/tiny_link.h"

#define TINY_ROW_MOST 64u

// count <= TINY_ROW_MOST
typedef struct tiny_row {
    unsigned count;
    tiny_block_t *block[TINY_ROW_MOST];
} tiny_row_t;

// The row must have room.
static inline void tiny_row_add(tiny_row_t *row, tiny_block_t *block)
{
    row->block[row->count++] = block;
}

#endif
