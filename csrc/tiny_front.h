// The thread's front: what the variant's generated header is compiled with.
#ifndef TINY_FRONT_H
#define TINY_FRONT_H

#include "debug.h"
#include "hak_types.h"
#include "tiny_count.h"
#include "tiny_state.h"
#include "tiny_tls.h"

// No owner has this tag: a thread without a heap owns nothing.
#define TINY_NO_TAG UINT64_MAX

// Serves a request for which no layer has a block: from the page arena where the thread is past its own end, else from
// what can be given up elsewhere; NULL with errno ENOMEM when there is nothing.
void *tiny_alloc_last_resort(size_t class) COLD;

// A free of what is no block of the calling thread's heap.
void tiny_free_other(void *block) COLD;

#define TINY_GEN_FRONT
#include "tiny_alloc_fast_gen.h"

#endif
