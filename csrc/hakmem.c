// Entry points: the public functions, and the way of a request to the tiny classes, the page arena or a mapping.
#include "hakmem.h"

#include <errno.h>
#include <string.h>

#include "debug.h"
#include "hakmem_entry.h"
#include "hakmem_tiny.h"
#include "large.h"
#include "page_arena.h"
#include "shared_pool.h"
#include "tiny_registry.h"
#include "tiny_stats.h"

#if HAKMEM_DEBUG_OUTPUT
#include <signal.h>
#endif

#define NATURAL_ALIGNMENT ((size_t)16)
#define SLAB_ALIGNMENT ((size_t)64) // slab starts are multiples of it

// ---- allocation

static void *out_of_memory(void)
{
    errno = ENOMEM;
    return NULL;
}

// *zeroed: the memory is known to be zero.
static void *alloc_untiny(size_t size, size_t alignment, bool *zeroed)
{
    *zeroed = false;
    if (UNLIKELY(size > HAK_MAX_REQUEST - alignment)) return out_of_memory();
    void *block = NULL;
    if (size <= PAGE_ARENA_MAX_SIZE && alignment <= PAGE_ARENA_MAX_ALIGNMENT)
        block = page_arena_alloc(size > 0 ? size : 1, alignment);
    else block = large_alloc(size > 0 ? size : 1, alignment, zeroed);
    return block != NULL ? block : out_of_memory();
}

void *hak_alloc_beyond_tiny(size_t size)
{
    bool zeroed;
    return alloc_untiny(size, NATURAL_ALIGNMENT, &zeroed);
}

HAK_EXPORT void *hak_malloc(size_t size)
{
    return hak_entry_alloc(size);
}

HAK_EXPORT void *hak_calloc(size_t count, size_t size)
{
    size_t bytes;
    if (UNLIKELY(__builtin_mul_overflow(count, size, &bytes))) return out_of_memory();
    bool zeroed = false;
    void *block =
        bytes <= TINY_MAX_SIZE ? hak_tiny_alloc(bytes) : alloc_untiny(bytes, NATURAL_ALIGNMENT, &zeroed);
    if (block != NULL && !zeroed) memset(block, 0, bytes);
    return block;
}

// The first class that holds `size` and whose blocks all have the alignment; TINY_CLASSES if there is none.
static size_t aligned_class(size_t size, size_t alignment)
{
    if (alignment > SLAB_ALIGNMENT || size > TINY_MAX_SIZE) return TINY_CLASSES;
    size_t class = tiny_class_of(size > alignment ? size : alignment);
    while (class < TINY_CLASSES && tiny_class_size[class] % alignment != 0) class++;
    return class;
}

static void *alloc_aligned(size_t alignment, size_t size)
{
    if (alignment <= TINY_MIN_ALIGN) return hak_malloc(size);
    size_t class = aligned_class(size, alignment);
    if (class < TINY_CLASSES) return hak_tiny_alloc(tiny_class_size[class]);
    bool zeroed;
    return alloc_untiny(size, alignment, &zeroed);
}

static bool is_power_of_two(size_t n)
{
    return n != 0 && (n & (n - 1)) == 0;
}

HAK_EXPORT void *hak_memalign(size_t alignment, size_t size)
{
    if (UNLIKELY(!is_power_of_two(alignment))) {
        errno = EINVAL;
        return NULL;
    }
    return alloc_aligned(alignment, size);
}

HAK_EXPORT void *hak_aligned_alloc(size_t alignment, size_t size)
{
    return hak_memalign(alignment, size);
}

HAK_EXPORT int hak_posix_memalign(void **block, size_t alignment, size_t size)
{
    if (UNLIKELY(!is_power_of_two(alignment) || alignment % sizeof(void *) != 0)) return EINVAL;
    int saved = errno;
    void *made = alloc_aligned(alignment, size);
    errno = saved;
    if (made == NULL) return ENOMEM;
    *block = made;
    return 0;
}

HAK_EXPORT void *hak_valloc(size_t size)
{
    return alloc_aligned(OS_PAGE, size);
}

HAK_EXPORT void *hak_pvalloc(size_t size)
{
    if (UNLIKELY(size > HAK_MAX_REQUEST)) return out_of_memory();
    return alloc_aligned(OS_PAGE, hak_round_up(size > 0 ? size : 1, OS_PAGE));
}

// ---- free

void tiny_free_other(void *block)
{
    if (block == NULL) return;
    tiny_tag_t tag = tiny_registry_tag(block);
    if (LIKELY(TINY_TAG_OWNER(tag) != 0)) {
        // A pointer that is not at a block's start would corrupt the heap later on: it ends here.
        if (UNLIKELY(!tiny_is_block_start(tiny_registry_record(block), block)))
            tiny_die("free of a pointer into a block", block);
        tiny_backend_free(block, tag);
    } else if (tag == TINY_TAG(0, TINY_KIND_ARENA)) {
        page_arena_free(block);
    } else if (tag == TINY_TAG(0, TINY_KIND_LARGE)) {
        large_free(block);
    } else {
        hak_die("free of a pointer that is no block", block);
    }
}

HAK_EXPORT void hak_free(void *block)
{
    hak_entry_free(block);
}

// What the standard calls undefined, another size than was asked for, shows where the block is too small for it.
static void check_size(void *block, size_t size)
{
    HAK_CHECK(block == NULL || hak_malloc_usable_size(block) >= size, "free_sized of a smaller block", block);
    (void)block;
    (void)size;
}

HAK_EXPORT void hak_free_sized(void *block, size_t size)
{
    check_size(block, size);
    hak_entry_free(block);
}

HAK_EXPORT void hak_free_aligned_sized(void *block, size_t alignment, size_t size)
{
    HAK_CHECK(((uintptr_t)block & (alignment - 1)) == 0, "free_aligned_sized of a block that is not aligned",
              block);
    (void)alignment;
    check_size(block, size);
    hak_entry_free(block);
}

// ---- sizes

HAK_EXPORT size_t hak_malloc_usable_size(void *block)
{
    if (block == NULL) return 0;
    tiny_tag_t tag = tiny_registry_tag(block);
    if (TINY_TAG_OWNER(tag) != 0) return tiny_class_size[TINY_TAG_KIND(tag)];
    if (tag == TINY_TAG(0, TINY_KIND_ARENA)) return page_arena_usable_size(block);
    if (tag == TINY_TAG(0, TINY_KIND_LARGE)) return large_usable_size(block);
    hak_die("size asked of a pointer that is no block", block);
}

// ---- realloc

// A tiny block stays while it is at least half full; an arena run and a mapping grow and shrink where they lie.
static void *resize_in_place(void *block, size_t size)
{
    tiny_tag_t tag = tiny_registry_tag(block);
    if (TINY_TAG_OWNER(tag) != 0) {
        size_t has = tiny_class_size[TINY_TAG_KIND(tag)];
        return size <= has && size > has / 2 ? block : NULL;
    }
    if (tag == TINY_TAG(0, TINY_KIND_ARENA)) {
        bool fits = size > TINY_MAX_SIZE && size <= PAGE_ARENA_MAX_SIZE;
        return fits && page_arena_resize(block, size) ? block : NULL;
    }
    if (tag == TINY_TAG(0, TINY_KIND_LARGE))
        return size > PAGE_ARENA_MAX_SIZE ? large_resize(block, size) : NULL;
    hak_die("realloc of a pointer that is no block", block);
}

HAK_EXPORT void *hak_realloc(void *block, size_t size)
{
    if (block == NULL) return hak_malloc(size);
    if (size == 0) {
        hak_free(block);
        return NULL;
    }
    if (UNLIKELY(size > HAK_MAX_REQUEST)) return out_of_memory();
    void *resized = resize_in_place(block, size);
    if (resized != NULL) return resized;
    size_t has = hak_malloc_usable_size(block);
    void *moved = hak_malloc(size);
    if (moved == NULL) return NULL;
    memcpy(moved, block, has < size ? has : size);
    hak_free(block);
    return moved;
}

HAK_EXPORT void *hak_reallocarray(void *block, size_t count, size_t size)
{
    size_t bytes;
    if (UNLIKELY(__builtin_mul_overflow(count, size, &bytes))) return out_of_memory();
    return hak_realloc(block, bytes);
}

// ---- the heap as a whole

HAK_EXPORT int hak_malloc_trim(size_t keep)
{
    (void)keep;
    tiny_front_drain();
    tiny_backend_drain();
    if (tiny_backend_heap() != NULL) tiny_heap_tidy(tiny_backend_heap());
    bool pages = shared_pool_trim();
    bool runs = page_arena_trim();
    bool mappings = large_trim();
    return pages || runs || mappings;
}

HAK_EXPORT void hak_malloc_stats(void)
{
    tiny_stats_print();
}

#if HAKMEM_DEBUG_OUTPUT

static void on_segv(int signal_number, siginfo_t *info, void *context)
{
    (void)context;
    hak_debug_print("[hakmem:hakmem.sigsegv] signal %d at address %p\n", signal_number, info->si_addr);
    signal(signal_number, SIG_DFL); // the instruction runs again, and ends the process as it would have
}

// Only where the environment asked for diagnostics: a program's own handler is none of our business.
__attribute__((constructor(102))) static void watch_segv(void)
{
    if (!hak_debug_on) return;
    struct sigaction action = {.sa_sigaction = on_segv, .sa_flags = SA_SIGINFO};
    if (sigaction(SIGSEGV, &action, NULL) == 0)
        hak_debug_print("[hakmem:hakmem.sigsegv_init] handler installed\n");
}

#endif
