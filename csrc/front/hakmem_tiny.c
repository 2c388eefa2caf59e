// The out-of-line part of the generated fast path.
#include "front/tiny_front.h"

#define TINY_FRONT_IMPLEMENTATION
#include "tiny_alloc_fast_gen.h"
