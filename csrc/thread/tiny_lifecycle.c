// Start, thread exit, fork. No request depends on the start: a thread is served before constructors have run.
#include "thread/tiny_lifecycle.h"

#include <pthread.h>

#include "debug/messages.h"
#include "debug/memcheck.h"
#include "entry/hardened.h"
#include "front/tiny_front.h"
#include "heap/decay.h"
#include "heap/large.h"
#include "heap/page_arena.h"
#include "heap/shared_pool.h"
#include "heap/tiny_heaps.h"
#include "os/die.h"
#include "os/lock.h"
#include "os/os.h"
#include "registry/tiny_registry.h"
#include "registry/tiny_state.h"
#include "thread/fork_handlers.h"
#include "thread/tiny_tls.h"

static pthread_key_t thread_key;
static pthread_once_t first_thread = PTHREAD_ONCE_INIT;
static bool has_key;

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

// ---- threads

static void hand_on(void)
{
    hardened_thread_ends();
    tiny_front_drain();
    tiny_backend_detach();
}

// Destructors of other keys may allocate and free after this one: they are served without caches.
static void thread_ends(void *unused)
{
    (void)unused;
    memcheck_unwatched_begin();
    hand_on();
    memcheck_unwatched_end();
    TINY_COUNT_THREAD_ENDS();
}

bool tiny_lifecycle_end_vanished(void)
{
    TINY_COUNT_AS_NOBODY();
    memcheck_unwatched_begin();
    bool any = tiny_backend_end_vanished(hand_on);
    memcheck_unwatched_end();
    return any;
}

static void give_up(void)
{
    if (os_forking) let_go_of_streams();
    tiny_backend_give_up();
}

static void first_thread_started(void)
{
    atomic_store_explicit(&os_before_end, give_up, memory_order_release);
    has_key = pthread_key_create(&thread_key, thread_ends) == 0;
}

// The C++ runtime's registration of `thread_local` destructors. It has no limit, but each registration allocates, and
// these destructors run before those of all keys. So it is used only if no key is left because the library was loaded
// late.
extern int __cxa_thread_atexit_impl(void (*ends)(void *), void *argument, void *dso) __attribute__((weak));
extern void *__dso_handle __attribute__((visibility("hidden")));

// The C library may allocate in either call; the thread has its heap by then.
void tiny_lifecycle_thread_started(void)
{
    unsigned depth = memcheck_watch_again();
    pthread_once(&first_thread, first_thread_started);
    bool watched = has_key && pthread_setspecific(thread_key, &thread_key) == 0;
    if (!watched && __cxa_thread_atexit_impl != NULL)
        __cxa_thread_atexit_impl(thread_ends, NULL, &__dso_handle);
    memcheck_watch_no_more(depth);
}

// ---- fork

// Forks in progress in the calling thread that a signal handler makes after it interrupted the allocator. Such a fork
// takes no lock, because the thread itself may hold it, and waits for no thread, because that thread may wait for this
// one. The child continues where the handler returns. Unfinished changes of other threads stay unfinished in it, so the
// child of a multi-threaded process must call exec.
static HAK_TLS unsigned forks_in_the_midst;

static bool is_in_the_midst(void)
{
    memcheck_unwatched_begin();
    bool changes = tiny_backend_is_in_change();
    memcheck_unwatched_end();
    return changes || os_locks_held > 0 || os_forking;
}

// Takes the locks in their nesting order.
static void before_fork(void)
{
    if (UNLIKELY(is_in_the_midst())) {
        forks_in_the_midst++;
        return;
    }
    hold_streams();
    memcheck_unwatched_begin();
    tiny_heaps_before_fork(tiny_backend_heap());
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
    if (UNLIKELY(forks_in_the_midst > 0)) {
        forks_in_the_midst--;
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
    if (is_child) tiny_backend_others_vanish();
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

void tiny_lifecycle_watch_forks(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, register_handlers);
}

__attribute__((constructor(101))) static void library_starts(void)
{
    memcheck_unwatched_begin();
    tiny_state_init();
    (void)tiny_backend_heap(); // before the registration of handlers, for which the C library may allocate
    memcheck_unwatched_end();
    tiny_lifecycle_watch_forks();
}

#if HAKMEM_DEBUG_OUTPUT
__attribute__((destructor)) static void library_ends(void)
{
    if (!hak_debug_on) return;
    shared_pool_usage_t usage = shared_pool_usage();
    hak_debug_print("[hakmem:tiny_lifecycle.end] %zu superslabs, %zu pages in use\n", usage.superslabs,
                    usage.pages_used);
}
#endif
