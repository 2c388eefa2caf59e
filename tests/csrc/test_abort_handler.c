// A SIGABRT handler leaves by longjmp, as the C standard allows, after the allocator has detected a misuse. Afterwards
// all locks of the allocator are free, no block is allocated twice, and forks work.
//
// Each misuse happens in its own child.

// A forked child cannot join the threads of its parent, which may have ended by then.
#define T_TSAN_OPTIONS "atexit_sleep_ms=0:report_thread_leaks=0"
#include "test.h"

#include <setjmp.h>
#include <signal.h>

enum { THREADS = 3, LIVE = 64, ROUNDS = T_SANITIZER || T_CHECKS >= 2 ? 2000 : 20000, PATIENCE_SECONDS = 60 };

static sigjmp_buf way_out;

static void leave(int signal)
{
    (void)signal;
    T_free(T_must_malloc(20000)); // the handler may allocate before it leaves
    siglongjmp(way_out, 1);
}

// ---- misuses that every level of checks finds

static void free_medium_twice(void)
{
    void *block = T_must_malloc(200000);
    T_free(block);
    T_free(block);
}

static void free_large_twice(void)
{
    void *block = T_must_malloc(3 << 20);
    T_free(block);
    T_free(block);
}

static void free_no_block(void)
{
    static char data[64];
    T_free(data + 16);
}

static void free_inside(void)
{
    char *block = T_must_malloc(200000);
    T_free(block + 64);
}

static void resize_no_block(void)
{
    char *block = T_must_malloc(200000);
    T_free(T_realloc(block + 64, 10));
}

static void *free_there(void *block)
{
    T_free(block);
    return NULL;
}

// The owner detects it when it collects the block, during a change of its heap. With full checks it is detected in the
// freeing thread, and a handler must not jump to another thread's stack.
static void free_small_twice(void)
{
    void *block = T_must_malloc(100);
    T_free(block);
    if (T_CHECKS < 2) T_join(T_thread(free_there, block));
    T_malloc_trim(0);
    T_free(block);
}

// ---- life after it

// A block that two threads have is detected by its first or last word.
static uintptr_t *last_word(uintptr_t *block, size_t size)
{
    return block + size / sizeof *block - 1;
}

static uintptr_t *claim(size_t size)
{
    uintptr_t *block = T_must_malloc(size);
    *block = *last_word(block, size) = (uintptr_t)block;
    return block;
}

static void give_up(uintptr_t *block, size_t size)
{
    T_CHECK(*block == (uintptr_t)block && *last_word(block, size) == (uintptr_t)block,
            "block %p of %zu bytes was given out twice", (void *)block, size);
    T_free(block);
}

// Small, medium and large sizes: each kind has its own lock.
static size_t any_size(uint64_t *random)
{
    uint64_t kind = T_random(random) % 100;
    if (kind < 30) return T_random_in(random, 16, 4000);
    return kind < 98 ? T_random_in(random, 4000, 300000) : T_random_in(random, 1200000, 5000000);
}

static void *allocate_and_check(void *seed)
{
    uint64_t random = (uintptr_t)seed;
    uintptr_t *live[LIVE] = {NULL};
    size_t sizes[LIVE] = {0};
    for (int round = 0; round < ROUNDS; round++) {
        size_t i = T_random(&random) % LIVE;
        if (live[i] != NULL) give_up(live[i], sizes[i]);
        sizes[i] = any_size(&random);
        live[i] = claim(sizes[i]);
    }
    for (size_t i = 0; i < LIVE; i++)
        if (live[i] != NULL) give_up(live[i], sizes[i]);
    return NULL;
}

static void go_on(void)
{
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++) threads[i] = T_thread(allocate_and_check, (void *)(i + 1));
    allocate_and_check((void *)77);
    pid_t child = fork();
    T_CHECK(child >= 0, "fork: %s", strerror(errno));
    if (child == 0) {
        alarm(PATIENCE_SECONDS);
        allocate_and_check((void *)78);
        _exit(0);
    }
    T_CHECK_CHILD(child);
    for (int i = 0; i < THREADS; i++) T_join(threads[i]);
    T_malloc_trim(0);
}

static void survive(void (*misuse)(void))
{
    pid_t child = fork();
    T_CHECK(child >= 0, "fork: %s", strerror(errno));
    if (child != 0) {
        T_CHECK_CHILD(child);
        return;
    }
    alarm(PATIENCE_SECONDS); // in case a lock is never released
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    int errors = dup(STDERR_FILENO);
    dup2(nowhere, STDERR_FILENO);
    signal(SIGABRT, leave);
    for (int time = 0; time < 2; time++)
        if (sigsetjmp(way_out, 1) == 0) {
            misuse();
            dup2(errors, STDERR_FILENO);
            T_CHECK(T_CHECKS == 0, "the misuse was not found");
            _exit(0);
        }
    dup2(errors, STDERR_FILENO);
    signal(SIGABRT, SIG_DFL);
    go_on();
    _exit(0);
}

static void after_a_double_free(void)
{
    survive(free_medium_twice);
    survive(free_large_twice);
    survive(free_small_twice);
}

static void after_a_free_of_no_block(void)
{
    survive(free_no_block);
    survive(free_inside);
    survive(resize_no_block);
}

// Detected in a fork handler of another library, while the fork holds every lock.
static atomic_bool misuse_in_handler;

static void misuse_before_fork(void)
{
    if (atomic_exchange(&misuse_in_handler, false)) free_no_block();
}

static void fork_with_misuse(void)
{
    atomic_store(&misuse_in_handler, true);
    pid_t child = fork();
    if (child == 0) _exit(0);
}

static void after_one_in_a_fork_handler(void)
{
    pthread_atfork(misuse_before_fork, NULL, NULL);
    survive(fork_with_misuse);
}

int main(void)
{
    T_RUN(after_a_double_free);
    T_RUN(after_a_free_of_no_block);
    T_RUN(after_one_in_a_fork_handler);
    return 0;
}
