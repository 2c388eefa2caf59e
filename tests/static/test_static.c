// A C program that is linked with the static library: malloc is the library's, also in threads and after a fork.

#include "../csrc/test.h"

#include "hakmem.h"

enum { BLOCKS = 2000, THREADS = 4 };

static void the_c_names_are_the_librarys(void)
{
    static const size_t sizes[] = {1, 100, 1025, 50000, 2000000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        void *block = T_must_malloc(sizes[i]);
        T_CHECK(hak_malloc_usable_size(block) == malloc_usable_size(block), "two allocators have one block");
        hak_free(block);
    }
    size_t before = hak_mallinfo2().hblks;
    char *text = T_hidden(strdup("from the C library")); // whose malloc is ours
    T_CHECK(hak_malloc_usable_size(text) >= 19, "strdup has another malloc");
    free(text);
    T_CHECK(hak_mallinfo2().hblks == before, "a large block is left");
}

static void *allocate_and_free(void *unused)
{
    void *blocks[BLOCKS];
    for (size_t i = 0; i < BLOCKS; i++) T_fill(blocks[i] = T_must_malloc(8 + i), 8, i);
    for (size_t i = 0; i < BLOCKS; i++) {
        T_CHECK_PATTERN(blocks[i], 8, i);
        T_free(blocks[i]);
    }
    return unused;
}

static void threads_and_children_allocate(void)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) threads[i] = T_thread(allocate_and_free, NULL);
    pid_t child = fork();
    T_CHECK(child >= 0, "fork: %s", strerror(errno));
    if (child == 0) {
        allocate_and_free(NULL);
        _exit(0);
    }
    T_CHECK_CHILD(child);
    for (int i = 0; i < THREADS; i++) T_join(threads[i]);
}

int main(void)
{
    T_RUN(the_c_names_are_the_librarys);
    T_RUN(threads_and_children_allocate);
    return 0;
}
