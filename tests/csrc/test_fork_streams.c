// fork beside stdio: one thread forks, one flushes all streams, others hold a stream and allocate meanwhile, as getline
// does. fork() locks the list of all streams; fflush(NULL) holds that list and waits for each stream; the holder of a
// stream waits for the allocator. This is a cycle of three if the allocator is locked before the list.

#include "test.h"

enum { READERS = 3, FORKS = 40, PATIENCE_SECONDS = 60 };

static atomic_bool stop;

// The list's lock is not fair: without these pauses the forking thread would hardly ever get it.
static void rest(unsigned us)
{
    struct timespec pause = {.tv_nsec = us * 1000L};
    nanosleep(&pause, NULL);
}

static void *flush_all(void *unused)
{
    do {
        fflush(NULL);
        rest(50);
    } while (!atomic_load(&stop));
    return unused;
}

// Allocates blocks of every kind; each kind needs a lock of the allocator now and then.
static void allocate_under_the_streams_lock(FILE *stream)
{
    static const size_t sizes[] = {120, 5000, 60000, 700000, 2500000};
    flockfile(stream);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char *block = T_must_malloc(sizes[i]);
        block[0] = block[sizes[i] - 1] = 1;
        T_free(block);
    }
    funlockfile(stream);
}

static void *read_lines(void *unused)
{
    FILE *stream = fopen("/dev/zero", "r");
    T_CHECK(stream != NULL, "no stream: %s", strerror(errno));
    while (!atomic_load(&stop)) {
        allocate_under_the_streams_lock(stream);
        rest(10);
    }
    fclose(stream);
    return unused;
}

static void fork_again_and_again(void)
{
    for (int i = 0; i < FORKS; i++) {
        pid_t child = fork();
        T_CHECK(child >= 0, "fork: %s", strerror(errno));
        if (child == 0) {
            alarm(PATIENCE_SECONDS);
            FILE *stream = fopen("/dev/null", "w"); // the list is usable in the child
            T_CHECK(stream != NULL && fclose(stream) == 0, "no stream in the child");
            T_free(T_must_malloc(100));
            _exit(0);
        }
        T_CHECK_CHILD(child);
    }
}

static void forks_streams_and_blocks_do_not_wait_in_a_ring(void)
{
    pthread_t threads[READERS + 1];
    for (int i = 0; i < READERS; i++) threads[i] = T_thread(read_lines, NULL);
    threads[READERS] = T_thread(flush_all, NULL);
    fork_again_and_again();
    atomic_store(&stop, true);
    for (int i = 0; i <= READERS; i++) T_join(threads[i]);
}

// Without other threads fork() does not lock the list: its lock must still be free in the child.
static void the_list_is_free_after_a_fork_of_one_thread(void)
{
    for (int i = 0; i < 3; i++) {
        pid_t child = fork();
        T_CHECK(child >= 0, "fork: %s", strerror(errno));
        if (child != 0) {
            T_CHECK_CHILD(child);
            continue;
        }
        alarm(PATIENCE_SECONDS);
        T_join(T_thread(flush_all, NULL));
        _exit(0);
    }
    T_join(T_thread(flush_all, NULL));
}

int main(void)
{
    if (!T_GLIBC) T_not_run("only glibc's list of streams can be locked before a fork");
    if (T_SANITIZER)
        T_not_run("stdio uses the sanitizer's malloc, whose locks a fork leaves held in the child");
    alarm(2 * PATIENCE_SECONDS); // a deadlock ends the test
    atomic_store(&stop, true);
    T_RUN(the_list_is_free_after_a_fork_of_one_thread);
    atomic_store(&stop, false);
    T_RUN(forks_streams_and_blocks_do_not_wait_in_a_ring);
    return 0;
}
