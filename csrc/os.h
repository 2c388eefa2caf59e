// What is asked of the operating system: mappings, metadata, locks that survive fork.
//
// Nothing here allocates with malloc. Sizes are bytes.
#ifndef HAK_OS_H
#define HAK_OS_H

#include "hak_types.h"

typedef void os_before_end_t(void);

// Zeroed memory, `size` a multiple of OS_PAGE, `alignment` a power of two of at least OS_PAGE. NULL when it cannot be had.
void *os_map(size_t size, size_t alignment);
void os_unmap(void *start, size_t size);

// The same, between two guards of `guard` bytes that nobody can touch; the addresses are those between them.
void *os_map_guarded(size_t size, size_t alignment, size_t guard);
void os_unmap_guarded(void *start, size_t size, size_t guard);

// Gives the memory back and lets nobody touch the addresses, which stay taken. False: all is as it was.
bool os_hide(void *start, size_t size);

// Gives the memory behind the addresses back; they read as zero afterwards. False: contents may remain.
bool os_purge(void *start, size_t size);

// Has the kernel keep to small pages there: it would fill the gaps that were given back with huge ones again.
void os_no_huge_pages(void *start, size_t size);

// Milliseconds of a clock that is cheap and goes on; it wraps around, so only differences are good for anything.
uint32_t os_clock_ms(void);

// Grows or shrinks a mapping at its place; false leaves it as it was, and tells whether a move may do.
bool os_resize(void *start, size_t old_size, size_t new_size, bool *movable);

// Moves a mapping's memory over another mapping of `new_size` bytes, which it replaces.
typedef enum os_moved {
    OS_MOVED,
    OS_REFUSED, // both are as they were
    OS_TARGET_LOST, // only the source is: the target's addresses may be another mapping's by now
} os_moved_t;
os_moved_t os_move(void *from, size_t old_size, void *to, size_t new_size);

// False once the system has refused to resize or move at all, as a sandbox does: then it is not worth asking.
bool os_can_move(void);

// Zeroed memory for the allocator's own records, never returned. Aligned to 64 bytes. NULL when it cannot be had.
void *os_metadata(size_t size);

// The most bytes that the process may have mapped at a time (ulimit -v); SIZE_MAX is no limit.
size_t os_address_limit(void);

// A number that another process, and this one's program, cannot guess; not 0, and another one at each call.
uint64_t os_secret(void);

// lock: a mutex of one word (0 free, 1 held, 2 held and waited for), see Drepper, "Futexes Are Tricky", mutex 3.
typedef struct os_lock {
    _Atomic(uint32_t) state;
    struct os_lock *taken_before; // by the thread that holds it
} os_lock_t;

// Waits until the word, which was `value`, is changed and os_wake is called for it, or until `ms` have passed. It may return
// early. The thread sleeps, so that one of lower priority gets on.
void os_wait(_Atomic(uint32_t) *word, uint32_t value, uint32_t ms) COLD;
void os_wake(_Atomic(uint32_t) *word) COLD;

void os_lock_slow(os_lock_t *lock) COLD;
void os_unlock_slow(os_lock_t *lock) COLD;

// This thread passes every lock: it holds them all and runs other libraries' fork handlers, which may allocate.
extern HAK_TLS bool os_forking;

// Locks that this thread holds or is about to take: above 0, a signal's handler has interrupted it in the midst.
extern HAK_TLS unsigned os_locks_held;

// The last one that it took. What a thread holds is let go when it is about to end the process: a handler of SIGABRT may
// allocate, and may leave by longjmp.
extern HAK_TLS os_lock_t *os_lock_taken_last;

bool os_holds(const os_lock_t *lock);

// Called by hak_die, before the thread's locks are let go. It must neither wait nor die.
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

// Mostly they are let go in the reverse order.
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

// Fork: the parent takes every lock before and lets go after; the child starts with free ones.
void os_metadata_before_fork(void);
void os_metadata_after_fork(void);

#endif
