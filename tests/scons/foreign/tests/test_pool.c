// A buffer that was given back is the next one that is taken.
#include <stdio.h>

#include "pool.h"

int main(void)
{
    void *first = pool_take(0);
    pool_give(0, first);
    if (pool_take(0) == first) return 0;
    fprintf(stderr, "%s:%d: another buffer came\n", __FILE__, __LINE__);
    return 1;
}
