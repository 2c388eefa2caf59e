// Start, thread exit, fork.
#ifndef TINY_LIFECYCLE_H
#define TINY_LIFECYCLE_H

#include "hak_types.h"

// Called once a thread has its heap: sees to it that the heap is handed on when the thread ends.
void tiny_lifecycle_thread_started(void);

// Registers the library's fork handlers, once.
void tiny_lifecycle_watch_forks(void);

// In a forked child: hands on what a thread had that was not taken along. False: there is none left.
bool tiny_lifecycle_end_vanished(void);

#endif
