// The tiny allocator, for callers that do not inline its fast path.
#ifndef HAKMEM_TINY_H
#define HAKMEM_TINY_H

#include "hak_types.h"

// A block of the class; NULL with errno ENOMEM when memory cannot be had.
void *hak_tiny_alloc(size_t class);

#endif
