// Extents: the address ranges of large blocks, and those that are free and kept for the next one.
//
// extent: whole pages of the registry in a row, or, with guards, between two of them.  free extents: joined with their free
// neighbours, split for smaller blocks, and given back the oldest first.  What maps or unmaps is called without the lock of
// the large blocks, all else under it.
#ifndef LARGE_EXTENTS_H
#define LARGE_EXTENTS_H

#include "canary.h"
#include "os.h"

#if TINY_CHECKS >= TINY_CHECKS_FULL
// Freed extents are not for use again: they wait, without memory and beyond anyone's touch, until others push them out.
#define LARGE_HIDES true
#define LARGE_GRAIN OS_PAGE // the guard follows at once
#else
#define LARGE_HIDES false
#define LARGE_GRAIN HAK_PAGE
#endif

typedef struct large_extent {
    char *start;
    size_t size;
    size_t asked; // with every check: bytes asked for, and one more; 0 when the block is not out
    bool has_grown; // of a block: by a realloc, so that the next one may find room behind it
    bool alone; // so large that it is neither kept nor split
    uint32_t freed_at; // of a free one, by os_clock_ms
    struct large_extent *newer; // of the free ones, in the order of their age
    struct large_extent *older;
    struct large_extent *next; // of the free ones of about its size, or of the unused records
    struct large_extent *previous;
} large_extent_t;

large_extent_t *large_extent_new_record(void); // NULL when memory cannot be had
void large_extent_drop_record(large_extent_t *extent);

// A new mapping for the record; false when memory cannot be had.
bool large_extent_map(large_extent_t *extent, size_t size, size_t alignment);

// Makes records for the pages of an extent. False when memory for them cannot be had.
bool large_extent_reserve(const char *start, size_t size);

// So large that an extent is neither kept nor split.
bool large_extent_must_be_alone(size_t size);

// Addresses to move an extent to, their pages reserved in the registry; NULL when they cannot be had.
char *large_extent_map_target(size_t size);

// Gives extents that are linked by `next` back to the system; their tags are 0. Takes the lock for their records.
void large_extents_unmap(large_extent_t *list, os_lock_t *lock);

// The extent's first page says that a block begins there; or nothing any more.
void large_extent_publish(large_extent_t *extent);
void large_extent_forget(const large_extent_t *extent);

// Of the free extents the smallest that holds the block, cut to size; NULL when there is none.
large_extent_t *large_extents_take(size_t size, size_t alignment);

// The extent is free from now on.
void large_extents_give(large_extent_t *extent, uint32_t now);

// Cuts the extent's end off, which is free from now on. False: it stays as it was.
bool large_extents_cut(large_extent_t *extent, size_t size, uint32_t now);

// Lets the extent grow over the free one behind it. False: there is too little room.
bool large_extents_grow(large_extent_t *extent, size_t size);

// Takes out what is older than `delay`, up to `most` bytes, and what goes beyond `keep` bytes, for large_extents_unmap.
large_extent_t *large_extents_surplus(size_t keep, size_t most, uint32_t now, uint32_t delay);

// The free ones.
size_t large_extents_count(void);
size_t large_extents_bytes(void);

#endif
