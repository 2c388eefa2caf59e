// Fork handlers, in the static library: the program's first constructor registers them. Shared libraries that the
// program is linked with may register theirs earlier.
#include "thread/fork_handlers.h"

#include <pthread.h>

void hak_register_fork_handlers(void (*before)(void), void (*in_parent)(void), void (*in_child)(void))
{
    pthread_atfork(before, in_parent, in_child);
}
