// Canaries and fill: what tells that a program wrote where nothing is its own. Nothing at all below TINY_CHECKS_FULL.
//
// canary: the bytes from the end of what was asked for to the end of the block's memory; each word is made of a secret and
// of its own place, and none of its bytes is 0, so that a string's end shows.  post: a canary's last word. It stands at the
// end of every block's memory whether the block is in use or not, so that a block can look at the one before it.
// fill: what a block holds while it is free.
#ifndef CANARY_H
#define CANARY_H

#include "hak_types.h"
#include "tiny_link.h"

#if TINY_CHECKS >= TINY_CHECKS_FULL

#define CANARY_DOUBLE_FREE "double free"
#define CANARY_OVERFLOW "overflow: the bytes behind a block were written to"
#define CANARY_UNDERFLOW "underflow: the bytes in front of a block were written to"
#define CANARY_WRITTEN "use after free: a free block was written to"

#define CANARY_POST ((size_t)8)
#define CANARY_GUARD OS_PAGE // before and behind each mapping of blocks

// Writes the post that ends at `end`, a multiple of 8.
void canary_set_post(void *end);
bool canary_has_post(const void *end);

// Writes, and looks at, the bytes from `start` to the post before `end`; and to `end`.
void canary_set(void *start, void *end);
bool canary_is_whole(const void *start, const void *end);

// Both multiples of 8.
void canary_fill(void *start, void *end);
bool canary_is_filled(const void *start, const void *end);

#else

#define CANARY_POST ((size_t)0)
#define CANARY_GUARD ((size_t)0)

static inline void canary_set_post(void *end)
{
    (void)end;
}

#endif
#endif
