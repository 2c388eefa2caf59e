// Fork handlers: all locks are taken in their nesting order.
#include "thread/tiny_fork.h"

#include <pthread.h>

#include "debug/memcheck.h"
#include "heap/decay.h"
#include "heap/large.h"
#include "heap/page_arena.h"
#include "heap/shared_pool.h"
#include "heap/tiny_heaps.h"
#include "os/lock.h"
#include "os/os.h"
#include "registry/tiny_registry.h"
#include "thread/fork_handlers.h"
#include "thread/tiny_tls.h"

typedef tiny_heap_t *own_heap_t(void);
static _Atomic(own_heap_t *) own_heap_of_thread;

// ---- streams

// The lock of glibc's list of all streams, which fork() takes as well, after all handlers. A thread that holds it waits
// for a stream, whose holder may wait for an allocation. So it is taken before the allocator's locks; glibc does the
// same for its own malloc (glibc bug 19431). The lock is recursive.
extern void _IO_list_lock(void) __attribute__((weak));
extern void _IO_list_unlock(void) __attribute__((weak));
extern void _IO_list_resetlock(void) __attribute__((weak));

static void hold_streams(void)
{
    if (_IO_list_lock != NULL) _IO_list_lock();
}

static void let_go_of_streams(void)
{
    if (_IO_list_unlock != NULL) _IO_list_unlock();
}

// fork() has reset the lock already if it knew of other threads.
static void let_go_of_streams_in_child(void)
{
    if (_IO_list_resetlock != NULL) _IO_list_resetlock();
}

// ---- handlers

// Forks in progress in the calling thread that a signal handler makes after it interrupted the allocator. Such a fork
// takes no lock, because the thread itself may hold it, and waits for no thread, because that thread may wait for this
// one. The child continues where the handler returns. Unfinished changes of other threads stay unfinished in it, so the
// child of a multi-threaded process must call exec.
static HAK_TLS unsigned interrupting_forks;

static bool interrupts_the_allocator(void)
{
    memcheck_unwatched_begin();
    bool changes = tiny_tls_is_in_change();
    memcheck_unwatched_end();
    return changes || os_locks_held > 0 || os_forking;
}

// Takes the locks in their nesting order.
static void before_fork(void)
{
    if (UNLIKELY(interrupts_the_allocator())) {
        interrupting_forks++;
        return;
    }
    hold_streams();
    memcheck_unwatched_begin();
    tiny_heaps_before_fork(atomic_load(&own_heap_of_thread)());
    hak_decay_before_fork();
    shared_pool_before_fork();
    page_arena_before_fork();
    large_before_fork();
    tiny_registry_before_fork();
    os_metadata_before_fork();
    memcheck_unwatched_end();
    os_forking = true; // handlers that were registered before this one run after it
}

static void let_go(bool is_child)
{
    if (UNLIKELY(interrupting_forks > 0)) {
        interrupting_forks--;
        return;
    }
    os_forking = false;
    memcheck_unwatched_begin();
    os_metadata_after_fork();
    tiny_registry_after_fork();
    large_after_fork();
    page_arena_after_fork();
    shared_pool_after_fork();
    hak_decay_after_fork();
    if (is_child) tiny_heaps_vanish(tiny_thread.heap, tiny_tls_copy);
    tiny_heaps_after_fork();
    memcheck_unwatched_end();
    if (is_child) let_go_of_streams_in_child();
    else let_go_of_streams();
}

static void after_fork_in_parent(void)
{
    let_go(false);
}

// No heap is in change at a fork. The heaps of threads that do not exist in the child are released one by one when the
// child needs memory, because most children call exec first. Each such thread loses at most the blocks in transit: one
// block, or the batch of a refill.
static void after_fork_in_child(void)
{
    let_go(true);
}

static void register_handlers(void)
{
    hak_register_fork_handlers(before_fork, after_fork_in_parent, after_fork_in_child);
}

void tiny_fork_watch(tiny_heap_t *(*own_heap)(void))
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    atomic_store(&own_heap_of_thread, own_heap);
    pthread_once(&once, register_handlers);
}

void tiny_fork_give_up(void)
{
    if (os_forking) let_go_of_streams();
}
