// What the fast path leaves to others: no layer has a block, or the block that is freed is not the thread's own.
#include "front/tiny_front.h"

#include <errno.h>

#include "heap/decay.h"
#include "heap/large.h"
#include "heap/page_arena.h"
#include "heap/shared_pool.h"
#include "os/die.h"
#include "thread/runs.h"
#include "thread/tiny_give.h"
#include "thread/tiny_lifecycle.h"
#include "thread/tiny_marks.h"

static void *take_past_layers(size_t class)
{
    tiny_row_t row;
    bool zeroed;
    if (tiny_backend_heap() == NULL) return page_arena_alloc(tiny_class_size[class], 16, &zeroed);
    return tiny_backend_take_row(class, 1, &row) > 0 ? tiny_hand_out(row.block[0]) : NULL;
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

#if TINY_CHECKS < TINY_CHECKS_FULL

// True: by the tag map, the block lies in another heap's slab, and was noted. A thread without a heap notes nothing.
static inline bool note(void *block)
{
    size_t class = tiny_class_in_map(block);
    if (UNLIKELY(class >= TINY_CLASSES || tiny_front.tag == TINY_NO_TAG)) return false;
    if (UNLIKELY(!tiny_give_note(block, class))) {
        tiny_give_noted();
        hak_decay_step();
    }
    return true;
}

#else

// With full checks, each block is checked when it is freed.
static inline bool note(const void *block)
{
    (void)block;
    return false;
}

#endif

void tiny_free_other(void *block)
{
    if (block == NULL || LIKELY(note(block))) return;
    tiny_tag_t tag = tiny_registry_tag(block);
    if (LIKELY(TINY_TAG_OWNER(tag) != 0)) {
        tiny_backend_free(block, tag);
    } else if (tag == TINY_TAG(0, TINY_KIND_ARENA)) {
        hak_decay_step();
        runs_give(block);
    } else if (tag == TINY_TAG(0, TINY_KIND_LARGE)) {
        hak_decay_step();
        large_free(block);
    } else {
        hak_die("free of a pointer that is no block", block);
    }
}

#if TINY_MARKS

void tiny_free_marked(void *block, size_t class)
{
    tiny_marks_check_own(block);
    if (!tiny_caches_push(class, block)) tiny_backend_give(block);
}

#endif
