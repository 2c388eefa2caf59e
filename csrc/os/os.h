// Operating system interface: mappings, metadata, the clock, the limit of addresses.
//
// Nothing here allocates with malloc. Sizes are bytes.
#ifndef HAK_OS_H
#define HAK_OS_H

#include "os/hak_types.h"

// The MMU's page in bytes, as the system reports it at start: a power of two, from 4 KiB to HAK_PAGE.
#define OS_PAGE os_page()
extern _Atomic(size_t) os_page_known; // 0 until first used
size_t os_find_page(void) COLD;

ALWAYS_INLINE size_t os_page(void)
{
    size_t page = atomic_load_explicit(&os_page_known, memory_order_relaxed);
    return LIKELY(page != 0) ? page : os_find_page();
}

// Returns zeroed memory; `size` is a multiple of OS_PAGE, `alignment` a power of two and at least OS_PAGE. NULL when no
// memory is available.
void *os_map(size_t size, size_t alignment);
void os_unmap(void *start, size_t size);

// Maps exactly these addresses; false if some of them are in use, or no memory is available.
bool os_map_at(void *start, size_t size);

// The same, between two inaccessible guards of `guard` bytes; returns the address after the first guard.
// A mapping without guards is accessible as a whole when it is unmapped this way.
void *os_map_guarded(size_t size, size_t alignment, size_t guard);
void os_unmap_guarded(void *start, size_t size, size_t guard);

// True once the process has reached its limit of mappings: then guards are worth less than mappings.
bool os_mappings_are_scarce(void);

// Returns the memory to the system and makes the addresses inaccessible but keeps them reserved. False leaves all
// unchanged.
bool os_hide(void *start, size_t size);

// Makes hidden addresses accessible; they hold zeroes. False leaves them hidden.
bool os_show(void *start, size_t size);

// As os_map_guarded, but all of it is inaccessible.
void *os_map_hidden(size_t size, size_t alignment, size_t guard);

// Returns the memory behind the addresses to the system; they read as zero afterwards. False: contents may remain.
bool os_purge(void *start, size_t size);

// Sets present[i] to whether the i-th of `pages` pages of the MMU from `start` on holds memory, which is mapped privately. A
// page without memory reads as zero, or lies in the swap space. False: the system does not tell.
#define OS_PRESENT_MOST ((size_t)64)
bool os_present(void *start, size_t pages, bool present[OS_PRESENT_MOST]);

// Asks the kernel for huge pages there: a first access to 2 MiB then takes all of it, where the system's setting allows that.
void os_huge_pages(void *start, size_t size);

// Makes the kernel use small pages there: it would otherwise refill the gaps that were returned with huge pages.
void os_no_huge_pages(void *start, size_t size);

// Milliseconds of a cheap monotonic clock; it wraps around, so only differences are meaningful.
uint32_t os_clock_ms(void);

// Microseconds of a precise monotonic clock.
uint64_t os_clock_us(void);

// Grows or shrinks a mapping in place. False leaves it unchanged; *movable tells whether a move may succeed.
bool os_resize(void *start, size_t old_size, size_t new_size, bool *movable);

// Moves a mapping's memory over another mapping of `new_size` bytes, which it replaces.
typedef enum os_moved {
    OS_MOVED,
    OS_REFUSED, // both are unchanged
    OS_TARGET_LOST, // only the source is unchanged: the target's addresses may belong to another mapping by now
} os_moved_t;
os_moved_t os_move(void *from, size_t old_size, void *to, size_t new_size);

// Moves the memory of accessible addresses, which is mapped privately as one mapping, to inaccessible ones. The first ones stay
// mapped and read as zero afterwards. The result is as for os_move, and after OS_TARGET_LOST no more is moved.
os_moved_t os_move_memory(void *from, void *to, size_t size);
bool os_can_move_memory(void);

// False once the system has refused to resize or move at all, as a sandbox does: then callers skip the attempt.
bool os_can_move(void);

// Returns zeroed memory for the allocator's own records, which is never freed. Aligned to 64 bytes. NULL when no memory
// is available.
void *os_metadata(size_t size);

// The limit of the process's mapped bytes (ulimit -v); SIZE_MAX if there is none.
size_t os_address_limit(void);

// Fork: the parent takes every lock before the fork and releases it afterwards; in the child all locks are free.
void os_metadata_before_fork(void);
void os_metadata_after_fork(void);

#endif
