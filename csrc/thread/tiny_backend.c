// The calling thread's way to its heap.
#include "thread/tiny_backend.h"

#include "debug/messages.h"
#include "heap/decay.h"
#include "heap/tiny_heaps.h"
#include "heap/tiny_remote.h"
#include "heap/tiny_slabs.h"
#include "heap/tiny_superslab.h"
#include "thread/hot_magazine.h"
#include "thread/spill_queue.h"
#include "thread/tiny_give.h"
#include "thread/tiny_lifecycle.h"
#include "thread/tiny_marks.h"
#include "thread/tiny_tls.h"

// ---- taking

// Work unrelated to this request: options `bg_spill` and `bg_remote`.
static void background(tiny_heap_t *heap)
{
    spill_queue_empty();
#if TINY_HAS_OPTION_BG_REMOTE
    if (TINY_OPTION_BG_REMOTE > 0 && ++tiny_thread.ticks >= (unsigned)TINY_OPTION_BG_REMOTE) {
        tiny_thread.ticks = 0;
        tiny_heap_collect(heap);
    }
#else
    (void)heap;
#endif
}

// Releases the heap of a thread that does not exist in this forked child: it may provide blocks. The heap is in change,
// except meanwhile.
static void end_one_vanished(tiny_heap_t *heap)
{
    tiny_heap_end(heap);
    tiny_lifecycle_end_vanished();
    tiny_heap_begin(heap);
}

unsigned tiny_backend_take_row(size_t class, unsigned want, tiny_row_t *row)
{
    row->count = 0;
    tiny_heap_t *heap = tiny_backend_heap();
    if (heap == NULL) return 0;
    hak_decay_step();
    if (hot_magazine_take(class, row) > 0) return row->count;
    tiny_heap_begin(heap);
    if (UNLIKELY(atomic_load_explicit(&tiny_heaps_vanished, memory_order_relaxed) != NULL) &&
        heap->with_room[class] == NULL)
        end_one_vanished(heap);
    background(heap);
    tiny_heap_take(heap, class, want, row);
    if (row->count > 0) hot_magazine_fill(class);
    tiny_heap_end(heap);
#if HAKMEM_DEBUG_OUTPUT
    if (UNLIKELY(hak_debug_on))
        hak_debug_print("[hakmem:tiny_backend.take] class %zu: %u of %u blocks\n", class, row->count, want);
#endif
    return row->count;
}

unsigned tiny_backend_take(size_t class, unsigned want, tiny_chain_t *chain)
{
    tiny_row_t row;
    (void)tiny_backend_take_row(class, want, &row);
    *chain = tiny_row_linked(&row);
    return row.count;
}

// ---- giving

void tiny_backend_give_row(const tiny_row_t *row)
{
    if (row->count == 0 || spill_queue_add(row)) return;
    tiny_backend_begin();
    for (unsigned i = 0; i < row->count;) {
        if (LIKELY(tiny_thread.heap != NULL))
            i += tiny_heap_give_row(tiny_thread.heap, &row->block[i], row->count - i);
        if (i < row->count) tiny_backend_give(row->block[i++]); // one that another heap owns
    }
    tiny_backend_end();
}

void tiny_backend_give_chain(const tiny_chain_t *chain)
{
    for (tiny_block_t *block = chain->head; block != NULL;) {
        tiny_row_t row;
        row.count = 0;
        block = tiny_row_fill(&row, block);
        tiny_backend_give_row(&row);
    }
}

// ---- frees that the fast path did not take

static void send_freed(tiny_slab_t *slab, size_t index)
{
    (void)tiny_backend_heap(); // a thread that only frees gets a heap too
    if (tiny_give_away(slab, index)) hak_decay_step();
}

#if TINY_MARKS

static void check_and_mark(tiny_block_t *block)
{
    if (tiny_is_marked(block, tiny_secret())) tiny_marks_check_own(block);
    tiny_mark(block, tiny_secret());
}

#else

static void check_and_mark(const tiny_block_t *block)
{
    (void)block;
}

#endif

void tiny_backend_free(tiny_block_t *block, tiny_tag_t tag)
{
    tiny_slab_t *slab = tiny_registry_slab(block);
    size_t index = tiny_give_index(slab, block);
    if (!tiny_tls_owns(tag)) {
        send_freed(slab, index);
        return;
    }
    check_and_mark(block);
    tiny_backend_give(block);
}
