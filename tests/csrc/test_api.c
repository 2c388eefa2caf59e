// The edges of the interface: zero, NULL, overflow, errno, and requests that cannot be served.

#include "test.h"

#include <signal.h>

enum { BLOCKS = 1000 };

// Too large for any machine, each for a different reason: sign, rounding up, wrap-around.
static const size_t impossible[] = {PTRDIFF_MAX,     (size_t)PTRDIFF_MAX + 1, SIZE_MAX / 2 + 4096,
                                    SIZE_MAX - 4096, SIZE_MAX - 16,           SIZE_MAX - 1,
                                    SIZE_MAX};
enum { IMPOSSIBLE = sizeof impossible / sizeof impossible[0] };

static void malloc_of_zero_gives_different_blocks(void)
{
    static void *blocks[BLOCKS];
    for (int i = 0; i < BLOCKS; i++) {
        blocks[i] = T_malloc(0);
        T_CHECK(blocks[i] != NULL, "malloc(0) gave NULL");
        for (int j = 0; j < i; j++) T_CHECK(blocks[i] != blocks[j], "malloc(0) gave %p twice", blocks[i]);
    }
    for (int i = 0; i < BLOCKS; i++) T_free(blocks[i]);
}

static void calloc_of_zero_gives_a_block(void)
{
    void *none = T_calloc(0, 16), *nothing = T_calloc(16, 0);
    T_CHECK(none != NULL && nothing != NULL && none != nothing, "calloc of nothing gave %p and %p", none,
            nothing);
    T_free(none);
    T_free(nothing);
}

static void free_of_null_does_nothing(void)
{
    for (int i = 0; i < 3; i++) T_free(NULL);
}

static void free_keeps_errno(void)
{
    static const size_t sizes[] = {0, 1, 100, 1024, 1025, 5000, 100000, 1 << 20, 5 << 20, 100 << 20};
    errno = 1234;
    T_free(NULL);
    T_CHECK(errno == 1234, "free(NULL) changed errno to %d", errno);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        void *block = T_must_malloc(sizes[i]);
        errno = 1234;
        T_free(block);
        T_CHECK(errno == 1234, "free of %zu bytes changed errno to %d", sizes[i], errno);
    }
}

static void free_with_the_size_frees(void)
{
    static const size_t sizes[] = {0, 1, 100, 1024, 1025, 5000, 100000, 5 << 20};
    T_free_sized(NULL, 0);
    T_free_aligned_sized(NULL, 64, 0);
    for (int round = 0; round < 300; round++) {
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            T_free_sized(T_must_malloc(sizes[i]), sizes[i]);
            T_free_sized(T_calloc(sizes[i], 1), sizes[i]);
            T_free_aligned_sized(T_aligned_alloc(64, sizes[i]), 64, sizes[i]);
            T_free_aligned_sized(T_aligned_alloc(4096, sizes[i]), 4096, sizes[i]);
        }
    }
}

#if !HAKMEM_BUILD_RELEASE
static void debug_builds_find_a_size_that_the_block_does_not_have(void)
{
    pid_t child = fork();
    T_CHECK(child >= 0, "fork: %s", strerror(errno));
    if (child == 0) {
        close(STDERR_FILENO);
        T_free_sized(T_must_malloc(100), 5000);
        _exit(0);
    }
    int status;
    T_CHECK(waitpid(child, &status, 0) == child, "waitpid: %s", strerror(errno));
    T_CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "the child ended with status %d", status);
}
#endif

static void calloc_zeroes(void)
{
    for (size_t count = 1; count < 300; count += 7) {
        unsigned char *block = T_calloc(count, 13);
        T_CHECK(block != NULL, "calloc(%zu, 13) failed", count);
        T_CHECK(T_is_zero(block, count * 13), "calloc(%zu, 13) is not zero", count);
        T_free(block);
    }
}

static void calloc_that_overflows_is_refused(void)
{
    T_CHECK_REFUSED(T_calloc(SIZE_MAX, 2), ENOMEM);
    T_CHECK_REFUSED(T_calloc(2, SIZE_MAX), ENOMEM);
    T_CHECK_REFUSED(T_calloc(SIZE_MAX / 2 + 1, 2), ENOMEM);
    T_CHECK_REFUSED(T_calloc((size_t)1 << 32, (size_t)1 << 32), ENOMEM);
    T_CHECK_REFUSED(T_calloc(((size_t)1 << 32) + 1, ((size_t)1 << 32) + 1), ENOMEM);
    T_CHECK_REFUSED(T_calloc(SIZE_MAX, SIZE_MAX), ENOMEM);
    T_CHECK_REFUSED(T_calloc(1, SIZE_MAX), ENOMEM);
}

static void reallocarray_that_overflows_leaves_the_block(void)
{
    unsigned char *block = T_must_malloc(100);
    T_fill(block, 100, 1);
    T_CHECK_REFUSED(T_reallocarray(block, SIZE_MAX, 2), ENOMEM);
    T_CHECK_REFUSED(T_reallocarray(block, (size_t)1 << 32, (size_t)1 << 32), ENOMEM);
    T_CHECK_REFUSED(T_reallocarray(NULL, SIZE_MAX / 2 + 1, 2), ENOMEM);
    T_CHECK_PATTERN(block, 100, 1);
    block = T_reallocarray(block, 50, 100);
    T_CHECK(block != NULL, "reallocarray of 50 * 100 failed");
    T_CHECK_PATTERN(block, 100, 1);
    T_free(block);
}

static void realloc_of_null_allocates(void)
{
    unsigned char *block = T_realloc(NULL, 100), *empty = T_realloc(NULL, 0);
    T_CHECK(block != NULL, "realloc(NULL, 100) failed");
    T_CHECK(empty != NULL, "realloc(NULL, 0) gave NULL");
    T_fill(block, 100, 2);
    T_CHECK_PATTERN(block, 100, 2);
    T_free(block);
    T_free(empty);
}

// Both results are allowed: NULL with the block freed (as in glibc), or a block of no bytes.
static void realloc_to_zero_frees_or_shrinks(void)
{
    static const size_t sizes[] = {1, 100, 1024, 5000, 100000, 5 << 20};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (int round = 0; round < 100; round++) {
            void *block = T_realloc(T_must_malloc(sizes[i]), 0);
            if (block != NULL) T_free(block);
        }
    }
}

static void impossible_requests_are_refused(void)
{
    for (int i = 0; i < IMPOSSIBLE; i++) {
        T_CHECK_REFUSED(T_malloc(impossible[i]), ENOMEM);
        T_CHECK_REFUSED(T_calloc(1, impossible[i]), ENOMEM);
        T_CHECK_REFUSED(T_realloc(NULL, impossible[i]), ENOMEM);
        T_CHECK_REFUSED(T_aligned_alloc(64, impossible[i] & ~(size_t)63), ENOMEM);
        T_CHECK_REFUSED(T_memalign(4096, impossible[i]), ENOMEM);
        T_CHECK_REFUSED(T_valloc(impossible[i]), ENOMEM);
        T_CHECK_REFUSED(T_pvalloc(impossible[i]), ENOMEM);
        void *untouched = &untouched;
        int error = T_posix_memalign(&untouched, 64, impossible[i]);
        T_CHECK(error == ENOMEM, "posix_memalign of %zu bytes gave %d", impossible[i], error);
    }
}

static void an_impossible_realloc_leaves_the_block(void)
{
    static const size_t sizes[] = {1, 100, 1024, 5000, 100000, 5 << 20};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        unsigned char *block = T_must_malloc(sizes[i]);
        T_fill(block, sizes[i], i);
        for (int j = 0; j < IMPOSSIBLE; j++) T_CHECK_REFUSED(T_realloc(block, impossible[j]), ENOMEM);
        T_CHECK_PATTERN(block, sizes[i], i);
        T_free(block);
    }
}

static void trim_leaves_blocks_alone(void)
{
    static void *blocks[BLOCKS];
    for (int i = 0; i < BLOCKS; i++) {
        blocks[i] = T_must_malloc((size_t)i * 37);
        T_fill(blocks[i], (size_t)i * 37, (uint64_t)i);
    }
    for (int i = 0; i < BLOCKS; i += 2) T_free(blocks[i]);
    T_malloc_trim(0);
    for (int i = 1; i < BLOCKS; i += 2) {
        T_CHECK_PATTERN(blocks[i], (size_t)i * 37, (uint64_t)i);
        T_free(blocks[i]);
    }
    T_malloc_trim(1 << 20);
    T_free(T_must_malloc(100));
}

int main(void)
{
    T_RUN(malloc_of_zero_gives_different_blocks);
    T_RUN(calloc_of_zero_gives_a_block);
    T_RUN(free_of_null_does_nothing);
    T_RUN(free_keeps_errno);
    T_RUN(free_with_the_size_frees);
#if !HAKMEM_BUILD_RELEASE
    T_RUN(debug_builds_find_a_size_that_the_block_does_not_have);
#endif
    T_RUN(calloc_zeroes);
    T_RUN(calloc_that_overflows_is_refused);
    T_RUN(reallocarray_that_overflows_leaves_the_block);
    T_RUN(realloc_of_null_allocates);
    T_RUN(realloc_to_zero_frees_or_shrinks);
    T_RUN(impossible_requests_are_refused);
    T_RUN(an_impossible_realloc_leaves_the_block);
    T_RUN(trim_leaves_blocks_alone);
    return 0;
}
