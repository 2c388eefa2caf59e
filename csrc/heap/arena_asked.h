// With full checks (TINY_CHECKS_FULL): the requested size of a run in use.
//
// The run's owner notes it, which marks the run as allocated. page_arena_claim marks it as not allocated; then it may be
// freed. Note and claim also report the size of the run's memory. Asking and claiming end the process if no allocated
// run begins at `block`; claiming also does so if the post before it is damaged.
#ifndef ARENA_ASKED_H
#define ARENA_ASKED_H

#include "os/hak_types.h"

size_t page_arena_note(void *block, size_t asked);
size_t page_arena_asked(const void *block, const char *misuse);
size_t page_arena_claim(const void *block, size_t *size);

// The run's owner has filled all of it, except for its last CANARY_POST bytes, before it frees it.
void page_arena_mark_filled(void *block);

// True if nothing was written to those units of a run that were filled when they were freed. The run has just been taken.
bool page_arena_is_unwritten(void *block);

#endif
