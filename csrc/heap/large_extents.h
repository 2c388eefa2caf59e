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

#if TINY_CHECKS >= TINY_CHECKS_FULL
// Freed extents are not reused: they wait, without memory and inaccessible, until newer ones push them out.
#define LARGE_HIDES true
#define LARGE_GRAIN OS_PAGE // the guard follows directly
#else
#define LARGE_HIDES false
#define LARGE_GRAIN HAK_PAGE
#endif

typedef struct large_extent {
    char *start;
    size_t size;
    size_t asked; // with full checks: requested bytes plus 1; 0 when the block is not allocated
    bool has_grown; // a realloc has enlarged the block, so the next one gets headroom
    bool alone; // so large that it is neither cached nor split
    uint32_t freed_at; // if free, by os_clock_ms
    struct large_extent *newer; // neighbours in the list of free extents by age
    struct large_extent *older;
    struct large_extent *next; // in the list of similar free extents, or of unused records
    struct large_extent *previous;
} large_extent_t;

large_extent_t *large_extent_new_record(void); // NULL when no memory is available
void large_extent_drop_record(large_extent_t *extent);

// Makes a new mapping for the record; false when no memory is available.
bool large_extent_map(large_extent_t *extent, size_t size, size_t alignment);

// Makes records for the pages of an extent. False when no memory is available for them.
bool large_extent_reserve(const char *start, size_t size);

// True for a size that is neither cached nor split.
bool large_extent_must_be_alone(size_t size);

// Returns addresses to move an extent to, with their pages reserved in the registry; NULL when there are none.
char *large_extent_map_target(size_t size);

// Unmaps extents that are linked by `next` and whose tags are 0. Takes the lock to return their records.
void large_extents_unmap(large_extent_t *list, os_lock_t *lock);

// Marks the extent's first page as the start of a block; or clears the mark.
void large_extent_publish(large_extent_t *extent);
void large_extent_forget(const large_extent_t *extent);

// Takes the smallest free extent that holds the block, and cuts it to size; NULL when there is none.
large_extent_t *large_extents_take(size_t size, size_t alignment);

// Adds the extent to the free ones.
void large_extents_give(large_extent_t *extent, uint32_t now);

// Cuts the extent's end off and frees it. False leaves the extent unchanged.
bool large_extents_cut(large_extent_t *extent, size_t size, uint32_t now);

// Grows the extent into the free one that follows it. False: there is too little room.
bool large_extents_grow(large_extent_t *extent, size_t size);

// Takes out up to `most` bytes for large_extents_unmap: extents older than `delay`, and those that exceed `keep` bytes.
large_extent_t *large_extents_surplus(size_t keep, size_t most, uint32_t now, uint32_t delay);

// The free extents.
size_t large_extents_count(void);
size_t large_extents_bytes(void);

#endif
