// Asymmetric fences: two threads each write one word and then read the word of the other; one does so often.
//
// With a pair of these fences, as with two full ones, at least one of the two threads sees the other's write. The light
// fence costs no instruction where the kernel has membarrier(2); the heavy one then makes all threads of the process
// execute a full fence. See Dice, Huang and Yang, "Asymmetric Dekker Synchronization", 2001.
#ifndef OS_FENCE_H
#define OS_FENCE_H

#include "os/hak_types.h"

extern _Atomic(bool) os_fence_is_light; // false: the light fence is a full one

// ThreadSanitizer models no fences, and gcc warns of each. It needs none here: what they order are atomic accesses.
#if defined(__SANITIZE_THREAD__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wtsan"
#endif
static inline void os_fence_full(void)
{
    atomic_thread_fence(memory_order_seq_cst);
}
#if defined(__SANITIZE_THREAD__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

static inline void os_fence_light(void)
{
    if (LIKELY(atomic_load_explicit(&os_fence_is_light, memory_order_acquire)))
        atomic_signal_fence(memory_order_seq_cst);
    else os_fence_full();
}

void os_fence_heavy(void) COLD;

// Called once, at start. Until then, and if the kernel refuses, the light fence is a full one.
void os_fence_init(void);

#endif
