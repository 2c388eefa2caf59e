// With full checks: the memory of free pages moves to the addresses of another class.
//
// A class cannot use the addresses that another one has freed. Without a move, the memory there returns to the system, and the
// class's own comes from it page by page, zeroed, with a page fault for each.
//
// piece: adjacent pages of one mapping, moved with one call.
#ifndef POOL_MOVE_H
#define POOL_MOVE_H

#include "heap/pool_superslabs.h"
#include "os/os.h"

// Pieces that arrived at a slab's addresses.
typedef struct pool_moved {
    os_moved_t result; // OS_TARGET_LOST: the slab's pages must not be used any more
    unsigned pages; // of the slab, from the first on; 0 unless OS_MOVED
    unsigned count;
    struct {
        char *start;
        size_t bytes;
    } piece[TINY_SLAB_PAGES_MOST];
} pool_moved_t;

// Moves memory to the pages of a slab that hold none, as long as more is free than may stay. If some has moved, the slab is
// accessible, except for the guard at its end. The caller holds the pool's lock, and counts the pages as in use.
void pool_move_to(superslab_t *superslab, unsigned index, unsigned pages, pool_moved_t *moved);

// Overwrites what has moved with zeroes. The caller does not hold the lock.
void pool_wipe_moved(const pool_moved_t *moved);

#endif
