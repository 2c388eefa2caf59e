// Shared pool: superslabs, and their pages that no heap owns at the moment.
//
// superslab: 32 pages (2 MiB), aligned to its size; fewer where the system gives no more.  dirty page: one that was in use and still holds memory.
#ifndef SHARED_POOL_H
#define SHARED_POOL_H

#include "hak_types.h"

#define SHARED_POOL_SUPERSLAB ((size_t)32 * HAK_PAGE)

// Free pages in a row, 1, 2 or 4, at an address that is a multiple of their size; their records are reserved, and have the
// superslab as `owner`. NULL when memory cannot be had. Contents are undefined.
void *shared_pool_take(unsigned pages);

// The calling thread has given up all that it can: where no whole superslab can be had, one is made that has the pages which
// are needed now and no more. A process that has locked its memory may get no more than that.
extern HAK_TLS bool shared_pool_in_small_steps;

// Takes such pages back. Their tags are 0 already. What goes beyond the recent peak goes back to the system.
void shared_pool_give(void *page, unsigned pages);

// Returns the memory of free pages to the system, up to about `most` bytes: of those that have been free for `delay`
// milliseconds, and of those beyond what the recent peak leaves. Returns how many bytes went. `now` is os_clock_ms().
size_t shared_pool_return(size_t most, uint32_t now, uint32_t delay);

// Superslabs mapped, and their pages; those that are in use, and free ones that still hold memory.
typedef struct shared_pool_usage {
    size_t superslabs;
    size_t pages;
    size_t pages_used;
    size_t dirty_pages;
} shared_pool_usage_t;
shared_pool_usage_t shared_pool_usage(void);

void shared_pool_before_fork(void);
void shared_pool_after_fork(void);

#endif
