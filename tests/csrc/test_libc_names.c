// glibc's alternative names (__libc_malloc and others) belong to the same allocator as the standard ones: each frees
// the other's blocks.

#include "test.h"

#if defined(HAKMEM_NO_INTERPOSE) || !defined(__GLIBC__)

int main(void)
{
    T_not_run("another library defines the C names here");
}

#else

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *block, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);
extern void *__libc_valloc(size_t size);
extern void *__libc_pvalloc(size_t size);
extern void __libc_free(void *block);

static const size_t sizes[] = {0, 1, 100, 1000, 5000, 40000, 300000, 3000000};
enum { SIZES = sizeof sizes / sizeof *sizes };

static void check_block(void *made, size_t size)
{
    void *block = T_hidden(made);
    T_CHECK(block != NULL && T_usable_size(block) >= size, "no block of %zu bytes", size);
    T_fill(block, size, size);
    T_CHECK_PATTERN(block, size, size);
}

static void what_they_give_is_freed_by_the_first_names(void)
{
    for (int i = 0; i < SIZES; i++) {
        void *blocks[] = {
            __libc_malloc(sizes[i]),        __libc_calloc(1, sizes[i]), __libc_realloc(NULL, sizes[i]),
            __libc_memalign(256, sizes[i]), __libc_valloc(sizes[i]),    __libc_pvalloc(sizes[i]),
        };
        for (size_t k = 0; k < sizeof blocks / sizeof *blocks; k++) check_block(blocks[k], sizes[i]);
        for (size_t k = 0; k < sizeof blocks / sizeof *blocks; k++) T_free(blocks[k]);
    }
}

static void what_the_first_names_give_is_theirs(void)
{
    for (int i = 1; i < SIZES; i++) {
        void *block = T_must_malloc(sizes[i]);
        T_fill(block, sizes[i], 1);
        block = T_hidden(__libc_realloc(block, sizes[i] * 2));
        T_CHECK(block != NULL, "no realloc to %zu bytes", sizes[i] * 2);
        T_CHECK_PATTERN(block, sizes[i], 1);
        __libc_free(block);
    }
    __libc_free(NULL);
}

int main(void)
{
    T_RUN(what_they_give_is_freed_by_the_first_names);
    T_RUN(what_the_first_names_give_is_theirs);
    return 0;
}

#endif
