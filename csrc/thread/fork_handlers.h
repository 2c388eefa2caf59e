// Fork handlers of the library: registered before those of all other libraries.
//
// Before a fork, handlers run in the reverse order of their registration. Suppose another library allocates while it
// holds a lock, and its handler takes that lock. That handler must run before ours, which takes the allocator's locks.
// Otherwise the forking thread waits for the library's lock, and the thread that holds it waits for the allocator.
#ifndef FORK_HANDLERS_H
#define FORK_HANDLERS_H

// Has the interface of pthread_atfork. The shared and the static library define it separately.
void hak_register_fork_handlers(void (*before)(void), void (*in_parent)(void), void (*in_child)(void));

// In the shared library, if it interposes the C library's registration: registers the handlers of another library.
int hak_register_fork_handlers_of(void (*before)(void), void (*in_parent)(void), void (*in_child)(void),
                                  void *library);

#endif
