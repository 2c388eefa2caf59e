// The library is loaded while threads are running, beside the program's own malloc; then it is loaded repeatedly under
// other names, each copy with its own thread-local state.

#include "loaded.h"

#include <sys/stat.h>

enum { THREADS = 3, COPIES = 24, PATIENCE_SECONDS = 60 };

static struct loaded first;
static pthread_barrier_t loaded_now;

// ---- threads that are older than the library

static void *older_thread(void *table)
{
    pthread_barrier_wait(&loaded_now); // main loads the library
    pthread_barrier_wait(&loaded_now);
    void **blocks = table;
    load_allocate(&first, blocks);
    load_release(&first, blocks);
    load_allocate(&first, blocks); // another thread frees these blocks after this one has ended
    return NULL;
}

static void *younger_thread(void *table)
{
    load_release(&first, table);
    load_allocate(&first, table);
    load_release(&first, table);
    return NULL;
}

static void threads_older_and_younger_than_the_library(void)
{
    static void *tables[THREADS][LOAD_BLOCKS];
    pthread_t threads[THREADS];
    pthread_barrier_init(&loaded_now, NULL, THREADS + 1);
    for (int i = 0; i < THREADS; i++) threads[i] = T_thread(older_thread, tables[i]);
    pthread_barrier_wait(&loaded_now);
    first = load_library(library_path());
    pthread_barrier_wait(&loaded_now);
    for (int i = 0; i < THREADS; i++) T_join(threads[i]);
    for (int i = 0; i < THREADS; i++) T_join(T_thread(younger_thread, tables[i]));
}

static void the_programs_own_malloc_stays(void)
{
    Dl_info of_malloc, of_library;
    T_CHECK(dladdr(dlsym(RTLD_DEFAULT, "malloc"), &of_malloc), "malloc is not found");
    T_CHECK(dladdr(dlsym(first.handle, "hak_malloc"), &of_library), "hak_malloc is not found");
    T_CHECK(of_malloc.dli_fbase != of_library.dli_fbase, "the library has taken malloc over");
}

static void a_child_goes_on(void)
{
    static void *blocks[LOAD_BLOCKS];
    load_allocate(&first, blocks);
    pid_t child = fork();
    T_CHECK(child >= 0, "fork: %s", strerror(errno));
    if (child == 0) {
        alarm(PATIENCE_SECONDS);
        load_release(&first, blocks);
        load_allocate(&first, blocks);
        _exit(0);
    }
    load_release(&first, blocks);
    T_CHECK_CHILD(child);
}

// A thread that has a heap ends and runs the library's code.
static void *outlive_dlclose(void *unused)
{
    void *block = first.alloc(100);
    T_CHECK(dlclose(first.handle) == 0, "dlclose: %s", dlerror());
    first.release(block);
    return unused;
}

static void a_thread_ends_after_the_library_was_closed(void)
{
    first.handle =
        dlopen(library_path(), RTLD_NOW | RTLD_LOCAL); // an additional reference, which the thread drops
    T_join(T_thread(outlive_dlclose, NULL));
    T_CHECK(dlclose(first.handle) == 0, "dlclose: %s", dlerror());
    static void *blocks[LOAD_BLOCKS];
    T_join(T_thread(younger_thread, blocks));
}

// ---- many copies: more modules with thread-local state than a thread's table can hold at first

#ifdef T_TLS_global_dynamic

static struct loaded copies[COPIES];

static void copy_library(const char *path)
{
    int from = open(library_path(), O_RDONLY), to = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0700);
    struct stat status;
    T_CHECK(from >= 0 && to >= 0 && fstat(from, &status) == 0, "%s: %s", path, strerror(errno));
    void *content = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, from, 0);
    T_CHECK(content != MAP_FAILED && write(to, content, (size_t)status.st_size) == status.st_size, "%s: %s",
            path, strerror(errno));
    munmap(content, (size_t)status.st_size);
    close(from);
    close(to);
}

// Uses each copy when it has been loaded, and all of them at the end.
static void *use_each_copy(void *table)
{
    void **blocks = table;
    for (int i = 0; i < COPIES; i++) {
        pthread_barrier_wait(&loaded_now);
        pthread_barrier_wait(&loaded_now);
        load_allocate(&copies[i], blocks);
        load_release(&copies[i], blocks);
    }
    for (int i = 0; i < COPIES; i++) {
        load_allocate(&copies[i], blocks);
        load_release(&copies[i], blocks);
    }
    return NULL;
}

static void many_copies_are_loaded_while_threads_run(void)
{
    static void *tables[THREADS][LOAD_BLOCKS];
    pthread_t threads[THREADS];
    pthread_barrier_init(&loaded_now, NULL, THREADS + 1);
    for (int i = 0; i < THREADS; i++) threads[i] = T_thread(use_each_copy, tables[i]);
    for (int i = 0; i < COPIES; i++) {
        char path[32];
        snprintf(path, sizeof path, "./copy%d.so", i);
        copy_library(path);
        pthread_barrier_wait(&loaded_now);
        copies[i] = load_library(path);
        pthread_barrier_wait(&loaded_now);
    }
    for (int i = 0; i < THREADS; i++) T_join(threads[i]);
}

#endif

int main(int argc, char **argv)
{
    (void)argc;
    alarm(PATIENCE_SECONDS);
    if (getenv("LD_PRELOAD") == NULL) {
        T_RUN(threads_older_and_younger_than_the_library);
        T_RUN(the_programs_own_malloc_stays);
        T_RUN(a_child_goes_on);
        T_RUN(a_thread_ends_after_the_library_was_closed);
    }
#ifdef T_TLS_global_dynamic
    T_RUN(many_copies_are_loaded_while_threads_run);
    // The same, with a malloc that also serves the growth of a thread's table. glibc frees the old table while it is in
    // use and writes to the free block, which full checks detect.
    if (T_CHECKS < 2) preload_library(argv);
#endif
    (void)argv;
    return 0;
}
