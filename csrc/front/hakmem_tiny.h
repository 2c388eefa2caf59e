// The tiny allocator, for callers that do not inline its fast path.
#ifndef HAKMEM_TINY_H
#define HAKMEM_TINY_H

#include "os/hak_types.h"

// Returns a block of the class; NULL with errno ENOMEM when no memory is available.
void *hak_tiny_alloc(size_t class);

#endif
