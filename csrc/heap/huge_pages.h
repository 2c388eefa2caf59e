// Huge pages that take too long: a virtual machine whose host takes free memory back, or a kernel that has to move other pages
// first, needs milliseconds for one. Then the next mappings have small pages, and after a while another one is tried.
// mapping: a superslab, or new memory for a large block.
#ifndef HUGE_PAGES_H
#define HUGE_PAGES_H

#include "os/hak_types.h"

#define HUGE_PAGE_BYTES ((size_t)2 << 20) // with the MMU's pages of 4 KiB

// A first access that takes longer is slow. To fill 2 MiB with zeros takes 0.05 to 0.2 ms, the 512 first accesses to
// as much in small pages 0.1 to 0.7 ms (measured on an AMD EPYC, in a virtual machine).
#define HUGE_PAGES_SLOW_US 1000u

// After the n-th slow one in a row, mappings of together min(PAUSE_FIRST * 2^(n - 1), PAUSE_MOST) bytes have small pages: so slow
// ones, of 4 ms each (on that machine), take at most a fifth of the time of first accesses.
#define HUGE_PAGES_PAUSE_FIRST ((size_t)64 << 20)
#define HUGE_PAGES_PAUSE_MOST ((size_t)256 << 20)

// Returns whether the next mapping, of so many bytes, asks for huge pages.
bool huge_pages_are_due(size_t bytes);

// Makes the first access to a mapping that has asked for them; `page` belongs to the caller. False: it was slow.
bool huge_pages_first_access(void *page);

// The first access has taken `us` microseconds.
void huge_pages_took(uint64_t us);

#endif
