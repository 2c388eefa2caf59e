// Guarded extents, with full checks: large blocks between two inaccessible guards. When such a block is freed, its memory
// is returned to the system, and its addresses wait, hidden: inaccessible. So each access to it ends the process.
//
// plain: an extent without guards, cached and reused as in other variants. A guarded block costs some system calls, a page
// fault for each of its pages, and two mappings, of which a process has a limited number. So guards have an allowance,
// which grows with time, and a bound on the blocks at a time; blocks beyond these are plain.
//
// The caller holds the lock of the large blocks.
#ifndef LARGE_GUARDED_H
#define LARGE_GUARDED_H

#include "heap/large_extents.h"

#if LARGE_GUARDS

// True if the next block, of `size` bytes, is to be guarded, which then counts as one; `now` is os_clock_ms().
bool large_guarded_allowed(size_t size, uint32_t now);
void large_guarded_uncount(void); // it could not be made, or was freed

// A guarded block has grown by `more` bytes: these count, too, even beyond what is allowed.
void large_guarded_charge(size_t more);

// True if a plain block is to have a canary. It lies in a page that the program may never touch, so it has an allowance,
// too.
bool large_canary_allowed(uint32_t now);

// The extent waits, hidden. Returns extents for large_extents_unmap, drawn at random, so that at most `most` bytes wait.
large_extent_t *large_guarded_wait(large_extent_t *extent, size_t most);

// Takes out all that wait.
large_extent_t *large_guarded_take_all(void);

size_t large_guarded_waiting(void);
size_t large_guarded_waiting_bytes(void);

#else

static inline bool large_guarded_allowed(size_t size, uint32_t now)
{
    (void)size;
    (void)now;
    return false;
}

static inline void large_guarded_uncount(void)
{
}

static inline void large_guarded_charge(size_t more)
{
    (void)more;
}

static inline bool large_canary_allowed(uint32_t now)
{
    (void)now;
    return false;
}

static inline large_extent_t *large_guarded_wait(large_extent_t *extent, size_t most)
{
    (void)most;
    return extent;
}

static inline large_extent_t *large_guarded_take_all(void)
{
    return NULL;
}

static inline size_t large_guarded_waiting(void)
{
    return 0;
}

static inline size_t large_guarded_waiting_bytes(void)
{
    return 0;
}

#endif
#endif
