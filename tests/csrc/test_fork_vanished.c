// Threads that do not exist in a forked child: the blocks that they had in use, in their caches and in transit are
// intact in the child and are reused there.

#include <hakmem.h>

#include "block.h"

enum { THREADS = 6, MAILBOXES = 64, FORKS = 40, CHILD_SECONDS = 30, OWNED = 3000 };

static atomic_bool stop;

// The child's own alarm ends it if it hangs; its parent reports the signal.
static pid_t fork_or_fail(void)
{
    pid_t child = fork();
    T_CHECK(child >= 0, "fork: %s", strerror(errno));
    if (child == 0) alarm(CHILD_SECONDS);
    return child;
}

// ---- threads that are stopped

static struct block *owned[THREADS][OWNED];
static pthread_barrier_t ready, done;

static void fill(struct block **blocks)
{
    for (uint64_t i = 0; i < OWNED; i++) blocks[i] = block_new(64 + i % 5 * 160, i);
}

static void free_all(struct block **blocks)
{
    for (int i = 0; i < OWNED; i++) block_free(blocks[i]);
}

static void *own_blocks(void *argument)
{
    struct block **blocks = argument;
    fill(blocks);
    pthread_barrier_wait(&ready);
    pthread_barrier_wait(&done);
    free_all(blocks);
    return NULL;
}

static void *own_caches(void *argument)
{
    struct block **blocks = argument;
    fill(blocks);
    free_all(blocks);
    pthread_barrier_wait(&ready);
    pthread_barrier_wait(&done);
    return NULL;
}

static size_t volume_kib(void)
{
    size_t bytes = 0;
    for (uint64_t i = 0; i < OWNED; i++) bytes += 64 + i % 5 * 160;
    return THREADS * bytes / 1024;
}

// Allocates as much as all the threads had, in blocks of the same sizes: little of it may come from the system.
static void fill_again(void)
{
    size_t before = T_resident_kib();
    for (int i = 0; i < THREADS; i++) fill(owned[i]);
    size_t grown = T_resident_kib() - before;
    T_CHECK(T_SANITIZER || (ptrdiff_t)grown < (ptrdiff_t)(volume_kib() / 4),
            "%zu KiB more for %zu KiB that were free", grown, volume_kib());
    for (int i = 0; i < THREADS; i++) free_all(owned[i]);
}

static void fork_beside(void *(*thread)(void *), void (*child_does)(void))
{
    pthread_t threads[THREADS];
    pthread_barrier_init(&ready, NULL, THREADS + 1);
    pthread_barrier_init(&done, NULL, THREADS + 1);
    for (int i = 0; i < THREADS; i++) threads[i] = T_thread(thread, owned[i]);
    pthread_barrier_wait(&ready);
    pid_t child = fork_or_fail();
    if (child == 0) {
        child_does();
        _exit(0);
    }
    T_CHECK_CHILD(child);
    pthread_barrier_wait(&done);
    for (int i = 0; i < THREADS; i++) T_join(threads[i]);
}

static void free_what_they_had(void)
{
    for (int i = 0; i < THREADS; i++) free_all(owned[i]);
}

static void free_and_fill(void)
{
    free_what_they_had();
    fill_again();
}

static void what_they_had_in_use_is_used_again(void)
{
    fork_beside(own_blocks, free_and_fill);
}

static void what_they_had_in_their_caches_is_used_again(void)
{
    fork_beside(own_caches, fill_again);
}

static void fill_in_a_grandchild(void)
{
    pid_t grandchild = fork_or_fail();
    if (grandchild == 0) {
        fill_again();
        _exit(0);
    }
    fill_again();
    T_CHECK_CHILD(grandchild);
}

static void a_grandchild_uses_it_too(void)
{
    fork_beside(own_caches, fill_in_a_grandchild);
}

static void *do_nothing(void *argument)
{
    return argument;
}

// New threads get the stacks of the vanished ones, and with them their thread-local memory.
static void fill_after_new_threads(void)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) threads[i] = T_thread(do_nothing, NULL);
    for (int i = 0; i < THREADS; i++) T_join(threads[i]);
    free_and_fill();
}

static void new_threads_of_the_child_do_not_disturb_it(void)
{
    if (T_SANITIZER) return; // its malloc may have been locked at the fork, so no thread can start
    fork_beside(own_blocks, fill_after_new_threads);
}

// ---- threads that are inside a change

static _Atomic(struct block *) mailboxes[MAILBOXES];

static void *keep_allocating(void *argument)
{
    uint64_t random = (uintptr_t)argument;
    while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
        struct block *block = block_new(block_random_size(&random), T_random(&random));
        block = atomic_exchange(&mailboxes[T_random(&random) % MAILBOXES], block);
        if (block != NULL) block_free(block);
    }
    return NULL;
}

static void check_mailboxes(void)
{
    for (int i = 0; i < MAILBOXES; i++) {
        const struct block *block = atomic_load(&mailboxes[i]);
        if (block != NULL) block_check(block);
    }
}

// If a cache wrongly held a block because its thread was stopped in the middle of a change, the block would be
// allocated now while it is in use.
static void take_everything_over(uint64_t seed)
{
    if (seed % 2 == 0) (void)hak_malloc_trim(0); // all at once; else one by one
    for (int i = 0; i < THREADS; i++) fill(owned[i]);
    check_mailboxes();
    free_what_they_had();
    for (int i = 0; i < MAILBOXES; i++) {
        struct block *block = atomic_load(&mailboxes[i]);
        if (block != NULL) block_free(block);
    }
}

static void nothing_in_use_is_handed_out(void)
{
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++) threads[i] = T_thread(keep_allocating, (void *)(i + 1));
    for (uint64_t seed = 0; seed < FORKS; seed++) {
        pid_t child = fork_or_fail();
        if (child == 0) {
            take_everything_over(seed);
            _exit(0);
        }
        T_CHECK_CHILD(child);
    }
    atomic_store(&stop, true);
    for (int i = 0; i < THREADS; i++) T_join(threads[i]);
    for (int i = 0; i < MAILBOXES; i++) {
        struct block *block = atomic_load(&mailboxes[i]);
        if (block != NULL) block_free(block);
    }
}

int main(void)
{
    T_RUN(what_they_had_in_use_is_used_again);
    T_RUN(what_they_had_in_their_caches_is_used_again);
    T_RUN(a_grandchild_uses_it_too);
    T_RUN(new_threads_of_the_child_do_not_disturb_it);
    T_RUN(nothing_in_use_is_handed_out);
    return 0;
}
