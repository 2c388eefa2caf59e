// Returns free memory of the page arena to the system.
#ifndef ARENA_RETURN_H
#define ARENA_RETURN_H

#include "os/hak_types.h"

// Returns up to about `most` bytes of free runs to the system, the oldest first: runs that have been free for `delay`
// milliseconds, and those that exceed what the recent peak allows. Returns the number of bytes. `now` is os_clock_ms().
// The caller holds no lock.
size_t page_arena_return(size_t most, uint32_t now, uint32_t delay);

#endif
