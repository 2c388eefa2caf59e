// Fork: the parent takes every lock before the fork and releases it afterwards; the child continues with one thread.
#ifndef TINY_FORK_H
#define TINY_FORK_H

#include "heap/tiny_heap.h"

// Registers the library's fork handlers, once. `own_heap` returns the calling thread's heap.
void tiny_fork_watch(tiny_heap_t *(*own_heap)(void));

// The calling thread is about to end the process, perhaps during a fork.
void tiny_fork_give_up(void);

#endif
