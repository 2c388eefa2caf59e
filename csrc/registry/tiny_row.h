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

// Links the blocks of a row in its order.
static inline tiny_chain_t tiny_row_linked(const tiny_row_t *row)
{
    if (row->count == 0) return (tiny_chain_t){NULL, NULL, 0};
    const unsigned last = row->count - 1;
    for (unsigned i = 0; i < last; i++) tiny_link(row->block[i], row->block[i + 1]);
    tiny_link(row->block[last], NULL);
    return (tiny_chain_t){row->block[0], row->block[last], row->count};
}

// Moves blocks from the front of a list, as many as fit, to an empty row; returns the rest of the list.
static inline tiny_block_t *tiny_row_fill(tiny_row_t *row, tiny_block_t *list)
{
    for (; list != NULL && row->count < TINY_ROW_MOST; list = tiny_next(list)) tiny_row_add(row, list);
    return list;
}

#endif
