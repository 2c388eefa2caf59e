// Fork handlers of the library: registered before those of all other libraries.
//
// Handlers that run before a fork run in the reverse order of their registration. One that takes a lock under which its
// library allocates must run before ours, which takes the allocator's locks: else the thread that forks waits for that lock,
// and whoever has it waits for the allocator.
#ifndef FORK_HANDLERS_H
#define FORK_HANDLERS_H

// As pthread_atfork. The shared library and the static one have their own.
void hak_register_fork_handlers(void (*before)(void), void (*in_parent)(void), void (*in_child)(void));

#endif
