// Requests that no address space can hold are refused before any memory is released for them: they cost nothing, and
// memory cached for the next request stays.
//
// This program's own mmap and related functions precede the C library's, and their calls are counted.

#include "test.h"

#include <sys/syscall.h>

static atomic_uint calls;

#if !T_SANITIZER // a sanitizer's runtime calls these before it is ready for code of a program
#define SHOWN __attribute__((visibility("default")))

SHOWN void *mmap(void *start, size_t size, int protection, int flags, int file, off_t offset)
{
    atomic_fetch_add(&calls, 1);
    return (void *)syscall(SYS_mmap, start, size, protection, flags, file, offset);
}

SHOWN int munmap(void *start, size_t size)
{
    atomic_fetch_add(&calls, 1);
    return (int)syscall(SYS_munmap, start, size);
}

SHOWN int madvise(void *start, size_t size, int advice)
{
    atomic_fetch_add(&calls, 1);
    return (int)syscall(SYS_madvise, start, size, advice);
}
#endif

// Fills the caches that a thread keeps for its next requests, of every kind.
static void keep_some(void)
{
    static const size_t sizes[] = {16, 1000, 60000, 200000, 3000000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        void *blocks[4];
        for (int k = 0; k < 4; k++) blocks[k] = T_must_malloc(sizes[i]);
        for (int k = 0; k < 4; k++) T_free(blocks[k]);
    }
}

static void check_refusals(size_t size)
{
    unsigned before = atomic_load(&calls);
    T_CHECK_REFUSED(T_malloc(size), ENOMEM);
    T_CHECK_REFUSED(T_calloc(1, size), ENOMEM);
    T_CHECK_REFUSED(T_realloc(NULL, size), ENOMEM);
    T_CHECK_REFUSED(T_memalign(64, size), ENOMEM);
    T_CHECK_REFUSED(T_memalign(1 << 20, size), ENOMEM);
    unsigned made = atomic_load(&calls) - before;
    T_CHECK(made == 0, "5 requests of %zu bytes made %u calls of the system", size, made);
}

static void what_no_address_space_holds(void)
{
    keep_some();
    for (size_t size = (size_t)1 << 48; size != 0; size *= 2) check_refusals(size);
    check_refusals(SIZE_MAX);
    check_refusals(PTRDIFF_MAX);
}

static void alignments_that_no_address_space_holds(void)
{
    unsigned before = atomic_load(&calls);
    for (size_t alignment = (size_t)1 << 48; alignment != 0; alignment *= 2)
        T_CHECK_REFUSED(T_memalign(alignment, 1), ENOMEM);
    T_CHECK(atomic_load(&calls) == before, "%u calls of the system were made", atomic_load(&calls) - before);
}

int main(void)
{
    if (T_SANITIZER) T_not_run("a sanitizer makes calls of its own");
    T_RUN(what_no_address_space_holds);
    T_RUN(alignments_that_no_address_space_holds);
    return 0;
}
