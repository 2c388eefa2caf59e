// Blocks: chooses the part of the allocator that serves a request, and finds the part that a block came from.
#include "entry/blocks.h"

#include <errno.h>

#include "front/tiny_front.h"
#include "heap/decay.h"
#include "heap/large.h"
#include "heap/page_arena.h"
#include "os/die.h"
#include "registry/tiny_registry.h"
#include "thread/runs.h"

#define NATURAL_ALIGNMENT ((size_t)16)

// ---- allocation

static void *out_of_memory(void)
{
    errno = ENOMEM;
    return NULL;
}

static bool is_for_arena(size_t size, size_t alignment)
{
    return size <= BLOCKS_RUN_MOST && alignment <= PAGE_ARENA_MAX_ALIGNMENT;
}

static void *take_untiny(size_t size, size_t alignment, bool *zeroed)
{
    if (is_for_arena(size, alignment)) return runs_take(size, alignment, zeroed);
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
    hak_decay_step(); // a program that only frees and allocates such blocks rarely misses the thread's lists
    if (LIKELY(size <= TINY_MAX_SIZE)) return tiny_alloc_class(tiny_class_of(size));
    bool zeroed;
    return alloc_untiny(size, NATURAL_ALIGNMENT, &zeroed);
}

// The first class that holds `size` and whose blocks all have the alignment; TINY_CLASSES if there is none.
static inline size_t aligned_class(size_t size, size_t alignment)
{
    if (UNLIKELY(alignment > TINY_ALIGNMENT_MOST || size > TINY_MAX_SIZE)) return TINY_CLASSES;
    size_t rounded =
        hak_round_up(size + (size == 0), alignment); // most multiples of an alignment are the size of a class
    if (UNLIKELY(rounded > TINY_MAX_SIZE)) return TINY_CLASSES;
    size_t class = tiny_class_of(rounded);
    while (class < TINY_CLASSES && (tiny_class_size[class] & (alignment - 1)) != 0) class++;
    return class;
}

void *blocks_alloc(size_t size, size_t alignment, bool *zeroed)
{
    *zeroed = false;
    if (size > TINY_HOT_SIZE) hak_decay_step();
    size_t class = aligned_class(size, alignment > TINY_MIN_ALIGN ? alignment : TINY_MIN_ALIGN);
    if (LIKELY(class < TINY_CLASSES)) return tiny_alloc_class(class);
    return alloc_untiny(size, alignment > NATURAL_ALIGNMENT ? alignment : NATURAL_ALIGNMENT, zeroed);
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
    size_t class = HAKMEM_BUILD_RELEASE ? tiny_class_in_map(block)
                                        : TINY_CLASSES; // in debug mode it must be a block's start
    if (LIKELY(class < TINY_CLASSES)) return tiny_class_size[class];
    tiny_tag_t tag = tiny_registry_tag(block);
    if (TINY_TAG_OWNER(tag) != 0) return tiny_class_size[class_of(block, tag, misuse)];
    if (tag == TINY_TAG(0, TINY_KIND_ARENA)) return page_arena_usable_size(block, misuse);
    if (tag == TINY_TAG(0, TINY_KIND_LARGE)) return large_usable_size(block);
    hak_die(misuse, block);
}

// ---- resizing

// A run that grows takes a little more than requested, so that a block that grows in small steps finds its memory
// large enough most of the time.
static void *resize_run(void *run, size_t size, size_t has)
{
    enum { SLACK_SHARE = 4, MORE_SHARE = 8 };
    if (size <= has && size >= has - has / SLACK_SHARE) return run;
    if (size <= TINY_MAX_SIZE || size > BLOCKS_RUN_MOST) return NULL;
    size_t more = size + size / MORE_SHARE;
    if (more > BLOCKS_RUN_MOST) more = BLOCKS_RUN_MOST;
    if (size > has && page_arena_resize(run, more)) return run;
    return page_arena_resize(run, size) ? run : NULL;
}

static void *resize_large(void *block, size_t size, size_t *has)
{
    if (LIKELY(large_fits(block, size))) return block;
    void *resized = size > BLOCKS_RUN_MOST ? large_resize(block, size) : NULL;
    if (resized == NULL) *has = large_usable_size(block);
    return resized;
}

// A tiny block stays in place while it is at least half full; an arena run or a mapping is resized in place if
// possible.
void *blocks_resize(void *block, size_t size, size_t *has)
{
    static const char misuse[] = "realloc of a pointer that is no block";
    tiny_tag_t tag = tiny_registry_tag(block);
    if (TINY_TAG_OWNER(tag) != 0) {
        *has = tiny_class_size[class_of(block, tag, misuse)];
        return size <= *has && size > *has / 2 ? block : NULL;
    }
    if (tag == TINY_TAG(0, TINY_KIND_ARENA)) {
        *has = page_arena_usable_size(block, misuse);
        return resize_run(block, size, *has);
    }
    if (tag == TINY_TAG(0, TINY_KIND_LARGE)) return resize_large(block, size, has);
    hak_die(misuse, block);
}

size_t blocks_size_with_headroom(size_t has, size_t size)
{
    if (size <= has || has < BLOCKS_LEAST_COPIED || blocks_grow_by_factor(has, size)) return size;
    size_t more = has + has / 4;
    return size > more || more > BLOCKS_RUN_MOST ? size : more;
}

void *blocks_alloc_with_room(size_t has, size_t size)
{
    void *block = blocks_grow_by_factor(has, size) ? large_alloc_to_grow(size) : NULL;
    if (block != NULL) return block;
    size_t more = blocks_size_with_headroom(has, size);
    block = blocks_alloc_fast(more);
    if (UNLIKELY(block == NULL) && more > size) block = blocks_alloc_fast(size);
    return block;
}
