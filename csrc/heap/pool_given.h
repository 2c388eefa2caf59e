// With full checks: free pages whose memory has moved to another class. They read as zero until they become inaccessible, several
// at a time, because that takes a call of the system.
//
// The caller of each function holds the pool's lock.
#ifndef POOL_GIVEN_H
#define POOL_GIVEN_H

#include "heap/pool_superslabs.h"

// Adds pages, and makes given pages inaccessible once GIVEN_PAGES wait for that, or if they are another superslab's.
void pool_given_add(superslab_t *superslab, uint32_t pages);

// These pages are in use again, and stay accessible.
void pool_given_remove(superslab_t *superslab, uint32_t pages);

// Makes all of them inaccessible.
void pool_given_hide(void);

#endif
