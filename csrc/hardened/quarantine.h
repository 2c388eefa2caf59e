// Quarantine: blocks that were freed and wait, filled, before they can be allocated again.
//
// row: waiting blocks, in no order; bytes = the sum of their sizes. Which one leaves next is drawn at random, so that an
// attacker cannot tell when a block will be allocated again. It is drawn one turn ahead, so that its memory is fetched
// meanwhile.
// ready: a few blocks of a class that have left a row and are the next to be allocated. They are still filled as a whole, with
// no link in them, and their notes are known. Other blocks that leave go to the thread's caches.
#ifndef QUARANTINE_H
#define QUARANTINE_H

#include "hardened/fill.h"
#include "os/hak_types.h"

// Its members are as wide as registers, and are copied one by one: a processor stalls when it has to read as one what was just
// written as several. state: of a tiny block, the address of its note; of a run, 1 if it is filled as a whole, 0 if in part.
typedef struct quarantine_block {
    char *start;
    uintptr_t state;
    size_t size;
} quarantine_block_t;

#define QUARANTINE_ROW 512u
typedef struct quarantine_row {
    size_t bytes;
    unsigned count; // at most QUARANTINE_ROW
    unsigned next; // the block that leaves next, if there are as many
    quarantine_block_t waiting[QUARANTINE_ROW];
} quarantine_row_t;

// count <= READY_MOST, and at most READY_BYTES: a class of larger blocks has none.
#define READY_MOST 16u
#define READY_BYTES ((size_t)8192)
typedef struct quarantine_ready {
    unsigned count;
    struct ready_block {
        char *start;
        _Atomic(uint16_t) *note;
    } block[READY_MOST];
} quarantine_ready_t;

#if TINY_CHECKS >= TINY_CHECKS_FULL

// Of one thread.
typedef struct quarantine {
    uint64_t random; // the state of its random numbers, not 0
    fill_allowance_t allowance;
    size_t tiny_most; // bytes
    quarantine_row_t tiny;
    quarantine_row_t arena;
    quarantine_ready_t ready[TINY_CLASSES];
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

static inline void quarantine_put(quarantine_row_t *row, unsigned index, quarantine_block_t block)
{
    row->waiting[index].start = block.start;
    row->waiting[index].state = block.state;
    row->waiting[index].size = block.size;
}

static inline void quarantine_add(quarantine_row_t *row, quarantine_block_t block)
{
    quarantine_put(row, row->count++, block);
    row->bytes += block.size;
}

// Fetches the lines that every check of a block reads; a shorter block has fewer, and then other blocks' lines come.
static inline void quarantine_draw(quarantine_row_t *row, uint64_t *random)
{

    row->next = (unsigned)((uint64_t)tiny_draw_next(random) * row->count >> 32);
    const quarantine_block_t next = row->waiting[row->next];
    __builtin_prefetch(next.start, 1);
    __builtin_prefetch(next.start + next.size - CANARY_POST, 1);
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
    quarantine_put(row, index, block);
    row->bytes = row->bytes + block.size - taken.size;
    quarantine_draw(row, random);
    return taken;
}

// False: there is no room for the block.
static inline bool quarantine_make_ready(quarantine_ready_t *ready, quarantine_block_t block)
{
    if (UNLIKELY(ready->count == READY_MOST || (ready->count + 1) * block.size > READY_BYTES)) return false;
    ready->block[ready->count].start = block.start;
    ready->block[ready->count].note = (_Atomic(uint16_t) *)block.state;
    ready->count++;
    return true;
}

#endif
#endif
