// The thread's front: includes the variant's generated header together with what it needs, and declares the functions
// that it leaves to this file.
#ifndef TINY_FRONT_H
#define TINY_FRONT_H

#include "debug/messages.h"
#include "hardened/tiny_checks.h"
#include "registry/tiny_state.h"
#include "thread/tiny_backend.h"
#include "thread/tiny_caches.h"
#include "thread/tiny_count.h"
#include "thread/tiny_give.h"
#include "thread/tiny_tls.h"

// Serves a request for which no layer has a block. A thread past its own end is served by the page arena, others from
// memory that is released elsewhere. Returns NULL with errno ENOMEM when there is none.
void *tiny_alloc_last_resort(size_t class) COLD;

// Frees a block that does not belong to the calling thread's heap.
void tiny_free_other(void *block) COLD;

#if TINY_MARKS

// Frees a marked block of the calling thread: ends the process if the block is free already.
void tiny_free_marked(void *block, size_t class) COLD;

#else

static inline void tiny_free_marked(void *block, size_t class)
{
    (void)class;
    (void)block;
}

#endif

#define TINY_GEN_FRONT
#include "tiny_alloc_fast_gen.h"

#endif
