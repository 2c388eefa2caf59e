// Rooms of growing blocks: a short table of those that are lent.
#include "heap/large_room.h"

#include "os/os.h"

#define LENT_MOST 8u // rooms at a time
#define LEAST_SHARE 4u // the extent is at least this many times as long as the block

// A block of less than half a granule wastes most of it, so only a few of them may have been placed in an extent.
#define SMALL_BYTES (LARGE_GRAIN / 2)
#define SMALL_MOST 16u

// Protected by the lock of the large blocks.
static struct {
    large_extent_t *extent[LENT_MOST];
    size_t used_at_look[LENT_MOST];
    unsigned lent;
    unsigned small; // blocks of at most SMALL_BYTES
} rooms;

// A block does not grow beyond LARGE_ALONE_BYTES in its room.
static uint64_t open_span(const large_extent_t *extent, size_t used)
{
    return large_span(used, extent->size < LARGE_ALONE_BYTES ? extent->size : LARGE_ALONE_BYTES);
}

large_extent_t *large_room_take(size_t size)
{
    bool is_small = size <= SMALL_BYTES;
    if (rooms.lent == LENT_MOST || (is_small && rooms.small == SMALL_MOST)) return NULL;
    size = hak_round_up(size, LARGE_GRAIN);
    large_extent_t *extent = large_extents_take_longest(size * LEAST_SHARE);
    if (extent == NULL) return NULL;
    extent->has_grown = true;
    extent->has_room = true;
    extent->is_small = is_small;
    extent->counted = size;
    atomic_store_explicit(&extent->span, open_span(extent, size), memory_order_relaxed);
    rooms.small += is_small;
    rooms.used_at_look[rooms.lent] = 0;
    rooms.extent[rooms.lent++] = extent;
    return extent;
}

// ---- ending

static void remove_room(large_extent_t *extent)
{
    unsigned i = 0;
    while (rooms.extent[i] != extent) i++;
    rooms.lent--;
    rooms.extent[i] = rooms.extent[rooms.lent];
    rooms.used_at_look[i] = rooms.used_at_look[rooms.lent];
    extent->has_room = false;
}

static void count_no_longer_small(large_extent_t *extent)
{
    rooms.small -= extent->is_small;
    extent->is_small = false;
}

// From now on the owner cannot grow into the room. Returns the bytes that the block uses.
static size_t close_span(large_extent_t *extent)
{
    uint64_t span = atomic_load_explicit(&extent->span, memory_order_relaxed);
    size_t used;
    do used = (uint32_t)span * LARGE_GRAIN;
    while (!atomic_compare_exchange_weak_explicit(&extent->span, &span, large_span(used, used),
                                                  memory_order_acq_rel, memory_order_relaxed));
    return used;
}

bool large_room_end(large_extent_t *extent)
{
    size_t used = close_span(extent);
    if (used < extent->size && !large_extents_cut(extent, used, extent->freed_at)) {
        atomic_store_explicit(&extent->span, open_span(extent, used), memory_order_relaxed);
        return false;
    }
    remove_room(extent);
    if (used > LARGE_GRAIN) count_no_longer_small(extent);
    return true;
}

void large_rooms_end(bool only_idle, large_room_ended_t *ended)
{
    for (unsigned i = rooms.lent; i-- > 0;) {
        large_extent_t *extent = rooms.extent[i];
        size_t used = large_used(extent), before = rooms.used_at_look[i];
        rooms.used_at_look[i] = used;
        if ((!only_idle || used == before) && large_room_end(extent)) ended(extent);
    }
}

// As for joined extents, the larger part decides the age: a program that frees small blocks with large rooms all the
// time must not keep the rooms' memory for ever.
size_t large_room_forget(large_extent_t *extent, uint32_t now)
{
    size_t used = large_used(extent);
    count_no_longer_small(extent);
    if (extent->has_room) remove_room(extent);
    if (used >= extent->size - used) extent->freed_at = now;
    return used;
}

large_rooms_usage_t large_rooms_usage(void)
{
    large_rooms_usage_t usage = {0, 0};
    for (unsigned i = 0; i < rooms.lent; i++) {
        size_t used = large_used(rooms.extent[i]);
        usage.lent += rooms.extent[i]->size - used;
        usage.grown += used - rooms.extent[i]->counted;
    }
    return usage;
}
