// The entries of the fast path, inlined into separate functions, so that their instructions can be counted.
#include "entry/hakmem_entry.h"

void *tiny_probe_alloc(size_t size);
void tiny_probe_free(void *block);
void *tiny_probe_refill(size_t class);

__attribute__((noinline)) void *tiny_probe_alloc(size_t size)
{
    return tiny_alloc_fast(size);
}

// The whole public entry: a tail call frees a block that does not belong to the thread.
__attribute__((noinline)) void tiny_probe_free(void *block)
{
    hak_entry_free(block);
}

__attribute__((noinline)) void *tiny_probe_refill(size_t class)
{
    return tiny_refill(class);
}
