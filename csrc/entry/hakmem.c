// Entry points: the public functions.
#include "hakmem.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "debug/messages.h"
#include "entry/hakmem_entry.h"
#include "entry/tiny_stats.h"
#include "heap/decay.h"
#include "os/die.h"
#include "os/os.h"

#if HAKMEM_DEBUG_OUTPUT
#include <signal.h>
#endif

// ---- allocation

static void *out_of_memory(void)
{
    errno = ENOMEM;
    return NULL;
}

HAK_HOT_ENTRY HAK_EXPORT void *hak_malloc(size_t size)
{
    return hak_entry_alloc(size);
}

HAK_EXPORT void *hak_calloc(size_t count, size_t size)
{
    size_t bytes;
    if (UNLIKELY(__builtin_mul_overflow(count, size, &bytes))) return out_of_memory();
    bool zeroed;
    void *block = hak_entry_alloc_aligned(bytes, TINY_MIN_ALIGN, &zeroed);
    if (block != NULL && !zeroed) memset(block, 0, bytes);
    return block;
}

static void *alloc_aligned(size_t alignment, size_t size)
{
    bool zeroed;
    return hak_entry_alloc_aligned(size, alignment, &zeroed);
}

#define LARGEST_POWER ((size_t)1 << (sizeof(size_t) * CHAR_BIT - 1))

static bool is_power_of_two(size_t n)
{
    return n != 0 && (n & (n - 1)) == 0;
}

static void *refuse_alignment(void)
{
    errno = EINVAL;
    return NULL;
}

// As in glibc, an alignment that is not a power of two is rounded up to the next one.
HAK_EXPORT void *hak_memalign(size_t alignment, size_t size)
{
    if (LIKELY(is_power_of_two(alignment))) return alloc_aligned(alignment, size);
    if (UNLIKELY(alignment > LARGEST_POWER)) return refuse_alignment();
    size_t power = 1;
    while (power < alignment) power *= 2;
    return alloc_aligned(power, size);
}

// glibc before 2.38 does the same as for memalign. Later versions and other C libraries follow C17.
#ifdef __GLIBC__
#define ROUNDS_ALIGNMENT (!__GLIBC_PREREQ(2, 38))
#else
#define ROUNDS_ALIGNMENT false
#endif

HAK_EXPORT void *hak_aligned_alloc(size_t alignment, size_t size)
{
    if (!ROUNDS_ALIGNMENT && UNLIKELY(!is_power_of_two(alignment))) return refuse_alignment();
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

HAK_HOT_ENTRY HAK_EXPORT void hak_free(void *block)
{
    hak_entry_free(block);
}

HAK_EXPORT void hak_free_sized(void *block, size_t size)
{
    hak_entry_free_sized(block, size);
}

HAK_EXPORT void hak_free_aligned_sized(void *block, size_t alignment, size_t size)
{
    HAK_CHECK(((uintptr_t)block & (alignment - 1)) == 0, "free_aligned_sized of a block that is not aligned",
              block);
    (void)alignment;
    hak_entry_free_sized(block, size);
}

// ---- sizes

HAK_EXPORT size_t hak_malloc_usable_size(void *block)
{
    return block != NULL ? hak_entry_size(block, "size asked of a pointer that is no block") : 0;
}

// ---- realloc

HAK_EXPORT void *hak_realloc(void *block, size_t size)
{
    if (block == NULL) return hak_malloc(size);
    if (size == 0) {
        hak_free(block);
        return NULL;
    }
    if (UNLIKELY(size > HAK_MAX_REQUEST)) return out_of_memory();
    size_t has;
    void *resized = hak_entry_resize(block, size, &has);
    if (resized != NULL) return resized;
    int saved = errno;
    void *moved = hak_entry_alloc_resized(has, size);
    if (UNLIKELY(moved == NULL)) {
        if (size > has) return NULL;
        errno = saved; // shrinking never fails: the block keeps the excess memory
        hak_entry_shrink(block, size);
        return block;
    }
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
    memcheck_unwatched_begin();
    bool any = hak_decay_now();
    memcheck_unwatched_end();
    return any;
}

HAK_EXPORT void hak_malloc_stats(void)
{
    memcheck_unwatched_begin();
    tiny_stats_print();
    memcheck_unwatched_end();
}

#if HAKMEM_DEBUG_OUTPUT

static void on_segv(int signal_number, siginfo_t *info, void *context)
{
    (void)context;
    hak_debug_print("[hakmem:hakmem.sigsegv] signal %d at address %p\n", signal_number, info->si_addr);
    signal(signal_number, SIG_DFL); // the instruction runs again and ends the process
}

// Only if the environment requests diagnostics: otherwise the program's own handler stays in place.
__attribute__((constructor(102))) static void watch_segv(void)
{
    if (!hak_debug_on) return;
    struct sigaction action = {.sa_sigaction = on_segv, .sa_flags = SA_SIGINFO};
    if (sigaction(SIGSEGV, &action, NULL) == 0)
        hak_debug_print("[hakmem:hakmem.sigsegv_init] handler installed\n");
}

#endif
