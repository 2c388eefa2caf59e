// fork while threads allocate: in the child the heap is consistent and every lock is free, and the child may free its
// parent's blocks.

#include "block.h"

enum { THREADS = 4, FORKS = 60, BLOCKS = 400, CHILD_SECONDS = 20 };

static atomic_bool stop;
static _Atomic(struct block *) mailboxes[64];

static void *keep_allocating(void *argument)
{
    uint64_t random = (uintptr_t)argument;
    while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
        struct block *block = block_new(block_random_size(&random), T_random(&random));
        block = atomic_exchange(&mailboxes[T_random(&random) % 64], block);
        if (block != NULL) block_free(block);
    }
    return NULL;
}

static void fill_blocks(struct block **blocks, uint64_t seed)
{
    for (int i = 0; i < BLOCKS; i++) blocks[i] = block_new(block_random_size(&seed), seed);
}

static void free_blocks(struct block **blocks)
{
    for (int i = 0; i < BLOCKS; i++) block_free(blocks[i]);
}

static void *fill_and_free(void *argument)
{
    struct block *blocks[BLOCKS];
    fill_blocks(blocks, (uintptr_t)argument);
    free_blocks(blocks);
    return NULL;
}

// The child's own alarm ends it if it hangs; its parent reports the signal.
static pid_t fork_or_fail(void)
{
    pid_t child = fork();
    T_CHECK(child >= 0, "fork: %s", strerror(errno));
    if (child == 0) alarm(CHILD_SECONDS);
    return child;
}

// The child frees the parent's blocks and allocates its own, alone and in a thread. With a sanitizer the child starts
// no thread: the sanitizer's malloc may have been locked at the fork, and the start of a thread needs it.
static void live_in_child(struct block **inherited, uint64_t seed)
{
    free_blocks(inherited);
    fill_and_free((void *)(uintptr_t)seed);
    if (!T_SANITIZER) T_join(T_thread(fill_and_free, (void *)(uintptr_t)seed));
}

static void a_child_of_a_quiet_parent(void)
{
    struct block *blocks[BLOCKS];
    for (uint64_t round = 1; round <= 20; round++) {
        fill_blocks(blocks, round);
        pid_t child = fork_or_fail();
        if (child == 0) {
            live_in_child(blocks, round);
            _exit(0);
        }
        free_blocks(blocks);
        T_CHECK_CHILD(child);
    }
}

static void fork_while_threads_allocate(void)
{
    struct block *blocks[BLOCKS];
    for (uint64_t round = 1; round <= FORKS; round++) {
        fill_blocks(blocks, round);
        pid_t child = fork_or_fail();
        if (child == 0) {
            live_in_child(blocks, round);
            _exit(0);
        }
        free_blocks(blocks); // while the child frees its own copies
        T_CHECK_CHILD(child);
    }
}

static void a_child_has_children_of_its_own(void)
{
    struct block *blocks[BLOCKS];
    for (uint64_t round = 1; round <= 10; round++) {
        fill_blocks(blocks, round);
        pid_t child = fork_or_fail();
        if (child == 0) {
            pid_t grandchild = fork_or_fail();
            live_in_child(blocks, round);
            if (grandchild != 0) T_CHECK_CHILD(grandchild);
            _exit(0);
        }
        free_blocks(blocks);
        T_CHECK_CHILD(child);
    }
}

// Blocks in the mailboxes that the parent's other threads allocated belong to threads that do not exist in the child.
static void a_child_frees_blocks_of_threads_it_does_not_have(void)
{
    for (int round = 0; round < 20; round++) {
        pid_t child = fork_or_fail();
        if (child == 0) {
            for (int i = 0; i < 64; i++) {
                struct block *block = atomic_load(&mailboxes[i]);
                if (block != NULL) block_free(block);
            }
            _exit(0);
        }
        T_CHECK_CHILD(child);
    }
}

static void *fork_in_thread(void *argument)
{
    struct block *blocks[BLOCKS];
    fill_blocks(blocks, (uintptr_t)argument);
    pid_t child = fork_or_fail();
    if (child == 0) {
        live_in_child(blocks, (uintptr_t)argument);
        _exit(0);
    }
    free_blocks(blocks);
    T_CHECK_CHILD(child);
    return NULL;
}

static void threads_fork_at_the_same_time(void)
{
    for (uintptr_t round = 1; round <= 10; round++) {
        pthread_t threads[THREADS];
        for (uintptr_t i = 0; i < THREADS; i++)
            threads[i] = T_thread(fork_in_thread, (void *)(round * 10 + i));
        for (int i = 0; i < THREADS; i++) T_join(threads[i]);
    }
}

int main(void)
{
    T_RUN(a_child_of_a_quiet_parent);
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++) threads[i] = T_thread(keep_allocating, (void *)(i + 1));
    T_RUN(fork_while_threads_allocate);
    T_RUN(a_child_has_children_of_its_own);
    T_RUN(a_child_frees_blocks_of_threads_it_does_not_have);
    T_RUN(threads_fork_at_the_same_time);
    atomic_store(&stop, true);
    for (int i = 0; i < THREADS; i++) T_join(threads[i]);
    for (int i = 0; i < 64; i++) {
        struct block *block = atomic_load(&mailboxes[i]);
        if (block != NULL) block_free(block);
    }
    return 0;
}
