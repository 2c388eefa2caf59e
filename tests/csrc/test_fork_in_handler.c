// A signal handler forks while the thread that it interrupts is inside a request.
//
// POSIX allowed fork in signal handlers until 2017, and crash reporters and shells call it there.

#include "test.h"

#include <signal.h>
#include <sys/time.h>

enum { FORKS = 1500, PATIENCE_SECONDS = 60, SLOTS = 3000 };

static atomic_int forks, failures;

// A single shot after a varying delay, so that requests make progress however long a fork takes.
static void set_timer(void)
{
    struct itimerval timer = {{0, 0}, {0, 100 + atomic_load(&forks) % 97}};
    setitimer(ITIMER_REAL, &timer, NULL);
}

static void fork_here(int signal_number)
{
    (void)signal_number;
    int saved = errno;
    pid_t child = fork();
    if (child == 0) _exit(0);
    int status = -1;
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0) atomic_fetch_add(&failures, 1);
    if (atomic_fetch_add(&forks, 1) + 1 < FORKS) set_timer();
    errno = saved;
}

static void be_interrupted(size_t low, size_t high)
{
    static void *slots[SLOTS];
    uint64_t random = 3;
    atomic_store(&forks, 0);
    set_timer();
    while (atomic_load(&forks) < FORKS) {
        size_t slot = T_random_in(&random, 0, SLOTS - 1);
        T_free(slots[slot]);
        slots[slot] = T_must_malloc(T_random_in(&random, low, high));
    }
    for (size_t i = 0; i < SLOTS; i++) {
        T_free(slots[i]);
        slots[i] = NULL;
    }
    T_CHECK(atomic_load(&failures) == 0, "%d of %d forks failed", atomic_load(&failures),
            atomic_load(&forks));
}

static void small_blocks(void)
{
    be_interrupted(16, 1000);
}

static void medium_blocks(void)
{
    be_interrupted(5000, 60000);
}

// The child continues the interrupted request, and its heap is consistent.
static void forked_child_goes_on_after_its_handler(void)
{
    pid_t child = fork();
    T_CHECK(child >= 0, "fork: %s", strerror(errno));
    if (child == 0) {
        medium_blocks();
        small_blocks();
        _exit(0);
    }
    int status;
    T_CHECK(waitpid(child, &status, 0) == child && status == 0, "the child ended with status %d", status);
}

// Ends a process that hangs.
static void watch_over(pid_t process)
{
    if (fork() != 0) return;
    for (int i = 0; i < PATIENCE_SECONDS && getppid() == process; i++) sleep(1);
    if (getppid() == process) kill(process, SIGKILL);
    _exit(0);
}

int main(void)
{
    if (T_SANITIZER) T_not_run("a sanitizer's runtime has locks of its own");
    watch_over(getpid());
    struct sigaction action = {.sa_handler = fork_here, .sa_flags = SA_RESTART};
    sigaction(SIGALRM, &action, NULL);
    T_RUN(small_blocks);
    T_RUN(medium_blocks);
    T_RUN(forked_child_goes_on_after_its_handler);
    return 0;
}
