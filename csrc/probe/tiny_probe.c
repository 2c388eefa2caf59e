// The entries of the fast path, inlined into functions of their own, so that their instructions can be counted.
#include "tiny_front.h"

void *tiny_probe_alloc(size_t size);
bool tiny_probe_free(void *block);

__attribute__((noinline)) void *tiny_probe_alloc(size_t size)
{
    return tiny_alloc_fast(size);
}

__attribute__((noinline)) bool tiny_probe_free(void *block)
{
    return tiny_free_fast(block);
}
