// Blocks: chooses the part of the allocator that serves a request, and finds the part that a block came from.
#include "entry/blocks.h"

#include <errno.h>

#include "front/hakmem_tiny.h"
#include "heap/arena_return.h"
#include "heap/decay.h"
#include "heap/large.h"
#include "heap/page_arena.h"
#include "heap/run_cache.h"
#include "os/die.h"
#include "os/os.h"
#include "registry/tiny_registry.h"

#define NATURAL_ALIGNMENT ((size_t)16)

// ---- allocation

static void *out_of_memory(void)
{
    errno = ENOMEM;
    return NULL;
}

static bool is_for_arena(size_t size, size_t alignment)
{
    return size <= PAGE_ARENA_MAX_SIZE && alignment <= PAGE_ARENA_MAX_ALIGNMENT;
}

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

static void *take_run(size_t size, size_t alignment, bool *zeroed)
{
    tiny_heap_t *heap = alignment <= PAGE_ARENA_UNIT ? begin_with_runs() : NULL;
    if (heap == NULL) return page_arena_alloc(size, alignment, zeroed);
    void *run = run_cache_take(heap->runs, size, zeroed);
    tiny_heap_end(heap);
    return run;
}

// Frees a run. When the arena holds more than its bound, it returns about as much memory to the system as the run
// brought.
static void give_run(void *run)
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

static void *take_untiny(size_t size, size_t alignment, bool *zeroed)
{
    if (is_for_arena(size, alignment)) return take_run(size, alignment, zeroed);
    return large_alloc(size, alignment, zeroed);
}

// Memory is short: returns everything that is cached for later to the system and retries. The system may grant a
// separate mapping where it refuses a whole chunk of the arena.
static void *take_at_any_price(size_t size, size_t alignment, bool *zeroed)
{
    hak_decay_now();
    void *block = take_untiny(size, alignment, zeroed);
    if (block != NULL || !is_for_arena(size, alignment)) return block;
    return large_alloc(size, alignment, zeroed);
}

static void *alloc_untiny(size_t size, size_t alignment, bool *zeroed)
{
    if (UNLIKELY(alignment > HAK_MAX_REQUEST || size > HAK_MAX_REQUEST - alignment)) return out_of_memory();
    hak_decay_step();
    if (size == 0) size = 1;
    void *block = take_untiny(size, alignment, zeroed);
    if (UNLIKELY(block == NULL)) block = take_at_any_price(size, alignment, zeroed);
    return block != NULL ? block : out_of_memory();
}

void *hak_alloc_beyond_hot(size_t size)
{
    if (LIKELY(size <= TINY_MAX_SIZE)) {
        hak_decay_step(); // blocks this large are rare and slow to fill
        return hak_tiny_alloc(tiny_class_of(size));
    }
    bool zeroed;
    return alloc_untiny(size, NATURAL_ALIGNMENT, &zeroed);
}

// The first class that holds `size` and whose blocks all have the alignment; TINY_CLASSES if there is none.
static size_t aligned_class(size_t size, size_t alignment)
{
    if (alignment > TINY_ALIGNMENT_MOST || size > TINY_MAX_SIZE || alignment > TINY_MAX_SIZE)
        return TINY_CLASSES;
    size_t class = tiny_class_of(size > alignment ? size : alignment);
    while (class < TINY_CLASSES && tiny_class_size[class] % alignment != 0) class++;
    return class;
}

void *blocks_alloc(size_t size, size_t alignment, bool *zeroed)
{
    *zeroed = false;
    if (alignment <= TINY_MIN_ALIGN) {
        if (size <= TINY_MAX_SIZE) return hak_tiny_alloc(tiny_class_of(size));
        return alloc_untiny(size, NATURAL_ALIGNMENT, zeroed);
    }
    size_t class = aligned_class(size, alignment);
    if (class < TINY_CLASSES) return hak_tiny_alloc(class);
    return alloc_untiny(size, alignment, zeroed);
}

// ---- free

void tiny_free_other(void *block)
{
    if (block == NULL) return;
    tiny_tag_t tag = tiny_registry_tag(block);
    if (LIKELY(TINY_TAG_OWNER(tag) != 0)) {
        tiny_backend_free(block, tag);
    } else if (tag == TINY_TAG(0, TINY_KIND_ARENA)) {
        hak_decay_step();
        give_run(block);
    } else if (tag == TINY_TAG(0, TINY_KIND_LARGE)) {
        hak_decay_step();
        large_free(block);
    } else {
        hak_die("free of a pointer that is no block", block);
    }
}

// ---- sizes

// Returns the class of a block that stays in use.
static size_t class_of(const void *block, tiny_tag_t tag, const char *misuse)
{
#if TINY_CHECKS >= TINY_CHECKS_BASIC
    if (UNLIKELY(tiny_block_index(tiny_registry_slab(block), block) == SIZE_MAX)) tiny_die(misuse, block);
#endif
    (void)block;
    (void)misuse;
    return TINY_TAG_KIND(tag);
}

size_t blocks_size(const void *block, const char *misuse)
{
    tiny_tag_t tag = tiny_registry_tag(block);
    if (TINY_TAG_OWNER(tag) != 0) return tiny_class_size[class_of(block, tag, misuse)];
    if (tag == TINY_TAG(0, TINY_KIND_ARENA)) return page_arena_usable_size(block);
    if (tag == TINY_TAG(0, TINY_KIND_LARGE)) return large_usable_size(block);
    hak_die(misuse, block);
}

// A tiny block stays in place while it is at least half full; an arena run or a mapping is resized in place if
// possible.
void *blocks_resize(void *block, size_t size)
{
    static const char misuse[] = "realloc of a pointer that is no block";
    tiny_tag_t tag = tiny_registry_tag(block);
    if (TINY_TAG_OWNER(tag) != 0) {
        size_t has = tiny_class_size[class_of(block, tag, misuse)];
        return size <= has && size > has / 2 ? block : NULL;
    }
    if (tag == TINY_TAG(0, TINY_KIND_ARENA)) {
        bool fits = size > TINY_MAX_SIZE && size <= PAGE_ARENA_MAX_SIZE;
        return fits && page_arena_resize(block, size) ? block : NULL;
    }
    if (tag == TINY_TAG(0, TINY_KIND_LARGE))
        return size > PAGE_ARENA_MAX_SIZE ? large_resize(block, size) : NULL;
    hak_die(misuse, block);
}
