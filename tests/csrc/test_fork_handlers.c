// Fork handlers of other libraries allocate, while the allocator's own handlers hold its locks.
//
// Handlers that were registered before the allocator's run in the midst of its own: before a fork they run
// last registered first. .preinit_array is what runs before any library's constructor.

#include "test.h"

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

static void register_handlers(void)
{
    if (!T_SANITIZER) pthread_atfork(allocate_all_ways, allocate_all_ways, allocate_all_ways);
}

__attribute__((section(".preinit_array"),
               used)) static void (*const before_libraries)(void) = register_handlers;

static void handlers_that_allocate_do_not_hang(void)
{
    alarm(PATIENCE_SECONDS); // a deadlock ends the test
    for (int i = 0; i < FORKS; i++) {
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

int main(void)
{
    if (T_SANITIZER) T_not_run("a sanitizer's runtime is not ready before the constructors");
    T_RUN(handlers_that_allocate_do_not_hang);
    return 0;
}
