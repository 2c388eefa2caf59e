// A process with limited address space from its start: no reservation exceeds the limit, and requests of every size
// that fit succeed, repeatedly and in threads.

#include "list.h"

#include <sys/resource.h>

enum { MIB = 1 << 20, ROUNDS = 2, THREADS = 8 };

// Each kind of block can use 6/10 of the limit when the others are freed: memory cached for reuse must not prevent
// that. The small ones use less, because they touch all of their memory.
static void use_most_of(size_t limit)
{
    static const size_t sizes[] = {20000, 900000, 5 << 20};
    for (int round = 0; round < ROUNDS; round++) {
        list_free(list_of(32, limit / 10));
        list_free(list_of(1024, limit / 10));
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
            list_free(list_of(sizes[i], limit / 10 * 6));
    }
    T_CHECK_REFUSED(T_malloc(limit), ENOMEM);
}

static void *use_some(void *bytes)
{
    for (int round = 0; round < ROUNDS; round++) {
        list_free(list_of(100, (size_t)bytes));
        list_free(list_of(30000, (size_t)bytes));
    }
    return NULL;
}

static void use_it_in_threads(size_t limit)
{
    pthread_t threads[THREADS];
    size_t bytes = limit / (T_CHECKS >= 2 ? 6 : 4); // canaries, notes and quarantines take a share
    for (int i = 0; i < THREADS; i++) threads[i] = T_thread(use_some, (void *)(bytes / THREADS));
    for (int i = 0; i < THREADS; i++) T_join(threads[i]);
}

// The limit is set before exec, so it holds before the library is loaded.
static void run_under(size_t limit, char **argv)
{
    char text[32];
    snprintf(text, sizeof text, "%zu", limit);
    pid_t child = fork();
    T_CHECK(child >= 0, "fork: %s", strerror(errno));
    if (child == 0) {
        struct rlimit most = {limit, limit};
        T_CHECK(setrlimit(RLIMIT_AS, &most) == 0, "setrlimit: %s", strerror(errno));
        setenv("T_LIMIT", text, 1);
        execv("/proc/self/exe", argv);
        _exit(1);
    }
    T_CHECK_CHILD(child);
}

int main(int argc, char **argv)
{
    (void)argc;
    if (T_SANITIZER) T_not_run("a sanitizer's shadow memory needs more address space than any limit leaves");
    const char *limit = getenv("T_LIMIT");
    if (limit != NULL) {
        use_most_of(strtoull(limit, NULL, 10));
        use_it_in_threads(strtoull(limit, NULL, 10));
        return 0;
    }
    run_under((size_t)1024 * MIB, argv);
    run_under((size_t)512 * MIB, argv);
    run_under((size_t)128 * MIB, argv); // threads' stacks take half of it
    return 0;
}
