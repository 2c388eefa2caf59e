// Canaries and fill: they reveal writes outside a block and writes to a free block. Empty below TINY_CHECKS_FULL.
//
// canary: the bytes from the end of the requested size to the end of the block's memory. Each word depends on a
// secret and on its own address. No byte of it is 0, so that a string's terminator written there is noticed.
// post: a canary's last word. It stands at the end of every block's memory, whether the block is in use or free, so
// that a check of a block can also check the block before it.
// fill: the contents of a free block.
#ifndef CANARY_H
#define CANARY_H

#include "os/hak_types.h"
#include "os/os.h"
#include "registry/tiny_link.h"

#if TINY_CHECKS >= TINY_CHECKS_FULL

#define CANARY_DOUBLE_FREE "double free"
#define CANARY_OVERFLOW "overflow: the bytes behind a block were written to"
#define CANARY_UNDERFLOW "underflow: the bytes in front of a block were written to"
#define CANARY_WRITTEN "use after free: a free block was written to"

#define CANARY_POST ((size_t)8)
#define CANARY_GUARD OS_PAGE // before and after each mapping of blocks

// Writes the post that ends at `end`, a multiple of 8.
void canary_set_post(void *end);
bool canary_has_post(const void *end);

// The canary begins at `start`. canary_set writes it up to the post before `end`; canary_is_whole checks it up to `end`.
void canary_set(void *start, void *end);
bool canary_is_whole(const void *start, const void *end);

// `start` and `end` are multiples of 8.
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
