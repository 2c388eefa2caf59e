// The library is loaded when the process has used all keys of thread-specific data; it must still notice the end of
// threads. What a thread's heap holds passes to the next thread, so that memory stays flat.

#include "loaded.h"

enum { EARLY = 50, LATE = 600, BLOCKS = 200, BYTES = 1000, MOST_KIB = 8192, PATIENCE_SECONDS = 60 };

static struct loaded library;

static size_t take_all_keys(void)
{
    size_t taken = 0;
    pthread_key_t key;
    while (pthread_key_create(&key, NULL) == 0) taken++;
    return taken;
}

static void *live(void *unused)
{
    void *blocks[BLOCKS];
    for (size_t i = 0; i < BLOCKS; i++) {
        blocks[i] = library.alloc(BYTES);
        T_CHECK(blocks[i] != NULL, "no block of %d bytes", BYTES);
        memset(blocks[i], 1, BYTES);
    }
    for (size_t i = 0; i < BLOCKS; i++) library.release(blocks[i]);
    return unused;
}

static void live_one_by_one(int threads)
{
    for (int i = 0; i < threads; i++) T_join(T_thread(live, NULL));
}

static void threads_end_without_a_key(void)
{
    T_CHECK(take_all_keys() > 0, "no key could be taken");
    library = load_library(library_path());
    live_one_by_one(EARLY);
    size_t before = T_resident_kib();
    live_one_by_one(LATE);
    size_t after = T_resident_kib();
    T_CHECK(after < before + MOST_KIB, "%d threads have left %zu KiB", LATE, after - before);
}

// Destructors of thread-local objects run in reverse order of registration: one before the library's own, one after it.
extern int __cxa_thread_atexit_impl(void (*ends)(void *), void *argument, void *dso) __attribute__((weak));
extern void *__dso_handle __attribute__((visibility("hidden")));

static void release_at_end(void *block)
{
    library.release(block);
    library.release(library.alloc(100));
}

static void *leave_a_block(void *unused)
{
    __cxa_thread_atexit_impl(release_at_end, NULL, &__dso_handle);
    __cxa_thread_atexit_impl(release_at_end, library.alloc(50), &__dso_handle);
    return unused;
}

static void blocks_are_freed_in_destructors(void)
{
    if (__cxa_thread_atexit_impl == NULL) return;
    for (int i = 0; i < EARLY; i++) T_join(T_thread(leave_a_block, NULL));
    live_one_by_one(EARLY);
}

int main(void)
{
    alarm(PATIENCE_SECONDS);
    T_RUN(threads_end_without_a_key);
    T_RUN(blocks_are_freed_in_destructors);
    return 0;
}
