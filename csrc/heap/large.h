// Large blocks: one extent each; freed extents are cached for a while, see large_extents.h.
#ifndef LARGE_H
#define LARGE_H

#include "hardened/canary.h"
#include "os/os.h"

// Returns NULL when no memory is available. *zeroed is true if the memory is known to be zero.
void *large_alloc(size_t size, size_t alignment, bool *zeroed);

// For a block that grows and is likely to grow again: places it in front of free memory, so that it can grow in place.
// NULL when there is no such memory, or when another thread holds the lock.
void *large_alloc_to_grow(size_t size);

// Without a lock; the caller owns the block. True if it has room for `size` bytes in place, perhaps by growing, and
// `size` is not so small that its memory should be freed.
bool large_fits(void *block, size_t size);

// Each of these ends the process when `block` is not the start of a large block.
void large_free(void *block);
size_t large_usable_size(const void *block);

// Returns the block's new address, which may be the old one; NULL leaves the block unchanged. size > 0.
void *large_resize(void *block, size_t size);

// Gives up free memory to another pool: `size` bytes, aligned, whose pages have records. They may hold memory that has been free
// since *freed_at, by os_clock_ms. NULL if no free extent is long enough, and always with full checks.
char *large_give_up(size_t size, size_t alignment, uint32_t *freed_at);

// Unmaps up to `most` bytes of extents that have been free for `delay` milliseconds; returns the number of bytes
// unmapped. `now` is os_clock_ms().
size_t large_return(size_t most, uint32_t now, uint32_t delay);

// Blocks in use, and the free extents.
typedef struct large_usage {
    size_t blocks;
    size_t bytes;
    size_t cached;
    size_t cached_bytes;
    size_t hidden_bytes; // those of them that hold no memory
} large_usage_t;
large_usage_t large_usage(void);

void large_before_fork(void);
void large_after_fork(void);

#endif
