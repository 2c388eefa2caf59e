// Registration of fork handlers, in the shared library: at the first call by any library, the library registers its own
// handlers. So these come first whenever the library itself starts: constructors of unrelated libraries may run before
// its own.
#define _GNU_SOURCE
#include <pthread.h>

#include "os/hak_types.h"
#include "thread/fork_handlers.h"
#include "thread/tiny_lifecycle.h"

#if defined(__GLIBC__) && !defined(HAKMEM_NO_INTERPOSE)

HAK_EXPORT int __register_atfork(void (*before)(void), void (*in_parent)(void), void (*in_child)(void),
                                 void *dso)
{
    tiny_lifecycle_watch_forks();
    return hak_register_fork_handlers_of(before, in_parent, in_child, dso);
}

#endif
