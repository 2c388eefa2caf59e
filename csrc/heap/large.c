// Large blocks: extents aligned to a page of the registry, so that the first page's record identifies the extent.
//
// Under the lock no memory is mapped or unmapped; only with full checks a freed block is hidden there. Only its owner
// resizes or frees a block, so a block does not change between two holds of the lock, except that any thread may end
// its room.
#include "heap/large.h"

#include "heap/decay.h"
#include "heap/demand.h"
#include "heap/large_extents.h"
#include "heap/large_guarded.h"
#include "heap/large_room.h"
#include "os/die.h"
#include "os/lock.h"
#include "os/os.h"
#include "registry/tiny_registry.h"

#define KEPT_BYTES ((size_t)64 << 20) // always cached; more after a peak, see demand.h
#define HIDDEN_BYTES ((size_t)64 << 20) // of guarded extents that wait
#define HIDDEN_BLOCK (HIDDEN_BYTES / 2) // a larger one does not wait
#define STEP_BYTES ((size_t)32 << 20) // a free returns at most this and its own block to the system
#define COPIED_MOST ((size_t)64 << 20) // at the limit of mappings
#define HEADROOM 8u // a block that has grown before gets size / HEADROOM bytes more

static struct {
    os_lock_t lock;
    size_t blocks; // in use
    size_t bytes;
    hak_demand_t demand;
} large;

static void count(ptrdiff_t blocks, ptrdiff_t bytes)
{
    large.blocks += (size_t)blocks;
    large.bytes += (size_t)bytes;
    if (bytes > 0) hak_demand_count(&large.demand, large.bytes);
}

// An extent in use has no room unless large_room_take has opened it.
static void settle(large_extent_t *extent)
{
    atomic_store_explicit(&extent->span, large_span(extent->size, extent->size), memory_order_relaxed);
}

static void begin_use(large_extent_t *extent)
{
    extent->has_canary = LARGE_GUARDS && (large_is_guarded(extent) || large_canary_allowed(os_clock_ms()));
    settle(extent);
    count(1, (ptrdiff_t)extent->size);
}

// ---- allocation

static large_extent_t *take_record(bool guarded)
{
    os_lock(&large.lock);
    large_extent_t *record = large_extent_new_record();
    if (record == NULL && guarded) large_guarded_uncount();
    os_unlock(&large.lock);
    return record;
}

static hak_pool_usage_t usage_for_decay(void)
{
    large_usage_t usage = large_usage();
    return (hak_pool_usage_t){usage.bytes, usage.cached_bytes - usage.hidden_bytes};
}

static large_extent_t *map_new(size_t size, size_t alignment, bool guarded)
{
    static const hak_decay_pool_t functions = {usage_for_decay, large_return};
    hak_decay_register_pool(HAK_POOL_EXTENTS, &functions);
    large_extent_t *extent = take_record(guarded);
    if (extent == NULL) return NULL;
    bool mapped = large_extent_map(extent, size, alignment, guarded);
    os_lock(&large.lock);
    if (mapped) {
        begin_use(extent);
        large_extent_publish_new(extent);
    } else {
        large_extent_drop_record(extent);
        if (guarded) large_guarded_uncount();
    }
    os_unlock(&large.lock);
    if (mapped) hak_decay_make_room(HAK_POOL_EXTENTS, size);
    return mapped ? extent : NULL;
}

// Uses the gap at the edge of the extents: maps only what it lacks.
static large_extent_t *grow_edge(size_t size, size_t alignment)
{
    os_lock(&large.lock);
    large_extent_t *extent = large_extents_take_edge(size, alignment);
    os_unlock(&large.lock);
    if (extent == NULL) return NULL;
    size_t more = size - extent->size;
    bool mapped = large_extent_map_before(extent, size);
    os_lock(&large.lock);
    if (mapped) {
        begin_use(extent);
        large_extent_publish_new(extent);
    } else {
        large_extents_put_back(extent);
    }
    os_unlock(&large.lock);
    if (mapped) hak_decay_make_room(HAK_POOL_EXTENTS, more);
    return mapped ? extent : NULL;
}

// A block that had room counts with what it has grown to.
static void end_count_of_room(large_extent_t *extent)
{
    count(0, (ptrdiff_t)(extent->size - extent->counted));
}

// The caller holds the lock.
static large_extent_t *take_free(size_t size, size_t alignment)
{
    large_extent_t *extent = large_extents_take(size, alignment);
    if (extent == NULL && large_rooms_usage().lent >= size) {
        large_rooms_end(false, end_count_of_room);
        extent = large_extents_take(size, alignment);
    }
    if (extent != NULL) {
        begin_use(extent);
        large_extent_publish(extent);
    }
    return extent;
}

// The caller holds the lock. True if the next block is to be guarded, which then counts as one.
static bool is_to_be_guarded(size_t size)
{
    return LARGE_GUARDS && large_guarded_allowed(size, os_clock_ms());
}

static large_extent_t *map_guarded(size_t size, size_t alignment)
{
    return map_new(large_extent_size_for(size, true), alignment, true);
}

void *large_alloc(size_t size, size_t alignment, bool *zeroed)
{
    if (alignment < HAK_PAGE) alignment = HAK_PAGE;
    size_t plain = large_extent_size_for(size, false);
    os_lock(&large.lock);
    bool guarded = is_to_be_guarded(size);
    large_extent_t *extent = guarded ? NULL : take_free(plain, alignment);
    os_unlock(&large.lock);
    *zeroed = extent == NULL;
    if (guarded) extent = map_guarded(size, alignment);
    if (extent != NULL) return extent->start;
    extent = grow_edge(plain, alignment);
    *zeroed = extent == NULL;
    if (extent == NULL) extent = map_new(plain, alignment, false);
    return extent != NULL ? extent->start : NULL;
}

void *large_alloc_to_grow(size_t size)
{
    if (!LARGE_GUARDS && large_extents_bytes() < size) return NULL;
    if (!os_try_lock(&large.lock)) return NULL;
    bool guarded = is_to_be_guarded(size);
    large_extent_t *extent = guarded ? NULL : large_room_take(size);
    if (extent != NULL) {
        extent->has_canary = LARGE_GUARDS && large_canary_allowed(os_clock_ms());
        large_extent_publish(extent);
        count(1, (ptrdiff_t)extent->counted);
    }
    os_unlock(&large.lock);
    if (guarded) extent = map_guarded(size, HAK_PAGE);
    return extent != NULL ? extent->start : NULL;
}

// The caller holds the lock; another thread may have freed the block since its tag was read.
static large_extent_t *extent_of(const void *block, const char *misuse)
{
    if (((uintptr_t)block & (HAK_PAGE - 1)) != 0 ||
        tiny_registry_tag(block) != TINY_TAG(0, TINY_KIND_LARGE)) {
        os_unlock(&large.lock); // a SIGABRT handler may allocate
        hak_die(misuse, block);
    }
    return tiny_registry_record(block)->owner;
}

// ---- free

// Hidden extents occupy addresses, which other allocations need if the process's address space is limited.
static size_t most_hidden(void)
{
    size_t share = os_address_limit() / 8;
    return share < HIDDEN_BYTES ? share : HIDDEN_BYTES;
}

static size_t most_kept(void)
{
    return hak_demand_keeps_with_gaps(&large.demand, large.bytes, KEPT_BYTES);
}

// Takes out the extents that exceed the bound.
static large_extent_t *surplus(size_t most, uint32_t now, uint32_t delay)
{
    hak_demand_look(&large.demand, large.bytes, now);
    size_t keep = most_kept();
    // Waits until the bound is exceeded by an eighth, so that not every free near it cuts a piece off.
    bool waits = large_extents_bytes() <= keep + keep / 8;
    return large_extents_surplus(waits ? SIZE_MAX : keep, most, now, delay);
}

// Clears the block's tag before its addresses are unmapped and others can map them.
static large_extent_t *let_go(large_extent_t *extent)
{
    large_extent_forget(extent);
    extent->next = NULL;
    return extent;
}

// Returns the bytes that the block used.
static size_t end_use(large_extent_t *extent, uint32_t now)
{
    size_t used = extent->size;
    bool had_room = extent->has_room;
    if (had_room || extent->is_small) used = large_room_forget(extent, now);
    else extent->freed_at = now;
    if (had_room) count(0, (ptrdiff_t)(used - extent->counted));
    count(-1, -(ptrdiff_t)used);
    extent->size += extent->reserved; // they leave together
    extent->reserved = 0;
    return used;
}

// Returns what has to be unmapped, linked by `next`.
static large_extent_t *retire_plain(large_extent_t *extent, size_t used, uint32_t now)
{
    if (extent->alone) return let_go(extent);
    large_extent_forget(extent);
    large_extents_give(extent);
    return surplus(STEP_BYTES + used, now, (uint32_t)TINY_OPTION_DECAY_MS);
}

// Its addresses stay listed as those of a block that is not allocated, so that a second free is recognized.
static large_extent_t *retire_guarded(large_extent_t *extent, size_t used)
{
    large_guarded_uncount();
    extent->has_grown = false;
    if (extent->alone || used > HIDDEN_BLOCK || !os_hide(extent->start, extent->size)) return let_go(extent);
    return large_guarded_wait(extent, most_hidden());
}

void large_free(void *block)
{
    uint32_t now = os_clock_ms();
    os_lock(&large.lock);
    large_extent_t *extent = extent_of(block, "double free, or free of a pointer into a block");
    size_t used = end_use(extent, now);
    large_extent_t *gone =
        large_is_guarded(extent) ? retire_guarded(extent, used) : retire_plain(extent, used, now);
    os_unlock(&large.lock);
    large_extents_unmap(gone, &large.lock);
}

size_t large_usable_size(const void *block)
{
    os_lock(&large.lock);
    size_t size = large_used(extent_of(block, "size asked of a pointer that is no block"));
    os_unlock(&large.lock);
    return size;
}

// ---- resizing

static void set_size(large_extent_t *extent, size_t size)
{
    os_lock(&large.lock);
    count(0, (ptrdiff_t)(size - extent->size));
    if (large_is_guarded(extent) && size > extent->size) large_guarded_charge(size - extent->size);
    extent->size = size;
    settle(extent);
    extent->has_grown = true;
    if (large_extent_must_be_alone(size)) extent->alone = true; // only its first page has a record now
    os_unlock(&large.lock);
}

// Resizes without a system call: cuts off a free extent, or grows into a free neighbour.
static bool resize_among_extents(large_extent_t *extent, size_t size)
{
    uint32_t now = os_clock_ms();
    os_lock(&large.lock);
    size_t old_size = extent->size;
    bool resized = size < old_size ? large_extents_cut(extent, size, now) : large_extents_grow(extent, size);
    if (resized) {
        settle(extent);
        count(0, (ptrdiff_t)(extent->size - old_size));
    }
    if (resized && size > old_size) extent->has_grown = true;
    os_unlock(&large.lock);
    return resized;
}

static bool has_few_addresses(size_t size)
{
    enum { SHARE_OF_LIMIT = 16 };
    return size > os_address_limit() / SHARE_OF_LIMIT;
}

// A guarded block that grows reserves as many addresses again, so that it seldom moves in steps of any size.
static size_t reserve_for(const large_extent_t *extent, size_t size)
{
    return large_is_guarded(extent) && size > extent->size && !has_few_addresses(size) ? size : 0;
}

// Unmaps the guards around addresses of a guarded block that the system has moved away, or may have unmapped.
static void unmap_around(char *start, size_t size, size_t reserved)
{
    os_unmap(start - CANARY_GUARD, CANARY_GUARD);
    os_unmap(start + size, reserved + CANARY_GUARD);
}

// During the move the registry does not list the block; only its owner uses it. At the limit of mappings the system may
// refuse it, and then the target is lost; so a block that is copied soon is not moved there.
static bool move(large_extent_t *extent, size_t size)
{
    if (os_mappings_are_scarce() && size <= COPIED_MOST) return false;
    size_t reserved = reserve_for(extent, size);
    bool guarded = large_is_guarded(extent);
    char *target = large_extent_map_target(guarded, size, &reserved), *source = extent->start;
    if (target == NULL) return false;
    size_t old_size = extent->size, guard = large_guard_of(extent);
    os_lock(&large.lock);
    large_extent_forget(extent);
    os_unlock(&large.lock);
    os_moved_t result = os_move(source, old_size, target, size);
    bool moved = result == OS_MOVED;
    if (result == OS_REFUSED) os_unmap_guarded(target, size + reserved, guard);
    if (guarded && moved) unmap_around(source, old_size, extent->reserved);
    if (guarded && result == OS_TARGET_LOST) unmap_around(target, size, reserved);
    os_lock(&large.lock);
    if (moved) {
        extent->start = target;
        extent->reserved = reserved;
    }
    large_extent_publish(extent);
    os_unlock(&large.lock);
    if (moved) set_size(extent, size);
    return moved;
}

// Of a guarded one: moves the border between the block and the inaccessible addresses behind it.
static bool resize_into_reserved(large_extent_t *extent, size_t size)
{
    char *start = extent->start;
    size_t old_size = extent->size, whole = old_size + extent->reserved;
    if (size > whole || (size < old_size && has_few_addresses(old_size))) return false;
    bool changed =
        size > old_size ? os_show(start + old_size, size - old_size) : os_hide(start + size, old_size - size);
    if (!changed) return false;
    set_size(extent, size);
    extent->reserved = whole - size; // only the owner uses it
    return true;
}

// With guards, growth in place always fails, because a guard follows. The attempt tells whether the block is one
// mapping for the system: if not, a move would fail after the target is lost.
static bool grows_in_guard(const large_extent_t *extent, bool *movable)
{
    return os_resize(extent->start, extent->size, extent->size + OS_PAGE, movable);
}

static bool resize_by_system(large_extent_t *extent, size_t size)
{
    bool movable = false;
    if (!os_can_move()) return false;
    if (large_is_guarded(extent)) return !grows_in_guard(extent, &movable) && movable && move(extent, size);
    if (large_extent_reserve(extent->start, size) && os_resize(extent->start, extent->size, size, &movable)) {
        set_size(extent, size);
        return true;
    }
    return movable && move(extent, size);
}

static bool resize(large_extent_t *extent, size_t size)
{
    if (size == extent->size) return true;
    bool guarded = large_is_guarded(extent);
    if (!guarded && size < extent->size && size > extent->size - extent->size / HEADROOM)
        return true; // it may grow again
    if (guarded ? resize_into_reserved(extent, size) : resize_among_extents(extent, size)) return true;
    bool more = !guarded && size > extent->size && extent->has_grown;
    return resize_by_system(extent, more ? hak_round_up(size + size / HEADROOM, LARGE_GRAIN) : size);
}

void *large_resize(void *block, size_t size)
{
    os_lock(&large.lock);
    large_extent_t *extent = extent_of(block, "realloc of a pointer that is no block");
    bool had_room = extent->has_room, ended = !had_room || large_room_end(extent);
    if (had_room && ended) end_count_of_room(extent);
    os_unlock(&large.lock);
    return ended && resize(extent, large_extent_size_for(size, large_is_guarded(extent))) ? extent->start
                                                                                          : NULL;
}

bool large_fits(void *block, size_t size)
{
    if (((uintptr_t)block & (HAK_PAGE - 1)) != 0) return false;
    large_extent_t *extent = tiny_registry_record(block)->owner;
    return !large_is_guarded(extent) && large_room_fits(extent, size);
}

// ---- returning memory to the system

// Puts `more` in front of the list.
static large_extent_t *joined(large_extent_t *more, large_extent_t *list)
{
    if (more == NULL) return list;
    large_extent_t *last = more;
    while (last->next != NULL) last = last->next;
    last->next = list;
    return more;
}

// Guarded extents that wait hold no memory: they go only when everything is to be returned, and not to make room for other
// pools.
size_t large_return(size_t most, uint32_t now, uint32_t delay)
{
    os_lock(&large.lock);
    large_rooms_end(delay > 0, end_count_of_room);
    large_extent_t *gone = surplus(most, now, delay);
    if (most == SIZE_MAX && delay == 0) gone = joined(large_guarded_take_all(), gone);
    os_unlock(&large.lock);
    size_t bytes = 0;
    for (const large_extent_t *extent = gone; extent != NULL; extent = extent->next) bytes += extent->size;
    large_extents_unmap(gone, &large.lock);
    return bytes;
}

char *large_give_up(size_t size, size_t alignment, uint32_t *freed_at)
{
    if (LARGE_GUARDS || large_extents_bytes() < size) return NULL;
    char *start = NULL;
    os_lock(&large.lock);
    large_extent_t *extent = large_extents_take(size, alignment);
    if (extent != NULL && extent->size == size) {
        start = extent->start;
        *freed_at = extent->freed_at;
        large_extent_drop_record(extent);
    } else if (extent != NULL) {
        large_extents_put_back(extent); // no record was left for its rest
    }
    os_unlock(&large.lock);
    return start;
}

large_usage_t large_usage(void)
{
    os_lock(&large.lock);
    large_rooms_usage_t rooms = large_rooms_usage();
    large_usage_t usage = {
        large.blocks, large.bytes + rooms.grown, large_extents_count() + large_guarded_waiting(),
        large_extents_bytes() + rooms.lent + large_guarded_waiting_bytes(), large_guarded_waiting_bytes()};
    os_unlock(&large.lock);
    return usage;
}

void large_before_fork(void)
{
    os_lock(&large.lock);
}

void large_after_fork(void)
{
    os_unlock(&large.lock);
}
