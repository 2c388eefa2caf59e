// Rooms: free memory that is lent to a block that grows, so that it grows in place without a lock and a system call.
//
// room: the rest of the free extent at whose front the block was placed. The extent's `size` includes the room, and its
// `freed_at` stays the age of the room's memory. A room ends when its block is freed or stops growing, or when another
// block needs the memory.
//
// The caller holds the lock of the large blocks, except for large_room_fits, which the block's owner calls.
#ifndef LARGE_ROOM_H
#define LARGE_ROOM_H

#include "heap/large_extents.h"

// Takes the longest free extent for a block that grows; NULL if there is none with much room, or too many are lent.
large_extent_t *large_room_take(size_t size);

// The block has no room any more, and the extent's size is the block's. False: no record is available for the rest.
bool large_room_end(large_extent_t *extent);

// Ends every room; or only those whose blocks have not grown since the last call of this kind. `ended` is called for
// each extent with its new size.
typedef void large_room_ended_t(large_extent_t *extent);
void large_rooms_end(bool only_idle, large_room_ended_t *ended);

// The block is free: its extent is given as a whole. Returns the bytes that the block used.
size_t large_room_forget(large_extent_t *extent, uint32_t now);

// Bytes in rooms, and bytes by which their blocks have grown since they were counted.
typedef struct large_rooms_usage {
    size_t lent;
    size_t grown;
} large_rooms_usage_t;
large_rooms_usage_t large_rooms_usage(void);

// ---- the span of a block: the granules that it uses, and those up to which it may grow, in one word

static inline uint64_t large_span(size_t used, size_t limit)
{
    return (uint64_t)(limit / LARGE_GRAIN) << 32 | used / LARGE_GRAIN;
}

static inline size_t large_used(const large_extent_t *extent)
{
    if (large_is_guarded(extent)) return extent->size;
    return (uint32_t)atomic_load_explicit(&extent->span, memory_order_relaxed) * LARGE_GRAIN;
}

// True if the block has room for `size` bytes, now or by growing into its room, and `size` does not leave more than an
// eighth of it unused.
static inline bool large_room_fits(large_extent_t *extent, size_t size)
{
    uint64_t span = atomic_load_explicit(&extent->span, memory_order_relaxed);
    for (;;) {
        size_t used = (uint32_t)span * LARGE_GRAIN, limit = (size_t)(span >> 32) * LARGE_GRAIN;
        if (size <= used) return size >= used - used / 8 || (used == LARGE_GRAIN && size > LARGE_GRAIN / 32);
        if (size > limit) return false;
        uint64_t grown = large_span(hak_round_up(size, LARGE_GRAIN), limit);
        if (atomic_compare_exchange_weak_explicit(&extent->span, &span, grown, memory_order_acq_rel,
                                                  memory_order_relaxed))
            return true;
    }
}

#endif
