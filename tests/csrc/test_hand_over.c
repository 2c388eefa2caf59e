// Work that moves from thread to thread: memory that one thread has freed, or that was freed for it, serves the next
// one while the first waits.

#include "test.h"

#include <semaphore.h>

enum { THREADS = 12, BLOCKS = 24000, KEPT = 50 }; // about 12 MiB per thread; one of every KEPT stays

static sem_t turn[THREADS], done;
static void **blocks, **kept;
static size_t kept_count, live_bytes;
static uint64_t content; // of the first eight bytes of each block

static size_t size_of(size_t i)
{
    return 16 + i * 7919 % 1000;
}

static void allocate_turn(void)
{
    for (size_t i = 0; i < BLOCKS; i++) {
        memset(blocks[i] = T_must_malloc(size_of(i)), 0, size_of(i));
        memcpy(blocks[i], &content, sizeof content);
    }
}

static void free_turn(void)
{
    for (size_t i = 0; i < BLOCKS; i++) {
        if (i % KEPT == 0) {
            kept[kept_count++] = blocks[i];
            live_bytes += size_of(i);
        } else {
            T_free(blocks[i]);
        }
    }
}

static bool frees_of_the_one_before;

static void *take_turn(void *argument)
{
    size_t self = (size_t)argument;
    sem_wait(&turn[self]);
    if (frees_of_the_one_before && self > 0) free_turn();
    allocate_turn();
    if (!frees_of_the_one_before) free_turn();
    sem_post(&done);
    sem_wait(&turn[self]); // alive until all threads have had their turn
    return NULL;
}

static void memory_is_that_of_one_turn(bool of_the_one_before)
{
    pthread_t threads[THREADS];
    frees_of_the_one_before = of_the_one_before;
    kept_count = live_bytes = 0;
    T_malloc_trim(0);
    sem_init(&done, 0, 0);
    for (size_t i = 0; i < THREADS; i++) {
        sem_init(&turn[i], 0, 0);
        threads[i] = T_thread(take_turn, (void *)i);
    }
    size_t before = T_resident_kib(), highest = 0, first = 0;
    for (size_t i = 0; i < THREADS; i++) {
        sem_post(&turn[i]);
        sem_wait(&done);
        size_t now = T_resident_kib() - before;
        if (i == 0) first = now;
        if (now > highest) highest = now;
    }
    for (size_t i = 0; i < THREADS; i++) {
        sem_post(&turn[i]);
        T_join(threads[i]);
    }
    if (of_the_one_before) free_turn();
    for (size_t i = 0; i < kept_count; i++) T_free(kept[i]);
    if (T_SANITIZER) return;
    size_t most = 3 * first + live_bytes / 1024 + THREADS * 1024;
    T_CHECK(highest < most, "%d turns took %zu KiB, the first of them %zu KiB", THREADS, highest, first);
}

static void what_waiting_threads_have_freed_serves_others(void)
{
    memory_is_that_of_one_turn(false);
}

static void what_was_freed_for_waiting_threads_serves_others(void)
{
    memory_is_that_of_one_turn(true);
}

// The first word of a free block in a thread's cache may look like this one.
static void what_the_blocks_contain_makes_no_difference(void)
{
    content = 0xf7;
    memory_is_that_of_one_turn(true);
}

int main(void)
{
    blocks = T_pages(BLOCKS * sizeof *blocks);
    kept = T_pages((BLOCKS / KEPT + 1) * THREADS * sizeof *kept);
    memset(blocks, 0xff, BLOCKS * sizeof *blocks);
    T_RUN(what_waiting_threads_have_freed_serves_others);
    T_RUN(what_was_freed_for_waiting_threads_serves_others);
    T_RUN(what_the_blocks_contain_makes_no_difference);
    return 0;
}
