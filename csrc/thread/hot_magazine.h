// Hot magazine, option `hotmag`: a few blocks of the last refill per class, used before the backend. Without the option
// these functions do nothing.
#ifndef HOT_MAGAZINE_H
#define HOT_MAGAZINE_H

#include "thread/tiny_tls.h"

#if TINY_HAS_OPTION_HOTMAG

// Adds a block to the row; returns the number of blocks that were added, 0 or 1.
unsigned hot_magazine_take(size_t class, tiny_row_t *row);

// Fills the class's magazine from the calling thread's heap, which is in change.
void hot_magazine_fill(size_t class);

bool hot_magazine_holds(const tiny_block_t *block);
void hot_magazine_drain(void);

#else

static inline unsigned hot_magazine_take(size_t class, tiny_row_t *row)
{
    (void)class, (void)row;
    return 0;
}

static inline void hot_magazine_fill(size_t class)
{
    (void)class;
}

static inline bool hot_magazine_holds(const tiny_block_t *block)
{
    (void)block;
    return false;
}

static inline void hot_magazine_drain(void)
{
}

#endif
#endif
