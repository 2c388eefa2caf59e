// Huge pages of large blocks: for new memory of a program that writes to most of its large blocks.
//
// A first access to a huge page takes 2 MiB at once. That costs a fraction of 512 first accesses to small pages, but up to 512
// times the memory if the program writes only here and there. So a new mapping with small pages is watched. Once nearly all of it
// has been written to, the next ones get huge pages, up to LARGE_HUGE_PAGES_WORTH times its bytes; then another one is watched.
#ifndef LARGE_HUGE_PAGES_H
#define LARGE_HUGE_PAGES_H

#include "os/hak_types.h"

#define LARGE_HUGE_PAGES_WORTH 16u

// Shorter mappings are not watched and get none: they may contain no whole huge page.
#define LARGE_HUGE_PAGES_LEAST ((size_t)4 << 20)

// These addresses, pages of the registry, were just mapped for a large block without guards, and nothing was written to them. If
// they get huge pages, the first one is taken here. The caller holds no lock.
void large_huge_pages_mapped(char *start, size_t size);

#endif
