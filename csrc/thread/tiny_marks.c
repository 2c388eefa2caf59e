// Marked blocks: searched for in the caches where a free block of the calling thread may lie.
#include "thread/tiny_marks.h"

#if TINY_MARKS

#include "heap/tiny_slabs.h"
#include "thread/hot_magazine.h"
#include "thread/spill_queue.h"
#include "thread/tiny_tls.h"

// Ends the process if a marked block of the calling thread's heap is free: in a cache of the thread, or in its slab. A
// mark in the link is cleared before the block is returned to its slab, so the slab's list, which may be long, need not
// be searched.
static void check_not_free(const tiny_block_t *block)
{
    bool held = tiny_front_holds(TINY_TAG_KIND(tiny_registry_tag(block)), block);
#if !TINY_MARK_IN_LINK
    tiny_heap_begin(tiny_thread.heap);
    held = held || (tiny_tls_owns(tiny_registry_tag(block)) && tiny_heap_holds(block));
    tiny_heap_end(tiny_thread.heap);
#endif
    if (held || hot_magazine_holds(block)) tiny_die("double free", block);
}

void tiny_marks_check_own(const tiny_block_t *block)
{
    spill_queue_empty(); // the block may be in that queue
    check_not_free(block);
}

void tiny_marks_watch(tiny_heap_t *heap)
{
    heap->suspect = check_not_free;
}

#else
typedef int tiny_marks_are_compiled_out; // ISO C requires a declaration in every file
#endif
