// Fork handlers, in the shared library: it interposes the registration function, and registers its own handlers at the
// first call.
//
// So its handlers come first whenever the library itself starts: constructors of unrelated libraries may run before
// its own.
#define _GNU_SOURCE
#include "thread/fork_handlers.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>

#include "os/hak_types.h"
#include "thread/tiny_lifecycle.h"

#if defined(__GLIBC__) && !defined(HAKMEM_NO_INTERPOSE)

typedef int register_t(void (*)(void), void (*)(void), void (*)(void), void *);

extern void *__dso_handle __attribute__((visibility("hidden")));

// Finds glibc's function, which pthread_atfork calls.
static register_t *next_one(void)
{
    return (register_t *)dlsym(RTLD_NEXT, "__register_atfork");
}

void hak_register_fork_handlers(void (*before)(void), void (*in_parent)(void), void (*in_child)(void))
{
    register_t *next = next_one();
    if (next != NULL) next(before, in_parent, in_child, __dso_handle);
}

HAK_EXPORT int __register_atfork(void (*before)(void), void (*in_parent)(void), void (*in_child)(void),
                                 void *dso)
{
    tiny_lifecycle_watch_forks();
    register_t *next = next_one();
    return next != NULL ? next(before, in_parent, in_child, dso) : ENOMEM;
}

#else

void hak_register_fork_handlers(void (*before)(void), void (*in_parent)(void), void (*in_child)(void))
{
    pthread_atfork(before, in_parent, in_child);
}

#endif
