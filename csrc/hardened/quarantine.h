// Quarantine: blocks that were freed and wait, filled, before they can be allocated again.
//
// row: waiting blocks, the oldest first; bytes = the sum of their sizes.
#ifndef QUARANTINE_H
#define QUARANTINE_H

#include "os/hak_types.h"

typedef struct quarantine_block {
    char *start;
    size_t size;
} quarantine_block_t;

#define QUARANTINE_ROW 1024u // a power of two
typedef struct quarantine_row {
    size_t bytes;
    unsigned first; // both only increase, and wrap; 0 <= end - first <= QUARANTINE_ROW
    unsigned end;
    quarantine_block_t waiting[QUARANTINE_ROW];
} quarantine_row_t;

typedef struct quarantine {
    quarantine_row_t tiny;
    quarantine_row_t arena;
} quarantine_t;

// Returns NULL when no memory is available.
quarantine_t *quarantine_make(void);
void quarantine_unmake(quarantine_t *quarantine);

static inline unsigned quarantine_count(const quarantine_row_t *row)
{
    return row->end - row->first;
}

// At least one block may wait, however large.
static inline bool quarantine_has_room(const quarantine_row_t *row, size_t size, size_t bound)
{
    unsigned count = quarantine_count(row);
    return count == 0 || (count < QUARANTINE_ROW && row->bytes + size <= bound);
}

static inline void quarantine_add(quarantine_row_t *row, quarantine_block_t block)
{
    row->waiting[row->end++ % QUARANTINE_ROW] = block;
    row->bytes += block.size;
}

static inline quarantine_block_t quarantine_take_oldest(quarantine_row_t *row)
{
    quarantine_block_t oldest = row->waiting[row->first++ % QUARANTINE_ROW];
    row->bytes -= oldest.size;
    return oldest;
}

#endif
