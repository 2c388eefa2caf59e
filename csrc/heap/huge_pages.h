// Huge pages that take too long: a virtual machine whose host takes free memory back, or a kernel that has to move other pages
// first, needs milliseconds for one. Then the next superslabs have small pages, and after a while another one is tried.
#ifndef HUGE_PAGES_H
#define HUGE_PAGES_H

#include "os/hak_types.h"

// A first access to a superslab that takes longer is slow. To fill 2 MiB with zeros takes 0.05 to 0.2 ms, the 512 first accesses to
// as much in small pages 0.1 to 0.7 ms (measured on an AMD EPYC, in a virtual machine).
#define HUGE_PAGES_SLOW_US 1000u

// After the n-th slow one in a row, 2^(n + 1) superslabs have small pages, at most this number.
#define HUGE_PAGES_PAUSE_MOST 64u

// Returns whether the next superslab asks for huge pages. The caller holds the pool's lock.
bool huge_pages_are_due(void);

// Makes the first access to a superslab that has asked for them; `page` belongs to the caller.
void huge_pages_first_access(void *page);

// The first access has taken `us` microseconds.
void huge_pages_took(uint64_t us);

#endif
