// The tiny allocator's functions for callers that do not inline the fast path, and its last resort.
#include "front/hakmem_tiny.h"

#include <errno.h>

#include "front/tiny_front.h"
#include "heap/decay.h"
#include "heap/page_arena.h"
#include "heap/shared_pool.h"

#define TINY_FRONT_IMPLEMENTATION // the out-of-line part of the generated header belongs to this file
#include "tiny_alloc_fast_gen.h"

void *hak_tiny_alloc(size_t class)
{
    return tiny_alloc_class(class);
}

static void *take_past_layers(size_t class)
{
    tiny_chain_t chain;
    bool zeroed;
    if (tiny_backend_heap() == NULL) return page_arena_alloc(tiny_class_size[class], 16, &zeroed);
    return tiny_backend_take(class, 1, &chain) > 0 ? tiny_hand_out(chain.head) : NULL;
}

// Memory is short: everything that is cached for later, in this thread's caches too, is released for this request.
void *tiny_alloc_last_resort(size_t class)
{
    TINY_COUNT_UNSERVED(class);
    void *block = tiny_backend_heap() == NULL ? take_past_layers(class) : NULL;
    if (block == NULL) {
        hak_decay_now();
        shared_pool_in_small_steps = true;
        block = take_past_layers(class);
        shared_pool_in_small_steps = false;
    }
    if (block == NULL) errno = ENOMEM;
    return block;
}
