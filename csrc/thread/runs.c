// Runs: few requests of a thread with a heap take the arena's lock.
#include "thread/runs.h"

#include "heap/arena_return.h"
#include "heap/page_arena.h"
#include "heap/run_cache.h"
#include "os/os.h"
#include "thread/tiny_lifecycle.h"

// Returns the calling thread's heap, which then has a run cache and is in change; NULL if the thread has no heap.
static tiny_heap_t *begin_with_runs(void)
{
    tiny_heap_t *heap = tiny_backend_heap();
    if (UNLIKELY(heap == NULL)) return NULL;
    tiny_heap_begin(heap);
    if (UNLIKELY(heap->runs == NULL)) heap->runs = run_cache_make();
    if (LIKELY(heap->runs != NULL)) return heap;
    tiny_heap_end(heap);
    return NULL;
}

void *runs_take(size_t size, size_t alignment, bool *zeroed)
{
    tiny_heap_t *heap = alignment <= PAGE_ARENA_UNIT ? begin_with_runs() : NULL;
    if (heap == NULL) return page_arena_alloc(size, alignment, zeroed);
    void *run = run_cache_take(heap->runs, size, zeroed);
    tiny_heap_end(heap);
    return run;
}

void runs_give(void *run)
{
    enum { STEP_BYTES = 4 << 20 };
    tiny_heap_t *heap = begin_with_runs();
    bool surplus;
    if (heap == NULL) {
        surplus = page_arena_free(run);
    } else {
        surplus = run_cache_give(heap->runs, run);
        tiny_heap_end(heap);
    }
    if (UNLIKELY(surplus)) page_arena_return(STEP_BYTES, os_clock_ms(), (uint32_t)TINY_OPTION_DECAY_MS);
}
