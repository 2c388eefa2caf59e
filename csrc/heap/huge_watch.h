// Whether a program writes to most of its memory, so that huge pages cost it little more.
//
// A first access to a huge page takes 2 MiB at once. That costs a fraction of 512 first accesses to small pages, but up to 512
// times the memory if the program writes only here and there. So a new mapping with small pages is watched. Once most of it has been
// written to, the next ones get huge pages, up to HUGE_WATCH_WORTH times its bytes; then another one is watched.
#ifndef HUGE_WATCH_H
#define HUGE_WATCH_H

#include "os/hak_types.h"

#define HUGE_WATCH_WORTH 16u

// A mapping is looked at in so many places, at equal distances.
#define HUGE_WATCH_LOOKS 16u

// The watched mapping is one word, so no lock is needed. Another mapping may lie there by now; then that one is looked at, and a
// wrong answer costs time or memory within the bounds of huge pages.
typedef struct huge_watch {
    _Atomic(uint64_t) watched; // first page << 32 | number of pages, of the registry; 0: none
    _Atomic(size_t) left; // bytes of new mappings that may get huge pages
    const unsigned missed_most; // places that may be unwritten; below HUGE_WATCH_LOOKS
} huge_watch_t;

// These addresses, pages of the registry, were just mapped, and nothing was written to them. Returns whether they may get huge
// pages; else they are watched. If it cannot be known what was written to, none get them.
bool huge_watch_grants(huge_watch_t *watch, const char *start, size_t size);

#endif
