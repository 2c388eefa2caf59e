// Visits: a thread collects what others have freed for owners that do not change their heaps at the moment.
#ifndef TINY_VISITS_H
#define TINY_VISITS_H

#include "heap/tiny_heap.h"

// False: a fork or another visit is in progress.
bool tiny_visits_begin(void);
void tiny_visits_end(void);

// Between these two, a live heap's owner begins no change: it waits until the visits end. False: it is changing its heap.
bool tiny_visit_enter(tiny_heap_t *heap);
void tiny_visit_leave(void);

// Visits every heap that is not in change and collects for it; with `tidy`, returns its empty slabs to the shared pool.
void tiny_heaps_visit(bool tidy) COLD;

// Collects remote blocks of idle heaps and of live heaps that are not in change.
void tiny_heaps_collect(void) COLD;

// sending: slabs that have become pending and are not listed yet, for a few owners. Slabs of one owner are listed at once, so
// that the sender and the owner seldom write to the same memory. It begins with zeros.
#define TINY_SENDING_OWNERS 4u
typedef struct tiny_unlisted {
    tiny_heap_t *owner; // NULL: none
    tiny_remote_t *first;
    tiny_remote_t *last;
    uint32_t count;
} tiny_unlisted_t;
typedef struct tiny_sending {
    tiny_unlisted_t of[TINY_SENDING_OWNERS];
} tiny_sending_t;

// Sends blocks of one slab to its owner: those of the word `word` of its bits. They have arrived after tiny_sending_end.
// Lock-free unless the owner has too many pending slabs.
void tiny_sending_add(tiny_sending_t *sending, tiny_slab_t *slab, size_t word, uint64_t blocks);
void tiny_sending_end(tiny_sending_t *sending);

// The same for one word.
void tiny_heap_send(tiny_slab_t *slab, size_t word, uint64_t blocks);

#endif
