// Locks: the slow paths, and the list of those that a thread holds.
#define _GNU_SOURCE
#include "os/lock.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

HAK_TLS bool os_forking;
HAK_TLS unsigned os_locks_held;
HAK_TLS os_lock_t *os_lock_taken_last;

// ---- waiting

// A lock is mostly held for well under a microsecond, so a thread spins briefly before it waits in the kernel. Each look at a lock
// takes its cache line from the thread that is about to release it, so the pauses between the looks grow.
#define LOOKS 64
#define LOCK_LOOKS 20
#define PAUSES_MOST 16

static void pause_a_little(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb"); // "yield" is no pause on most processors
#endif
}

// If a sandbox rejects futex calls, the thread sleeps, so that it leaves the CPU to the thread that it waits for.
static void sleep_instead(void)
{
    struct timespec nap = {.tv_nsec = 100000};
    if (syscall(SYS_nanosleep, &nap, NULL) != 0 && errno != EINTR) sched_yield();
}

// `limit`: NULL means no limit.
static void futex_wait(_Atomic(uint32_t) *word, uint32_t value, const struct timespec *limit)
{
    int saved = errno;
    if (syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, limit, NULL, 0) != 0 && errno != EAGAIN &&
        errno != EINTR && errno != ETIMEDOUT)
        sleep_instead();
    errno = saved;
}

static void futex_wake(_Atomic(uint32_t) *word, int threads)
{
    int saved = errno;
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, threads, NULL, NULL, 0);
    errno = saved;
}

void os_wait(_Atomic(uint32_t) *word, uint32_t value, uint32_t ms)
{
    for (int look = 0; look < LOOKS; look++) {
        if (atomic_load_explicit(word, memory_order_acquire) != value) return;
        pause_a_little();
    }
    struct timespec limit = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    futex_wait(word, value, &limit);
}

void os_wake(_Atomic(uint32_t) *word)
{
    futex_wake(word, INT_MAX);
}

void os_lock_slow(os_lock_t *lock)
{
    for (int look = 0, pauses = 1; look < LOCK_LOOKS; look++) {
        if (atomic_load_explicit(&lock->state, memory_order_relaxed) == 0 && os_take_free(lock)) return;
        for (int i = 0; i < pauses; i++) pause_a_little();
        if (pauses < PAUSES_MOST) pauses *= 2;
    }
    while (atomic_exchange_explicit(&lock->state, 2, memory_order_acquire) != 0)
        futex_wait(&lock->state, 2, NULL);
}

void os_unlock_slow(os_lock_t *lock)
{
    futex_wake(&lock->state, 1);
}

// ---- the locks that a thread holds

bool os_holds(const os_lock_t *lock)
{
    const os_lock_t *held = os_lock_taken_last;
    while (held != NULL && held != lock) held = held->taken_before;
    return held != NULL;
}

void os_note_let_go_slow(const os_lock_t *lock)
{
    os_lock_t **held = &os_lock_taken_last;
    while (*held != NULL && *held != lock) held = &(*held)->taken_before;
    if (*held != NULL) *held = lock->taken_before;
}

void os_unlock_all(void)
{
    os_forking = false;
    while (os_lock_taken_last != NULL) os_unlock(os_lock_taken_last);
    os_locks_held = 0;
}
