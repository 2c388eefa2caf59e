// Start, thread exit, fork.
#ifndef TINY_LIFECYCLE_H
#define TINY_LIFECYCLE_H

// Called once a thread has its heap: sees to it that the heap is handed on when the thread ends.
void tiny_lifecycle_thread_started(void);

#endif
