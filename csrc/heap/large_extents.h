// Extents: the address ranges of large blocks, in use or free and cached for the next block.
//
// extent: consecutive whole pages of the registry, or, with guards, the range between two guards. Free extents are
// joined with free neighbours, split for smaller blocks, and returned to the system, the oldest first.
//
// The caller does not hold the lock of the large blocks for functions that map or unmap, and holds it for all
// others.
#ifndef LARGE_EXTENTS_H
#define LARGE_EXTENTS_H

#include "hardened/canary.h"
#include "os/lock.h"
#include "os/os.h"

// With full checks, extents are plain or guarded; see large_guarded.h. Otherwise all are plain.
#define LARGE_GUARDS (TINY_CHECKS >= TINY_CHECKS_FULL)
#define LARGE_GRAIN HAK_PAGE // of plain extents; a guarded one ends with its block's last page of the MMU

// A larger block is alone: only its first page has a record, and its memory is returned to the system when it is freed.
#define LARGE_ALONE_BYTES ((size_t)128 << 20)

typedef struct large_extent {
    char *start;
    size_t size;
    bool guarded;
    size_t reserved; // if guarded: inaccessible bytes behind it, into which a block grows
    _Atomic(size_t) asked; // with full checks: requested bytes plus 1; 0 when the block is not allocated
    bool has_canary; // with full checks
    bool has_grown; // a realloc has enlarged the block, so the next one gets headroom
    bool alone; // so large that it is neither cached nor split
    bool has_room; // see large_room.h
    bool is_small; // a block that wastes most of a granule, see large_room.c
    uint32_t freed_at; // if free, by os_clock_ms; with a room, when the room was freed
    size_t counted; // with a room: bytes that count as in use
    _Atomic(uint64_t) span; // if in use, see large_room.h
    struct large_extent *newer; // neighbours in the list of free extents by age
    struct large_extent *older;
    struct large_extent *next; // in the list of similar free extents, or of unused records
    struct large_extent *previous;
} large_extent_t;

large_extent_t *large_extent_new_record(void); // NULL when no memory is available
void large_extent_drop_record(large_extent_t *extent);

static inline bool large_is_guarded(const large_extent_t *extent)
{
    return LARGE_GUARDS && extent->guarded;
}

static inline size_t large_guard_of(const large_extent_t *extent)
{
    return large_is_guarded(extent) ? CANARY_GUARD : 0;
}

// Returns the bytes of an extent for a block of `size` bytes.
static inline size_t large_extent_size_for(size_t size, bool guarded)
{
    return hak_round_up(size, guarded ? OS_PAGE : LARGE_GRAIN);
}

// Makes a new mapping for the record; false when no memory is available.
bool large_extent_map(large_extent_t *extent, size_t size, size_t alignment, bool guarded);

// Takes the free extent at the edge, the lowest address of the newest mapping, if it is too short for the block; NULL if
// there is none. large_extent_map_before then maps what it lacks, so that a gap at the edge becomes part of the block
// instead of staying behind; if that fails, the extent goes back as it was.
large_extent_t *large_extents_take_edge(size_t size, size_t alignment);
bool large_extent_map_before(large_extent_t *extent, size_t size);
void large_extents_put_back(large_extent_t *extent);

// Makes records for the pages of an extent. False when no memory is available for them.
bool large_extent_reserve(const char *start, size_t size);

// True for a size that is neither cached nor split.
bool large_extent_must_be_alone(size_t size);

// Returns addresses to move an extent to, with their pages reserved in the registry; NULL when there are none. For a
// guarded one they are inaccessible until the extent is moved, and `*reserved` more bytes follow, to grow into: 0 if the
// system grants no more.
char *large_extent_map_target(bool guarded, size_t size, size_t *reserved);

// Unmaps extents that are linked by `next` and whose tags are 0. Takes the lock to return their records.
void large_extents_unmap(large_extent_t *list, os_lock_t *lock);

// Marks the extent's first page as the start of a block; or clears the mark. `new`: the extent's first page was just
// mapped, so the edge is there.
void large_extent_publish(large_extent_t *extent);
void large_extent_publish_new(large_extent_t *extent);
void large_extent_forget(const large_extent_t *extent);

// Takes the smallest free extent that holds the block, and cuts it to size; NULL when there is none.
large_extent_t *large_extents_take(size_t size, size_t alignment);

// Takes the longest free extent as it is; NULL if it has less than `least` bytes.
large_extent_t *large_extents_take_longest(size_t least);

// Adds the plain extent to the free ones; it was freed at extent->freed_at.
void large_extents_give(large_extent_t *extent);

// Cuts the extent's end off and frees it, with the age given. False leaves the extent unchanged.
bool large_extents_cut(large_extent_t *extent, size_t size, uint32_t freed_at);

// Grows the extent into the free one that follows it. False: there is too little room.
bool large_extents_grow(large_extent_t *extent, size_t size);

// Takes out up to `most` bytes for large_extents_unmap: extents older than `delay`, and those that exceed `keep` bytes.
large_extent_t *large_extents_surplus(size_t keep, size_t most, uint32_t now, uint32_t delay);

// The free extents.
size_t large_extents_count(void);
size_t large_extents_bytes(void); // roughly, if the caller does not hold the lock

#endif
