// Quarantine: blocks that were freed and wait, filled, before they can be allocated again.
//
// row: waiting blocks, in no order; bytes = the sum of their sizes. Which one leaves next is drawn at random, so that an
// attacker cannot tell when a block will be allocated again. It is drawn one turn ahead, so that its memory is fetched
// meanwhile.
#ifndef QUARANTINE_H
#define QUARANTINE_H

#include "hardened/fill.h"
#include "os/hak_types.h"

typedef struct quarantine_block {
    char *start;
    uint32_t size;
    bool whole; // of a run: it is filled as a whole, not in part
} quarantine_block_t;

#define QUARANTINE_ROW 512u
typedef struct quarantine_row {
    size_t bytes;
    unsigned count; // at most QUARANTINE_ROW
    unsigned next; // the block that leaves next, if there are as many
    quarantine_block_t waiting[QUARANTINE_ROW];
} quarantine_row_t;

#if TINY_CHECKS >= TINY_CHECKS_FULL

// Of one thread.
typedef struct quarantine {
    uint64_t random; // the state of its random numbers
    fill_allowance_t allowance;
    size_t tiny_most; // bytes
    quarantine_row_t tiny;
    quarantine_row_t arena;
} quarantine_t;

// Returns NULL when no memory is available. It is never freed: the next thread of the same heap uses it.
quarantine_t *quarantine_make(void);

// At least one block may wait, however large.
static inline bool quarantine_has_room(const quarantine_row_t *row, size_t size, size_t bound)
{
    return row->count == 0 || (row->count < QUARANTINE_ROW && row->bytes + size <= bound);
}

// The same with a margin of an eighth. While blocks of any sizes take each other's place, the bytes stay within it, so that a
// processor can predict what a free does.
static inline bool quarantine_has_much_room(const quarantine_row_t *row, size_t size, size_t bound)
{
    return quarantine_has_room(row, size, bound - bound / 8);
}

static inline void quarantine_add(quarantine_row_t *row, quarantine_block_t block)
{
    row->waiting[row->count++] = block;
    row->bytes += block.size;
}

// Fetches the lines that every check of a block reads; a shorter block has fewer, and then other blocks' lines come.
static inline void quarantine_draw(quarantine_row_t *row, uint64_t *random)
{
    enum { LINE = 64 };
    row->next = (unsigned)((uint64_t)tiny_draw(random) * row->count >> 32);
    quarantine_block_t next = row->waiting[row->next];
    __builtin_prefetch(next.start, 1);
    __builtin_prefetch(next.start + next.size - CANARY_POST, 1);
    __builtin_prefetch(next.start + LINE, 1);
    __builtin_prefetch(next.start + 2 * LINE, 1);
}

// Takes one of the blocks; there is one at least.
static inline quarantine_block_t quarantine_take(quarantine_row_t *row, uint64_t *random)
{
    unsigned index = LIKELY(row->next < row->count) ? row->next : 0;
    quarantine_block_t taken = row->waiting[index];
    row->waiting[index] = row->waiting[--row->count];
    row->bytes -= taken.size;
    quarantine_draw(row, random);
    return taken;
}

// Puts a block in the place of another one, which it returns; there is one at least.
static inline quarantine_block_t quarantine_exchange(quarantine_row_t *row, quarantine_block_t block,
                                                     uint64_t *random)
{
    unsigned index = LIKELY(row->next < row->count) ? row->next : 0;
    quarantine_block_t taken = row->waiting[index];
    row->waiting[index] = block;
    row->bytes =
        row->bytes + block.size - taken.size; // in the order that keeps it from wrapping in the narrower type
    quarantine_draw(row, random);
    return taken;
}

#endif
#endif
