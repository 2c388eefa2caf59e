// Start, thread exit, fork. No request waits for anything here: a thread is served before constructors have run.
#include "tiny_lifecycle.h"

#include <pthread.h>

#include "debug.h"
#include "decay.h"
#include "hardened.h"
#include "large.h"
#include "memcheck.h"
#include "os.h"
#include "page_arena.h"
#include "shared_pool.h"
#include "tiny_front.h"
#include "tiny_registry.h"
#include "tiny_state.h"
#include "tiny_superslab.h"
#include "tiny_tls.h"

static pthread_key_t thread_key;
static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static bool has_key;

static void hand_on(void)
{
    hardened_thread_ends();
    tiny_front_drain();
    tiny_backend_detach();
}

// Other keys' destructors may free and allocate after this one: they are served without caches.
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

static void make_key(void)
{
    has_key = pthread_key_create(&thread_key, thread_ends) == 0;
}

// glibc may allocate for a key beyond the first 32: by then the thread has its heap.
void tiny_lifecycle_thread_started(void)
{
    unsigned depth = memcheck_watch_again();
    pthread_once(&key_once, make_key);
    if (has_key) pthread_setspecific(thread_key, &thread_key);
    memcheck_watch_no_more(depth);
}

// Forks of the calling thread, under way, that come from a signal's handler which has interrupted the allocator: they take
// no lock, since the thread itself may hold it, and wait for nobody, who may wait for the thread. The child goes on where
// the handler returns to; what other threads were in the midst of stays so, and a child of several threads must call exec.
static HAK_TLS unsigned forks_in_the_midst;

static bool is_in_the_midst(void)
{
    memcheck_unwatched_begin();
    bool changes = tiny_backend_is_in_change();
    memcheck_unwatched_end();
    return changes || os_locks_held > 0 || os_forking;
}

// Locks in the order in which they nest.
static void before_fork(void)
{
    if (UNLIKELY(is_in_the_midst())) {
        forks_in_the_midst++;
        return;
    }
    memcheck_unwatched_begin();
    tiny_heaps_before_fork(tiny_backend_heap());
    hak_decay_before_fork();
    shared_pool_before_fork();
    page_arena_before_fork();
    large_before_fork();
    tiny_registry_before_fork();
    os_metadata_before_fork();
    memcheck_unwatched_end();
    os_forking = true; // handlers of libraries that were loaded before run after this one
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
}

static void after_fork_in_parent(void)
{
    let_go(false);
}

// No heap was caught in the midst of a change. Those of the threads that are no more are handed on one by one, when the
// child needs room: most children call exec first. Each such thread loses a block at most, or the batch of a refill: what
// was on its way to a cache or to the program.
static void after_fork_in_child(void)
{
    let_go(true);
}

__attribute__((constructor(101))) static void library_starts(void)
{
    memcheck_unwatched_begin();
    tiny_state_init();
    (void)tiny_backend_heap(); // before pthread_atfork, which may allocate
    memcheck_unwatched_end();
    pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
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
