// Fork handlers, in the shared library: it interposes the registration function, see fork_interpose_shared.c, so it calls
// the C library's own one by another way.
#define _GNU_SOURCE
#include "thread/fork_handlers.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>

#if defined(__GLIBC__) && !defined(HAKMEM_NO_INTERPOSE)

typedef int register_t(void (*)(void), void (*)(void), void (*)(void), void *);

extern void *__dso_handle __attribute__((visibility("hidden")));

// Calls glibc's function, which pthread_atfork calls.
int hak_register_fork_handlers_of(void (*before)(void), void (*in_parent)(void), void (*in_child)(void),
                                  void *library)
{
    register_t *next = (register_t *)dlsym(RTLD_NEXT, "__register_atfork");
    return next != NULL ? next(before, in_parent, in_child, library) : ENOMEM;
}

void hak_register_fork_handlers(void (*before)(void), void (*in_parent)(void), void (*in_child)(void))
{
    hak_register_fork_handlers_of(before, in_parent, in_child, __dso_handle);
}

#else

void hak_register_fork_handlers(void (*before)(void), void (*in_parent)(void), void (*in_child)(void))
{
    pthread_atfork(before, in_parent, in_child);
}

#endif
