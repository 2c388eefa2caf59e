// Runs of the page arena, through the run cache of the calling thread's heap.
#ifndef RUNS_H
#define RUNS_H

#include "os/hak_types.h"

// As page_arena_alloc.
void *runs_take(size_t size, size_t alignment, bool *zeroed);

// Frees a run. When the arena holds more than its bound, it returns about as much memory to the system as the run
// brought.
void runs_give(void *run);

#endif
