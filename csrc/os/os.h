// Operating system interface: mappings, metadata, locks that survive fork.
//
// Nothing here allocates with malloc. Sizes are bytes.
#ifndef HAK_OS_H
#define HAK_OS_H

#include "os/hak_types.h"

typedef void os_before_end_t(void);

// Returns zeroed memory; `size` is a multiple of OS_PAGE, `alignment` a power of two and at least OS_PAGE. NULL when no
// memory is available.
void *os_map(size_t size, size_t alignment);
void os_unmap(void *start, size_t size);

// The same, between two inaccessible guards of `guard` bytes; returns the address after the first guard.
void *os_map_guarded(size_t size, size_t alignment, size_t guard);
void os_unmap_guarded(void *start, size_t size, size_t guard);

// Returns the memory to the system and makes the addresses inaccessible but keeps them reserved. False leaves all
// unchanged.
bool os_hide(void *start, size_t size);

// Returns the memory behind the addresses to the system; they read as zero afterwards. False: contents may remain.
bool os_purge(void *start, size_t size);

// Makes the kernel use small pages there: it would otherwise refill the gaps that were returned with huge pages.
void os_no_huge_pages(void *start, size_t size);

// Milliseconds of a cheap monotonic clock; it wraps around, so only differences are meaningful.
uint32_t os_clock_ms(void);

// Grows or shrinks a mapping in place. False leaves it unchanged; *movable tells whether a move may succeed.
bool os_resize(void *start, size_t old_size, size_t new_size, bool *movable);

// Moves a mapping's memory over another mapping of `new_size` bytes, which it replaces.
typedef enum os_moved {
    OS_MOVED,
    OS_REFUSED, // both are unchanged
    OS_TARGET_LOST, // only the source is unchanged: the target's addresses may belong to another mapping by now
} os_moved_t;
os_moved_t os_move(void *from, size_t old_size, void *to, size_t new_size);

// False once the system has refused to resize or move at all, as a sandbox does: then callers skip the attempt.
bool os_can_move(void);

// Returns zeroed memory for the allocator's own records, which is never freed. Aligned to 64 bytes. NULL when no memory
// is available.
void *os_metadata(size_t size);

// The limit of the process's mapped bytes (ulimit -v); SIZE_MAX if there is none.
size_t os_address_limit(void);

// Returns a number that neither another process nor this program can guess; not 0, and different at each call.
uint64_t os_secret(void);

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

// Called by hak_die before the thread's locks are released. It must neither wait nor call hak_die.
extern _Atomic(os_before_end_t *) os_before_end;

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

// Fork: the parent takes every lock before the fork and releases it afterwards; in the child all locks are free.
void os_metadata_before_fork(void);
void os_metadata_after_fork(void);

#endif
