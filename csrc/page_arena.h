// Page arena: blocks between the tiny classes and 1 MiB, and those that want an alignment beyond 64 bytes.
//
// chunk: 4 MiB of addresses.  unit: 128 bytes, so that a request of more than 1 KiB wastes at most an eighth.
// run: units that lie together, in use or free; free neighbours are always joined.
// What is known of a run lies apart from it; only a free run's links lie in its first unit.
#ifndef PAGE_ARENA_H
#define PAGE_ARENA_H

#include "hak_types.h"

#define PAGE_ARENA_MAX_SIZE ((size_t)1 << 20)
#define PAGE_ARENA_MAX_ALIGNMENT ((size_t)1 << 20)
#define PAGE_ARENA_CHUNK ((size_t)4 << 20)

// NULL when memory cannot be had. size in 1..PAGE_ARENA_MAX_SIZE, alignment a power of two. Contents are undefined.
void *page_arena_alloc(size_t size, size_t alignment);

// Each of these ends the process when `block` is not the start of a run in use (freed twice, or inside of one).
void page_arena_free(void *block);
size_t page_arena_usable_size(const void *block);

// Resizes in place; false leaves all as it was.
bool page_arena_resize(void *block, size_t size);

// With every check (TINY_CHECKS_FULL): what was asked for of a run in use. Noted, by the run's owner: it is out from now on.
// Claimed: it is out no longer, and may be freed. Both tell how much memory the run has. Whoever asks, or claims, ends the
// process if no run that is out begins there, or if the post before it is damaged.
size_t page_arena_note(void *block, size_t asked);
size_t page_arena_asked(const void *block, const char *misuse);
size_t page_arena_claim(const void *block, size_t *size);

// Returns the memory of runs that have been free for `delay` milliseconds to the system; true if there was any. `now` is
// os_clock_ms().
bool page_arena_return(uint32_t now, uint32_t delay);

typedef struct page_arena_usage {
    size_t chunks;
    size_t bytes_used;
    size_t free_runs;
} page_arena_usage_t;
page_arena_usage_t page_arena_usage(void);

void page_arena_before_fork(void);
void page_arena_after_fork(void);

#endif
