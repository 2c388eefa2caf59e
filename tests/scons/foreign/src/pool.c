// The pool's functions: the generated layers, called.
#include "pool.h"

#include <stdio.h>
#include <stdlib.h>

#include "pool_gen.h"

void *pool_take(unsigned class)
{
#ifdef POOL_TALKS
    if (class >= POOL_CLASSES) fprintf(stderr, "[pool:class] %u\n", class);
#endif
    return pool_take_fast(class);
}

void pool_give(unsigned class, void *buffer)
{
    if (!shelf_give(class, buffer)) free(buffer);
}
