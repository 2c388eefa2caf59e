// Start, thread exit, fork.
#ifndef TINY_LIFECYCLE_H
#define TINY_LIFECYCLE_H

#include "os/hak_types.h"

// Called once a thread has its heap: ensures that the heap is released when the thread ends.
void tiny_lifecycle_thread_started(void);

// Registers the library's fork handlers, once.
void tiny_lifecycle_watch_forks(void);

// In a forked child: releases the heap of one thread that does not exist in the child. False: none is left.
bool tiny_lifecycle_end_vanished(void);

#endif
