// Fork handlers of other libraries: some allocate, some take a lock under which their library allocates.
//
// Before a fork, handlers run in reverse order of registration. So the allocator's handlers must be registered
// before all others: otherwise a handler waits for a lock whose holder waits for the allocator. Functions in
// .preinit_array run before any library's constructor.

#include "test.h"

#include <sched.h>

enum { FORKS = 20, PATIENCE_SECONDS = 20 };

static atomic_int allocations;

static void allocate_all_ways(void)
{
    static const size_t sizes[] = {24, 900, 5000, 200000, 3000000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        unsigned char *block = T_must_malloc(sizes[i]);
        block[0] = block[sizes[i] - 1] = 1;
        T_free(block);
        atomic_fetch_add(&allocations, 1);
    }
}

// ---- a library with a lock

static pthread_mutex_t librarys_lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_bool stop;

static void lock_library(void)
{
    pthread_mutex_lock(&librarys_lock);
}

static void unlock_library(void)
{
    pthread_mutex_unlock(&librarys_lock);
}

static void *use_library(void *unused)
{
    while (!atomic_load(&stop)) {
        lock_library();
        void *blocks[40];
        for (size_t i = 0; i < 40; i++) blocks[i] = T_must_malloc(5000 + i * 3000);
        for (size_t i = 0; i < 40; i++) T_free(blocks[i]);
        unlock_library();
        sched_yield();
    }
    return unused;
}

#ifdef HAKMEM_NO_INTERPOSE // with a sanitizer
enum { REGISTERED_FIRST = 0 };
#else
enum { REGISTERED_FIRST = 1 };
#endif

static void register_handlers(void)
{
    if (!REGISTERED_FIRST) return;
    pthread_atfork(allocate_all_ways, allocate_all_ways, allocate_all_ways);
    pthread_atfork(lock_library, unlock_library, unlock_library);
}

__attribute__((section(".preinit_array"),
               used)) static void (*const before_libraries)(void) = register_handlers;

static void handlers_that_allocate_do_not_hang(void)
{
    for (int i = 0; i < FORKS; i++) {
        alarm(PATIENCE_SECONDS); // a deadlock ends the test; many slow forks, as under an emulator, do not
        int before = atomic_load(&allocations);
        pid_t child = fork();
        T_CHECK(child >= 0, "fork: %s", strerror(errno));
        if (child == 0) {
            alarm(PATIENCE_SECONDS);
            allocate_all_ways();
            _exit(atomic_load(&allocations) == before + 15 ? 0 : 1);
        }
        int status;
        T_CHECK(waitpid(child, &status, 0) == child, "waitpid: %s", strerror(errno));
        T_CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child ended with status %d", status);
        T_CHECK(atomic_load(&allocations) == before + 10, "the handlers of the parent did not run");
    }
    alarm(0);
}

static void handlers_that_lock_do_not_wait_for_the_allocator(void)
{
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) threads[i] = T_thread(use_library, NULL);
    for (int i = 0; i < 20 * FORKS; i++) {
        alarm(PATIENCE_SECONDS);
        pid_t child = fork();
        T_CHECK(child >= 0, "fork: %s", strerror(errno));
        if (child == 0) _exit(0);
        T_CHECK_CHILD(child);
    }
    alarm(0);
    atomic_store(&stop, true);
    for (int i = 0; i < 2; i++) T_join(threads[i]);
}

int main(void)
{
    if (!T_GLIBC) T_not_run("only with glibc the library registers its handlers before a program does");
    if (!REGISTERED_FIRST)
        T_not_run(
            "with a sanitizer the library is linked statically, and registers its handlers in a constructor");
    T_RUN(handlers_that_allocate_do_not_hang);
    T_RUN(handlers_that_lock_do_not_wait_for_the_allocator);
    return 0;
}
