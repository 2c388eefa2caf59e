// The thread's front: includes the variant's generated header together with what it needs.
#ifndef TINY_FRONT_H
#define TINY_FRONT_H

#include "debug/messages.h"
#include "os/hak_types.h"
#include "registry/tiny_state.h"
#include "thread/tiny_count.h"
#include "thread/tiny_tls.h"

// No owner has this tag, so a thread without a heap owns no block.
#define TINY_NO_TAG UINT64_MAX

// Serves a request for which no layer has a block. A thread past its own end is served by the page arena, others from
// memory that is released elsewhere. Returns NULL with errno ENOMEM when there is none.
void *tiny_alloc_last_resort(size_t class) COLD;

// Frees a block that does not belong to the calling thread's heap.
void tiny_free_other(void *block) COLD;

#define TINY_GEN_FRONT
#include "tiny_alloc_fast_gen.h"

#endif
