// Start, thread exit. No request depends on the start: a thread is served before constructors have run.
#include "thread/tiny_lifecycle.h"

#include <pthread.h>

#include "debug/memcheck.h"
#include "debug/messages.h"
#include "heap/decay.h"
#include "heap/shared_pool.h"
#include "heap/tiny_heaps.h"
#include "os/die.h"
#include "registry/tiny_state.h"
#include "thread/tiny_caches.h"
#include "thread/tiny_count.h"
#include "thread/tiny_fork.h"
#include "thread/tiny_marks.h"
#include "thread/tiny_tls.h"

static pthread_key_t thread_key;
static pthread_once_t first_thread = PTHREAD_ONCE_INIT;
static bool has_key;

// ---- the end of a thread

static void detach(void)
{
    tiny_heap_t *heap = tiny_thread.heap;
    if (heap == NULL) return;
    tiny_caches_drain();
#if HAKMEM_DEBUG_OUTPUT
    if (UNLIKELY(hak_debug_on)) hak_debug_print("[hakmem:tiny_lifecycle.detach] heap %u\n", heap->id);
#endif
    heap->suspect = NULL;
    heap->give_back = NULL;
    tiny_tls_leave();
    tiny_heap_release(heap);
}

static void hand_on(void)
{
    tiny_caches_end();
    detach();
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

// The calling thread acts for the vanished one, which may have been about to release its heap.
static void end_on_behalf(tiny_heap_t *heap)
{
    void *left = heap->thread;
    tiny_tls_change_places(left);
    tiny_tls_own(heap);
    tiny_marks_watch(heap);
    hand_on();
    tiny_tls_change_places(left);
    tiny_heap_taken_over();
}

bool tiny_lifecycle_end_vanished(void)
{
    TINY_COUNT_PAUSED();
    memcheck_unwatched_begin();
    tiny_heap_t *heap = tiny_heap_take_over();
    if (heap != NULL) end_on_behalf(heap);
    memcheck_unwatched_end();
    return heap != NULL;
}

// ---- the start of a thread

static void give_up(void)
{
    tiny_fork_give_up();
    tiny_heaps_give_up();
    tiny_tls_give_up_change();
}

static void empty_all(void)
{
    while (tiny_lifecycle_end_vanished()) continue;
    tiny_caches_empty();
}

static void first_thread_started(void)
{
    static const hak_decay_caches_t functions = {tiny_caches_look, empty_all};
    hak_decay_register_caches(&functions);
    atomic_store_explicit(&os_before_end, give_up, memory_order_release);
    has_key = pthread_key_create(&thread_key, thread_ends) == 0;
}

// The C++ runtime's registration of `thread_local` destructors. It has no limit, but each registration allocates, and
// these destructors run before those of all keys. So it is used only if no key is left because the library was loaded
// late.
extern int __cxa_thread_atexit_impl(void (*ends)(void *), void *argument, void *dso) __attribute__((weak));
extern void *__dso_handle __attribute__((visibility("hidden")));

// Ensures that the heap is released when the thread ends. The C library may allocate in either call; the thread has its
// heap by then.
static void watch_end(void)
{
    unsigned depth = memcheck_watch_again();
    pthread_once(&first_thread, first_thread_started);
    bool watched = has_key && pthread_setspecific(thread_key, &thread_key) == 0;
    if (!watched && __cxa_thread_atexit_impl != NULL)
        __cxa_thread_atexit_impl(thread_ends, NULL, &__dso_handle);
    memcheck_watch_no_more(depth);
}

static void attach(void)
{
    tiny_heap_t *heap = tiny_heap_acquire();
    if (heap == NULL) return;
    if (!tiny_tls_make_front(heap)) {
        tiny_heap_release(heap);
        return;
    }
    tiny_tls_own(heap);
    tiny_marks_watch(heap);
    heap->give_back = tiny_caches_give_back;
    watch_end();
#if HAKMEM_DEBUG_OUTPUT
    if (UNLIKELY(hak_debug_on)) hak_debug_print("[hakmem:tiny_lifecycle.attach] heap %u\n", heap->id);
#endif
}

tiny_heap_t *tiny_backend_heap(void)
{
    if (UNLIKELY(tiny_thread.heap == NULL) && !tiny_thread.detached) attach();
    return tiny_thread.heap;
}

// ---- start and end of the library

void tiny_lifecycle_watch_forks(void)
{
    tiny_fork_watch(tiny_backend_heap);
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
