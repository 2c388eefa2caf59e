// Fork handlers, in the static library: registered by the program's first constructor. Those of shared libraries that the program
// is linked with may come before.
#include "fork_handlers.h"

#include <pthread.h>

void hak_register_fork_handlers(void (*before)(void), void (*in_parent)(void), void (*in_child)(void))
{
    pthread_atfork(before, in_parent, in_child);
}
