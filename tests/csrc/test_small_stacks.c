// Threads with the smallest possible stack: it must hold the library's thread-local state and the stack frames of every
// path of the allocator.

#include "test.h"

#include <limits.h>
#include <link.h>

enum { MUCH = 64 << 10 }; // bytes; no variant of the library has so much thread-local data

// Adds the thread-local data of a loaded object, in bytes.
static int add_thread_local(struct dl_phdr_info *object, size_t size, void *sum)
{
    (void)size;
    for (int i = 0; i < object->dlpi_phnum; i++) {
        if (object->dlpi_phdr[i].p_type == PT_TLS) *(size_t *)sum += object->dlpi_phdr[i].p_memsz;
    }
    return 0;
}

static void *use_every_size(void *unused)
{
    char own[2048]; // what the thread itself needs
    memset(T_hidden(own), 1, sizeof own);
    void *kept = NULL;
    for (size_t size = 1; size < (8u << 20); size = size * 3 / 2 + 1) {
        unsigned char *block = T_must_malloc(size);
        block[0] = block[size - 1] = 1;
        block = T_realloc(block, size * 2);
        T_CHECK(block != NULL && block[size - 1] == 1, "realloc to %zu bytes", size * 2);
        T_free(kept);
        kept = block;
    }
    T_free(kept);
    T_free(T_memalign(65536, 100));
    T_malloc_trim(0);
    return unused;
}

static void live_on(size_t stack)
{
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    int error = pthread_attr_setstacksize(&attributes, stack);
    T_CHECK(error == 0, "no stack of %zu bytes: %s", stack, strerror(error));
    error = pthread_create(&thread, &attributes, use_every_size, NULL);
    T_CHECK(error == 0, "no thread with a stack of %zu bytes: %s", stack, strerror(error));
    T_join(thread);
    pthread_attr_destroy(&attributes);
}

static void threads_with_the_smallest_stack_allocate(void)
{
    for (int i = 0; i < 20; i++) live_on((size_t)PTHREAD_STACK_MIN);
}

static void threads_with_somewhat_larger_ones(void)
{
    for (size_t stack = (size_t)PTHREAD_STACK_MIN; stack <= 65536; stack += 4096) live_on(stack);
}

int main(void)
{
    if (T_SANITIZER) T_not_run("a sanitizer's runtime needs more stack than that");
    size_t bytes = 0;
    dl_iterate_phdr(add_thread_local, &bytes);
    if (bytes > MUCH) T_not_run("the compiler's runtime has more thread-local data than such a stack holds");
    T_RUN(threads_with_the_smallest_stack_allocate);
    T_RUN(threads_with_somewhat_larger_ones);
    return 0;
}
