// A sandbox refuses a system call for good, with EPERM or ENOSYS: all requests are served, contents stay, and neither
// memory nor addresses are lost. Each call is refused alone, then all of them together.
//
// Each case runs in its own child, because a filter cannot be removed.

#include "test.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

enum { MIB = 1 << 20, MOST_CALLS = 12, THREADS = 3, ROUNDS = 2, STEP = 2 * MIB, PATIENCE_SECONDS = 100 };

struct refusal {
    const char *name;
    long calls[MOST_CALLS];
};

static const struct refusal refusals[] = {
    {"mremap", {SYS_mremap}},
    {"madvise", {SYS_madvise}},
    {"munmap", {SYS_munmap}},
    {"mprotect", {SYS_mprotect}},
    {"getrandom", {SYS_getrandom}},
    {"futex", {SYS_futex}},
    {"futex, nanosleep", {SYS_futex, SYS_nanosleep, SYS_clock_nanosleep}},
    {"clock_gettime", {SYS_clock_gettime}},
    {"prlimit64", {SYS_prlimit64, SYS_getrlimit}},
    {"membarrier", {SYS_membarrier}},
    {"mremap, madvise, munmap", {SYS_mremap, SYS_madvise, SYS_munmap}},
    {"all",
     {SYS_mremap, SYS_madvise, SYS_munmap, SYS_mprotect, SYS_getrandom, SYS_futex, SYS_clock_gettime,
      SYS_prlimit64, SYS_getrlimit, SYS_sched_yield, SYS_membarrier}},
};

// ---- the filter

static void refuse(const struct refusal *refusal, int error)
{
    struct sock_filter filter[2 * MOST_CALLS + 2];
    unsigned short length = 0;
    filter[length++] =
        (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (int i = 0; i < MOST_CALLS && refusal->calls[i] > 0; i++) {
        filter[length++] =
            (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)refusal->calls[i], 0, 1);
        filter[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)error);
    }
    filter[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = {length, filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        _exit(77);
}

// ---- the load

// Two arrays grow in turn, so neither can grow in place.
static void grow_arrays(void)
{
    unsigned char *arrays[2] = {NULL, NULL};
    for (size_t size = STEP; size <= (size_t)24 * MIB; size += STEP)
        for (int i = 0; i < 2; i++) {
            arrays[i] = T_realloc(arrays[i], size);
            T_CHECK(arrays[i] != NULL, "no array of %zu bytes", size);
            arrays[i][size - STEP] = (unsigned char)(size / STEP);
            T_CHECK(arrays[i][0] == 1 && arrays[i][size / 2 / STEP * STEP] == size / 2 / STEP + 1,
                    "contents are lost");
        }
    for (int i = 0; i < 2; i++) T_free(arrays[i]);
}

static void breathe(size_t size, size_t count)
{
    unsigned char **blocks = T_malloc(count * sizeof *blocks);
    T_CHECK(blocks != NULL, "no table");
    for (size_t i = 0; i < count; i++) {
        blocks[i] = i % 3 == 0 ? T_calloc(1, size) : T_must_malloc(size);
        T_CHECK(i % 3 != 0 || T_is_zero(blocks[i], size), "calloc of %zu bytes is not zero", size);
        memset(blocks[i], (int)i, size);
    }
    for (size_t i = 0; i < count; i++) {
        T_CHECK(blocks[i][0] == (unsigned char)i && blocks[i][size - 1] == (unsigned char)i,
                "contents are lost");
        T_free(blocks[i]);
    }
    T_free(blocks);
}

static void use_every_kind(void)
{
    breathe(120, 10000);
    breathe(5000, 500);
    breathe(100000, 50);
    breathe(700000, 10);
    breathe(5000000, 3);
    T_free(T_memalign(8 * MIB, 100));
    T_malloc_trim(0);
}

static void use_it_all(void)
{
    grow_arrays();
    use_every_kind();
}

static atomic_int running;

// Locks are contended; without futex, join does not work either.
static void *compete(void *unused)
{
    for (int i = 0; i < ROUNDS; i++) {
        breathe(300, 2000);
        breathe(40000, 100);
    }
    atomic_fetch_sub(&running, 1);
    return unused;
}

static void compete_in_threads(const struct refusal *refusal, int error)
{
    atomic_store(&running, THREADS);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) threads[i] = T_thread(compete, NULL);
    refuse(refusal, error);
    while (atomic_load(&running) > 0) sched_yield();
    (void)threads;
}

static void use_with_refusal(const struct refusal *refusal, int error)
{
    alarm(PATIENCE_SECONDS);
    use_every_kind();
    refuse(refusal, error);
    use_it_all(); // fragmented memory is reused
    size_t mapped = T_mapped_bytes(), resident = T_resident_kib();
    for (int round = 0; round < ROUNDS; round++) use_it_all();
    size_t grown = (T_mapped_bytes() - mapped) / MIB;
    T_CHECK(T_mapped_bytes() < mapped || grown < 256, "%zu MiB of addresses are lost", grown);
    size_t kept = T_resident_kib();
    T_CHECK(kept < resident + 400 * 1024, "%zu KiB of memory are lost", kept - resident);
    _exit(0);
}

static void compete_with_refusal(const struct refusal *refusal, int error)
{
    alarm(PATIENCE_SECONDS);
    compete_in_threads(refusal, error);
    _exit(0);
}

static void judge(void (*act)(const struct refusal *, int), const struct refusal *refusal, int error)
{
    int status = 0;
    pid_t child = fork();
    T_CHECK(child >= 0, "no child: %s", strerror(errno));
    if (child == 0) act(refusal, error);
    T_CHECK(waitpid(child, &status, 0) == child, "waitpid: %s", strerror(errno));
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) T_not_run("the kernel has no seccomp filters");
    T_CHECK(status == 0, "%s refused with error %d: the child ended with %#x", refusal->name, error,
            (unsigned)status);
}

static void each_call_may_be_refused_for_good(void)
{
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        dprintf(STDOUT_FILENO, "    %s\n", refusals[i].name);
        judge(use_with_refusal, &refusals[i], EPERM);
        judge(use_with_refusal, &refusals[i], ENOSYS);
    }
}

static void threads_go_on_without_it(void)
{
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
        judge(compete_with_refusal, &refusals[i], EPERM);
}

int main(void)
{
    if (T_SANITIZER) T_not_run("a sanitizer's runtime needs the calls itself");
    T_RUN(each_call_may_be_refused_for_good);
    T_RUN(threads_go_on_without_it);
    return 0;
}
