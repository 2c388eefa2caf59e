// Visits: a thread collects what others have freed for owners that do not change their heaps at the moment.
#ifndef TINY_VISITS_H
#define TINY_VISITS_H

#include "heap/tiny_heap.h"

// During visits, owners that begin a change wait as they do for a fork. False: a fork or another visit is in progress.
bool tiny_visits_begin(void);
void tiny_visits_end(void);

// Visits every heap that is not in change and collects for it; with `tidy`, returns its empty slabs to the shared pool.
void tiny_heaps_visit(bool tidy) COLD;

// Collects remote blocks of idle heaps and of live heaps that are not in change.
void tiny_heaps_collect(void) COLD;

// Sends blocks of one slab to its owner: those of the word `word` of its bits. Lock-free unless the owner has too many
// pending slabs.
void tiny_heap_send(tiny_slab_t *slab, size_t word, uint64_t blocks);

#endif
