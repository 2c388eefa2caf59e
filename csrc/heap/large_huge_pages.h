// Huge pages of large blocks: for new memory of a program that writes to nearly all of its large blocks, see huge_watch.h.
#ifndef LARGE_HUGE_PAGES_H
#define LARGE_HUGE_PAGES_H

#include "os/hak_types.h"

// Shorter mappings are not watched and get none: they may contain no whole huge page.
#define LARGE_HUGE_PAGES_LEAST ((size_t)4 << 20)

// These addresses, pages of the registry, were just mapped for a large block without guards, and nothing was written to them. If
// they get huge pages, the first one is taken here. The caller holds no lock.
void large_huge_pages_mapped(char *start, size_t size);

#endif
