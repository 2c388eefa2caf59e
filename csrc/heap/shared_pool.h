// Shared pool: superslabs, and their pages that no heap owns at the moment.
//
// superslab: 32 pages (2 MiB), aligned to its size; fewer if the system provides no more. dirty page: a free page that
// was in use and still holds memory.
//
// With full checks, each superslab belongs to one class, and its addresses stay with that class even while they hold no
// memory, unless addresses are limited or short: so a pointer to a freed block does not come to point to a block of
// another class. Each slab ends with a guard, canary_slab_guard() bytes; only the first SHARED_POOL_GUARDS slabs at a time
// do, because a guard costs two mappings.
#ifndef SHARED_POOL_H
#define SHARED_POOL_H

#include "heap/pool_sizes.h"
#include "os/hak_types.h"

// Takes 1, 2 or 4 consecutive free pages, at a multiple of their total size. Their records are reserved, and have the
// superslab as `owner`. Returns NULL when no memory is available. Contents are undefined. The pages are for a slab of the
// class, whose slabs all have as many. `huge_pages`: if a superslab is mapped for them, the kernel is asked to give it a
// huge page, unless these are slow (see huge_pages.h), the class's blocks are larger than a page and the program does not write to
// most of their memory (see huge_watch.h), or there are full checks, with which most of a superslab is inaccessible at first.
void *shared_pool_take(unsigned pages, size_t class, bool huge_pages);

// The same, but only pages whose memory is present already; NULL if none were found at once.
void *shared_pool_take_present(unsigned pages, size_t class);

// True while the calling thread has released all that it can: if no whole superslab can be mapped, the pool maps one
// with only the requested pages. A process that has locked its memory may get no more than that.
extern HAK_TLS bool shared_pool_in_small_steps;

// Returns the memory of addresses inside such pages to the system; they stay in use. False: contents may remain.
bool shared_pool_purge(void *start, size_t bytes);

// Takes such pages back. Their tags are 0 already. Memory beyond the recent peak is returned to the system.
void shared_pool_give(void *page, unsigned pages);

// Returns up to about `most` bytes of free pages to the system: pages that have been free for `delay` milliseconds, and
// those that exceed what the recent peak allows. Returns the number of bytes. `now` is os_clock_ms().
size_t shared_pool_return(size_t most, uint32_t now, uint32_t delay);

// Mapped superslabs and their pages; the pages in use, and the free ones that still hold memory.
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
