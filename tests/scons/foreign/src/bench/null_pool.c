// A pool of one buffer that is always free: what the benchmark itself costs.
#include "pool.h"

static char buffer[64];

void *pool_take(unsigned class)
{
    (void)class;
    return buffer;
}

void pool_give(unsigned class, void *given)
{
    (void)class;
    (void)given;
}
