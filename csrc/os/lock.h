// Locks that survive fork, and waiting for a word to change.
#ifndef OS_LOCK_H
#define OS_LOCK_H

#include "os/hak_types.h"

// lock: a mutex of one word (0 free, 1 held, 2 held and waited for), see Drepper, "Futexes Are Tricky", mutex 3.
typedef struct os_lock {
    _Atomic(uint32_t) state;
    struct os_lock *taken_before; // by the same thread
} os_lock_t;

// Waits until the word no longer holds `value` and os_wake is called for it, or until `ms` milliseconds have passed. It
// may return early. The thread sleeps, so a thread of lower priority can run.
void os_wait(_Atomic(uint32_t) *word, uint32_t value, uint32_t ms) COLD;
void os_wake(_Atomic(uint32_t) *word) COLD;

void os_lock_slow(os_lock_t *lock) COLD;
void os_unlock_slow(os_lock_t *lock) COLD;

// True while this thread holds all locks and runs other libraries' fork handlers, which may allocate: it then takes no
// lock.
extern HAK_TLS bool os_forking;

// Locks that this thread holds or is about to take. A signal handler that finds this above 0 has interrupted the
// allocator.
extern HAK_TLS unsigned os_locks_held;

// The lock that this thread took last. A thread that ends the process first releases its locks: a SIGABRT handler may
// allocate, and may leave by longjmp.
extern HAK_TLS os_lock_t *os_lock_taken_last;

bool os_holds(const os_lock_t *lock);

static inline bool os_take_free(os_lock_t *lock)
{
    uint32_t free_state = 0;
    return atomic_compare_exchange_strong_explicit(&lock->state, &free_state, 1, memory_order_acquire,
                                                   memory_order_relaxed);
}

static inline void os_note_taken(os_lock_t *lock)
{
    lock->taken_before = os_lock_taken_last;
    os_lock_taken_last = lock;
}

void os_note_let_go_slow(const os_lock_t *lock) COLD;

// Locks are mostly released in reverse order.
static inline void os_note_let_go(const os_lock_t *lock)
{
    if (LIKELY(os_lock_taken_last == lock)) os_lock_taken_last = lock->taken_before;
    else os_note_let_go_slow(lock);
}

static inline bool os_try_lock(os_lock_t *lock)
{
    if (UNLIKELY(os_forking)) return true;
    os_locks_held++;
    atomic_signal_fence(memory_order_seq_cst);
    bool taken = os_take_free(lock);
    if (LIKELY(taken)) os_note_taken(lock);
    else os_locks_held--;
    return taken;
}

static inline void os_lock(os_lock_t *lock)
{
    if (UNLIKELY(os_forking)) return;
    os_locks_held++;
    atomic_signal_fence(memory_order_seq_cst);
    if (UNLIKELY(!os_take_free(lock))) os_lock_slow(lock);
    os_note_taken(lock);
}

static inline void os_unlock(os_lock_t *lock)
{
    if (UNLIKELY(os_forking)) return;
    os_note_let_go(lock);
    if (UNLIKELY(atomic_exchange_explicit(&lock->state, 0, memory_order_release) == 2)) os_unlock_slow(lock);
    atomic_signal_fence(memory_order_seq_cst);
    os_locks_held--;
}

// Releases every lock that the thread holds.
void os_unlock_all(void);

#endif
