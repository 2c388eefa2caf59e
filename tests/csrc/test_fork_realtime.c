// A real-time thread forks on the only CPU that a normal thread may use, while that thread changes its heap. The fork
// waits for the end of the change and must release the CPU for it. Otherwise it waits until the kernel throttles
// real-time threads, after 950 ms.

#include "test.h"

#include <sched.h>

enum { FORKS = 60, MOST_MS = 400, BLOCKS = 4000 };

static atomic_bool stop;

static void *stay_in_slow_paths(void *unused)
{
    void **blocks = T_pages(BLOCKS * sizeof *blocks);
    while (!atomic_load(&stop)) {
        for (int i = 0; i < BLOCKS; i++) blocks[i] = T_must_malloc(64 + (size_t)(i % 4) * 100);
        for (int i = 0; i < BLOCKS; i++) T_free(blocks[i]);
    }
    return unused;
}

static void run_on_one_cpu(void)
{
    cpu_set_t allowed, one;
    T_CHECK(sched_getaffinity(0, sizeof allowed, &allowed) == 0, "sched_getaffinity: %s", strerror(errno));
    CPU_ZERO(&one);
    for (int cpu = 0; CPU_COUNT(&one) == 0; cpu++)
        if (CPU_ISSET(cpu, &allowed)) CPU_SET(cpu, &one);
    T_CHECK(sched_setaffinity(0, sizeof one, &one) == 0, "sched_setaffinity: %s", strerror(errno));
}

static void schedule_as(int policy, int priority)
{
    struct sched_param how = {.sched_priority = priority};
    int error = pthread_setschedparam(pthread_self(), policy, &how);
    if (error == EPERM) T_not_run("real-time scheduling needs CAP_SYS_NICE");
    T_CHECK(error == 0, "pthread_setschedparam: %s", strerror(error));
}

static double fork_ms(void)
{
    double start = T_seconds();
    pid_t child = fork();
    T_CHECK(child >= 0, "fork: %s", strerror(errno));
    if (child == 0) _exit(0);
    double ms = (T_seconds() - start) * 1e3;
    T_CHECK_CHILD(child);
    return ms;
}

static void a_fork_leaves_the_cpu_to_who_changes_a_heap(void)
{
    run_on_one_cpu();
    pthread_t thread = T_thread(stay_in_slow_paths, NULL);
    schedule_as(SCHED_FIFO, 10);
    double most = 0;
    for (int i = 0; i < FORKS; i++) {
        usleep(1500 + (unsigned)i * 37);
        double ms = fork_ms();
        if (ms > most) most = ms;
    }
    schedule_as(SCHED_OTHER, 0);
    atomic_store(&stop, true);
    T_join(thread);
    T_CHECK(most < MOST_MS, "a fork took %.0f ms", most);
}

int main(void)
{
    T_RUN(a_fork_leaves_the_cpu_to_who_changes_a_heap);
    return 0;
}
