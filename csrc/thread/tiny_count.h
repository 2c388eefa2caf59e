// Counting: requests, hits, offers and moves of each layer, by class. Only in builds with HAKMEM_STATS (mode=stats); in
// all others the macros below are empty.
//
// entry: a request reaches a layer; it is a hit, or it is passed on. offer: a freed block reaches a layer; it is
// accepted, or it is passed on. move: a block enters or leaves a layer without such a request: by a refill, a top-up of
// the first layer, a spill of a full layer, or a drain.
//
// The generated header replaces each call of a layer by a call of its counting wrapper, so a layer's own template
// counts only what its functions do with whole rows.
#ifndef TINY_COUNT_H
#define TINY_COUNT_H

#include "thread/tiny_counts.h"

#if HAKMEM_STATS

// Until the end of the enclosing block, layers are called for this purpose.
#define TINY_COUNT_AS(purpose) \
    __attribute__((cleanup(tiny_count_leave), unused)) tiny_purpose_t tiny_purpose_outside = \
        tiny_count_enter(TINY_FOR_##purpose)
// Begins a request for a block of the class; TINY_COUNT_FREE begins the free of a block of this thread's heap.
#define TINY_COUNT_REQUEST(class) \
    TINY_COUNT_AS(request); \
    tiny_count_request(class)
#define TINY_COUNT_FREE(block) \
    TINY_COUNT_AS(request); \
    tiny_count_free(block)
// Counts a request for which no layer had a block.
#define TINY_COUNT_UNSERVED(class) tiny_count_unserved(class)
// Counts blocks that a layer's function took in or released besides the one that it was called for.
#define TINY_COUNT_IN(layer, class, blocks) \
    tiny_count_in(TINY_LAYER_##layer, class, blocks, layer##_held(class))
#define TINY_COUNT_OUT(layer, purpose, class, blocks) \
    tiny_count_out(TINY_LAYER_##layer, TINY_FOR_##purpose, class, blocks)
// Until the end of the enclosing block, the calling thread's work is not attributed to a thread.
#define TINY_COUNT_PAUSED() \
    __attribute__((cleanup(tiny_count_resume), unused)) int tiny_count_state = tiny_count_pause()
// Called when the calling thread's layers are drained; its later work is not attributed to a thread.
#define TINY_COUNT_THREAD_ENDS() tiny_count_thread_ends()

tiny_purpose_t tiny_count_enter(tiny_purpose_t purpose);
void tiny_count_leave(const tiny_purpose_t *outside);
void tiny_count_request(size_t class);
void tiny_count_free(const void *block);
void tiny_count_unserved(size_t class);
void tiny_count_asked(unsigned layer, size_t class);
void *tiny_count_answer(unsigned layer, size_t class, void *block);
void tiny_count_offer(unsigned layer, size_t class);
bool tiny_count_kept(unsigned layer, size_t class, bool kept, size_t held);
void tiny_count_in(unsigned layer, size_t class, size_t blocks, size_t held);
void tiny_count_out(unsigned layer, tiny_purpose_t purpose, size_t class, size_t blocks);
int tiny_count_pause(void);
void tiny_count_resume(const int *state);
void tiny_count_thread_ends(void);

// The counting wrappers of a layer that stores blocks, and of a refill.
#define TINY_COUNTED_STORE(layer) \
    ALWAYS_INLINE void *layer##_counted_pop(size_t class) \
    { \
        tiny_count_asked(TINY_LAYER_##layer, class); \
        return tiny_count_answer(TINY_LAYER_##layer, class, layer##_pop(class)); \
    } \
    ALWAYS_INLINE bool layer##_counted_push(size_t class, void *block) \
    { \
        tiny_count_offer(TINY_LAYER_##layer, class); \
        bool kept = layer##_push(class, block); \
        return tiny_count_kept(TINY_LAYER_##layer, class, kept, layer##_held(class)); \
    }
#define TINY_COUNTED_REFILL(layer) \
    ALWAYS_INLINE void *layer##_counted_take(size_t class) \
    { \
        tiny_count_asked(TINY_LAYER_##layer, class); \
        void *block; \
        { \
            TINY_COUNT_AS(refill); \
            block = layer##_take(class); \
            if (block != NULL) tiny_count_in(TINY_LAYER_##layer, class, 1, 0); \
        } \
        return tiny_count_answer(TINY_LAYER_##layer, class, block); \
    }

#else

#define TINY_COUNT_AS(purpose) ((void)0)
#define TINY_COUNT_REQUEST(class) ((void)0)
#define TINY_COUNT_FREE(block) ((void)0)
#define TINY_COUNT_UNSERVED(class) ((void)0)
#define TINY_COUNT_IN(layer, class, blocks) ((void)0)
#define TINY_COUNT_OUT(layer, purpose, class, blocks) ((void)0)
#define TINY_COUNT_PAUSED() ((void)0)
#define TINY_COUNT_THREAD_ENDS() ((void)0)

#endif
#endif
