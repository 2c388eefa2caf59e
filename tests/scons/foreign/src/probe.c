// The fast path in a function of its own, to be counted.
#include <stdlib.h>

#include "pool_gen.h"

void *probe_take(unsigned class);
int probe_give(unsigned class, void *buffer);

__attribute__((noinline)) void *probe_take(unsigned class)
{
    return pool_take_fast(class);
}

__attribute__((noinline)) int probe_give(unsigned class, void *buffer)
{
    return shelf_give(class, buffer);
}
