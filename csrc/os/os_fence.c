// Asymmetric fences by membarrier(2).
#define _GNU_SOURCE
#include "os/os_fence.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

// A processor's store buffer empties within microseconds; this is the longest that a store may stay unseen.
#define UNSEEN_NS 2000000L

_Atomic(bool) os_fence_is_light;
static _Atomic(bool) is_registered; // set before os_fence_is_light, and never cleared

static bool membarrier(int command)
{
#ifdef SYS_membarrier
    return syscall(SYS_membarrier, command, 0, 0) == 0;
#else
    (void)command;
    return false;
#endif
}

void os_fence_init(void)
{
    int saved = errno;
    if (membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED)) {
        atomic_store(&is_registered, true);
        atomic_store(&os_fence_is_light, true);
    }
    errno = saved;
}

// A sandbox that the program has entered since may refuse the call. From now on, light fences are full ones; the wait
// is for threads that have executed one before.
static void do_without(void)
{
    atomic_store(&os_fence_is_light, false);
    syscall(SYS_nanosleep, &(struct timespec){.tv_nsec = UNSEEN_NS}, NULL);
}

// The full fence comes before the look at `is_registered`: a thread that uses a cheaper fence since then sees the write.
void os_fence_heavy(void)
{
    os_fence_full();
    if (!atomic_load(&is_registered)) return;
    int saved = errno;
    bool fenced = membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED) ||
                  (membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) && // in a forked child
                   membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED));
    if (!fenced) do_without();
    errno = saved;
}
