// The tiny allocator's functions for callers that do not inline the fast path.
#include "front/hakmem_tiny.h"

#include "front/tiny_front.h"

#define TINY_FRONT_IMPLEMENTATION // the out-of-line part of the generated header belongs to this file
#include "tiny_alloc_fast_gen.h"

void *hak_tiny_alloc(size_t class)
{
    return tiny_alloc_class(class);
}
