// Thread-local state: the calling thread's heap, its front, and what its side of the heap holds.
//
// front: the state of the generated fast path, see tiny_alloc_fast_gen.h; it lies in the thread-local state, or apart
// from it with the option `front_apart`. hot magazine: option `hotmag`, see the catalogue.
#ifndef TINY_TLS_H
#define TINY_TLS_H

#include "heap/tiny_heap.h"

// No owner has this tag, so a thread without a heap owns no block.
#define TINY_NO_TAG UINT64_MAX

#define TINY_GEN_STATE
#include "tiny_alloc_fast_gen.h"

#define TINY_HOT_CLASSES (TINY_CLASSES < 4 ? TINY_CLASSES : 4)
#define TINY_HOT_BLOCKS 16u

typedef struct tiny_hot_magazine {
    unsigned count;
    tiny_block_t *block[TINY_HOT_BLOCKS];
} tiny_hot_magazine_t;

// What waits in front of the layers, and the functions that empty it: into the layers; for good, at the thread's end.
typedef struct tiny_tls_quarantine {
    void *blocks; // NULL: there is none
    void (*drain)(void);
    void (*end)(void);
} tiny_tls_quarantine_t;

// may_hold <= what tiny_caches_may_hold allows. detached => heap == NULL, for good.
typedef struct tiny_thread {
    tiny_heap_t *heap; // NULL: has none yet, or no more
#if !TINY_OPTION_FRONT_APART
    const tiny_front_t *front; // this thread's; only a forked child reads that of another thread
#endif
    bool detached; // its caches have been released, near its end
    size_t may_hold; // bytes by which the lists were enlarged
    unsigned ticks; // slow paths since the remote blocks were last collected
    uint32_t looked_at; // by os_clock_ms; `shrunk` tells whether a burst was over then
    bool shrunk;
    tiny_tls_quarantine_t quarantine;
#if TINY_HAS_OPTION_HOTMAG
    tiny_hot_magazine_t hot[TINY_HOT_CLASSES];
#endif
} tiny_thread_t;
extern HAK_TLS tiny_thread_t tiny_thread;

// Makes a front for the heap's thread. False: no memory is available for it.
bool tiny_tls_make_front(tiny_heap_t *heap);

// Makes the calling thread the heap's owner; or leaves the heap.
void tiny_tls_own(tiny_heap_t *heap);
void tiny_tls_leave(void);

// True if the tag's owner is the calling thread's heap.
static inline bool tiny_tls_owns(tiny_tag_t tag)
{
    return tiny_thread.heap != NULL && TINY_TAG_OWNER(tag) == tiny_thread.heap->id;
}

// True while the calling thread changes its heap, as seen by a signal handler that has interrupted it.
bool tiny_tls_is_in_change(void);

// The calling thread is about to end the process: its unfinished change stays as it is, and no thread waits for its
// end.
void tiny_tls_give_up_change(void);

// Returns a copy of another thread's state and front; NULL when no memory is available.
void *tiny_tls_copy(const void *thread);

// Exchanges the calling thread's state and front with those of a copy.
void tiny_tls_change_places(void *copy);

#endif
