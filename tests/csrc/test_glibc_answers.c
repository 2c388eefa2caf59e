// Edge cases of the aligned functions and of sizes, compared between this allocator and glibc's in one process: the
// answers are equal.
//
// answer: whether there is a block, the errno or return value, and the guaranteed alignment of the block.

#include "test.h"

#include <dlfcn.h>

struct functions {
    void *(*memalign)(size_t, size_t);
    void *(*aligned_alloc)(size_t, size_t);
    int (*posix_memalign)(void **, size_t, size_t);
    void *(*malloc)(size_t);
    void *(*calloc)(size_t, size_t);
    void *(*realloc)(void *, size_t);
    void *(*valloc)(size_t);
    void *(*pvalloc)(size_t);
    void (*free)(void *);
};

static const struct functions ours = {
    T_memalign, T_aligned_alloc, T_posix_memalign, T_malloc, T_calloc, T_realloc, T_valloc, T_pvalloc, T_free,
};
static struct functions theirs;

// Finds glibc's own functions, even if another library defines their names in this process.
static void find_theirs(void)
{
    static const char *const names[] = {"memalign", "aligned_alloc", "posix_memalign", "malloc", "calloc",
                                        "realloc",  "valloc",        "pvalloc",        "free"};
    void *library = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
    if (library == NULL) T_not_run("the C library is not glibc as a shared library");
    void **function = (void **)(void *)&theirs;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        T_CHECK((function[i] = dlsym(library, names[i])) != NULL, "glibc has no %s", names[i]);
}

struct answer {
    bool block;
    int error;
};

static struct answer answer_of(const struct functions *of, void *block, int error, size_t alignment)
{
    struct answer answer = {block != NULL, error};
    if (block != NULL && alignment > 1) T_CHECK_ALIGNED(block, alignment);
    of->free(block);
    return answer;
}

static size_t rounded_up(size_t alignment)
{
    size_t power = 1;
    while (power < alignment && power != 0) power *= 2;
    return power;
}

static struct answer call_memalign(const struct functions *of, size_t alignment, size_t size)
{
    errno = 0;
    void *block = T_hidden(of->memalign(alignment, size));
    return answer_of(of, block, errno, rounded_up(alignment));
}

static struct answer call_aligned_alloc(const struct functions *of, size_t alignment, size_t size)
{
    errno = 0;
    void *block = T_hidden(of->aligned_alloc(alignment, size));
    return answer_of(of, block, errno, rounded_up(alignment));
}

static struct answer call_posix_memalign(const struct functions *of, size_t alignment, size_t size)
{
    void *block = NULL;
    int error = of->posix_memalign(&block, alignment, size);
    return answer_of(of, block, error, rounded_up(alignment));
}

typedef struct answer call_t(const struct functions *of, size_t alignment, size_t size);

static void compare(const char *call, call_t *call_it, size_t alignment, size_t size)
{
    struct answer mine = call_it(&ours, alignment, size), glibcs = call_it(&theirs, alignment, size);
    T_CHECK(mine.block == glibcs.block && (mine.block || mine.error == glibcs.error),
            "%s(%zu, %zu) gave %s and error %d; glibc's %s and %d", call, alignment, size,
            mine.block ? "a block" : "NULL", mine.error, glibcs.block ? "a block" : "NULL", glibcs.error);
}

#define TOP ((size_t)1 << 63)

static void alignments_of_every_kind(void)
{
    static const size_t alignments[] = {0,     1,      2,       3,       4,       5,    7,       8,
                                        9,     12,     15,      16,      17,      24,   31,      32,
                                        33,    48,     63,      64,      65,      100,  128,     1000,
                                        1024,  4095,   4096,    4097,    5000,    8192, 65535,   65536,
                                        65537, 100000, 1 << 20, TOP / 2, TOP - 1, TOP,  TOP + 1, SIZE_MAX};
    static const size_t sizes[] = {0,       1, 7, 24, 100, 1024, 5000, 70000, SIZE_MAX / 2, SIZE_MAX - 4096,
                                   SIZE_MAX};
    for (size_t a = 0; a < sizeof alignments / sizeof *alignments; a++)
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
            compare("memalign", call_memalign, alignments[a], sizes[s]);
            compare("aligned_alloc", call_aligned_alloc, alignments[a], sizes[s]);
            compare("posix_memalign", call_posix_memalign, alignments[a], sizes[s]);
        }
}

static struct answer call_size(const struct functions *of, size_t kind, size_t size)
{
    errno = 0;
    void *block = NULL;
    switch (kind) {
    case 0:
        block = of->malloc(size);
        break;
    case 1:
        block = of->calloc(1, size);
        break;
    case 2:
        block = of->realloc(NULL, size);
        break;
    case 3:
        block = of->valloc(size);
        break;
    default:
        block = of->pvalloc(size);
    }
    return answer_of(of, T_hidden(block), errno, kind > 2 ? (size_t)sysconf(_SC_PAGESIZE) : 16);
}

static void sizes_that_are_possible_and_not(void)
{
    static const size_t sizes[] = {0,
                                   1,
                                   100,
                                   1 << 20,
                                   (size_t)1 << 48,
                                   (size_t)1 << 50,
                                   TOP - 1,
                                   TOP,
                                   TOP + 1,
                                   SIZE_MAX - 70000,
                                   SIZE_MAX - 4096,
                                   SIZE_MAX - 4095,
                                   SIZE_MAX - 16,
                                   SIZE_MAX - 1,
                                   SIZE_MAX};
    static const char *const kinds[] = {"malloc", "calloc", "realloc", "valloc", "pvalloc"};
    for (size_t kind = 0; kind < sizeof kinds / sizeof *kinds; kind++)
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
            compare(kinds[kind], call_size, kind, sizes[s]);
}

// The product is too large, or is just small enough. (glibc's reallocarray calls the process's realloc.)
static struct answer call_product(const struct functions *of, size_t count, size_t size)
{
    errno = 0;
    return answer_of(of, T_hidden(of->calloc(count, size)), errno, 16);
}

static void products_that_overflow(void)
{
    static const size_t numbers[] = {
        0, 1, 3, 1000, (size_t)1 << 31, (size_t)1 << 32, ((size_t)1 << 32) + 1, TOP, SIZE_MAX};
    for (size_t a = 0; a < sizeof numbers / sizeof *numbers; a++)
        for (size_t b = 0; b < sizeof numbers / sizeof *numbers; b++) {
            size_t product;
            bool overflows = __builtin_mul_overflow(numbers[a], numbers[b], &product);
            if (!overflows && product > 1 << 20 && product < (size_t)1 << 48)
                continue; // depends on the machine
            compare("calloc", call_product, numbers[a], numbers[b]);
            if (overflows) T_CHECK_REFUSED(T_reallocarray(NULL, numbers[a], numbers[b]), ENOMEM);
        }
}

int main(void)
{
    if (T_SANITIZER) T_not_run("a sanitizer has its own answers for glibc's functions");
    if (!T_GLIBC) T_not_run("the C library is not glibc");
    find_theirs();
    T_RUN(alignments_of_every_kind);
    T_RUN(sizes_that_are_possible_and_not);
    T_RUN(products_that_overflow);
    return 0;
}
