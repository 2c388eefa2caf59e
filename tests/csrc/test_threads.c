// Eight threads allocate, swap blocks through shared mailboxes, and free the blocks that they find there.

#include "block.h"

enum { THREADS = 8, MAILBOXES = 1024, STEPS = T_THREAD_SANITIZER ? 10000 : 30000, OWN = 64 };

static _Atomic(struct block *) mailboxes[MAILBOXES];

static void empty_mailboxes(void)
{
    for (int i = 0; i < MAILBOXES; i++) {
        struct block *block = atomic_exchange(&mailboxes[i], NULL);
        if (block != NULL) block_free(block);
    }
}

static void *swap_blocks(void *argument)
{
    uint64_t random = (uintptr_t)argument;
    for (int step = 0; step < STEPS; step++) {
        struct block *block = block_new(block_random_size(&random), T_random(&random));
        block = atomic_exchange(&mailboxes[T_random(&random) % MAILBOXES], block);
        if (block != NULL) block_free(block);
    }
    return NULL;
}

// One size only: all threads use the same class.
static void *swap_blocks_of_one_size(void *argument)
{
    uint64_t random = (uintptr_t)argument;
    for (int step = 0; step < STEPS * 2; step++) {
        struct block *block = atomic_exchange(&mailboxes[T_random(&random) % MAILBOXES], block_new(64, step));
        if (block != NULL) block_free(block);
    }
    return NULL;
}

// Each thread keeps blocks of its own among the blocks of others.
static void *keep_own_blocks(void *argument)
{
    struct block *own[OWN] = {NULL};
    uint64_t random = (uintptr_t)argument;
    for (int step = 0; step < STEPS; step++) {
        size_t i = T_random(&random) % OWN;
        if (own[i] != NULL) block_free(own[i]);
        own[i] = block_new(block_random_size(&random), T_random(&random));
    }
    for (int i = 0; i < OWN; i++)
        if (own[i] != NULL) block_free(own[i]);
    return NULL;
}

// A block that was sent through a mailbox is resized by the receiver, then sent on.
static void *resize_foreign_blocks(void *argument)
{
    uint64_t random = (uintptr_t)argument;
    for (int step = 0; step < STEPS / 2; step++) {
        size_t box = T_random(&random) % MAILBOXES, size = block_random_size(&random);
        struct block *block = atomic_exchange(&mailboxes[box], NULL);
        if (block == NULL) {
            block = block_new(size, T_random(&random));
        } else {
            block_check(block);
            block->mark = 0;
            block = T_realloc(block, size);
            T_CHECK(block != NULL, "realloc to %zu bytes failed", size);
            block_write(block, size, T_random(&random));
        }
        block = atomic_exchange(&mailboxes[box], block);
        if (block != NULL) block_free(block);
    }
    return NULL;
}

static void run_threads(void *(*start)(void *))
{
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++) threads[i] = T_thread(start, (void *)(i + 1));
    for (int i = 0; i < THREADS; i++) T_join(threads[i]);
    empty_mailboxes();
}

static void threads_free_each_others_blocks(void)
{
    run_threads(swap_blocks);
}

static void threads_meet_in_one_class(void)
{
    run_threads(swap_blocks_of_one_size);
}

static void threads_keep_blocks_of_their_own(void)
{
    run_threads(keep_own_blocks);
}

static void threads_resize_each_others_blocks(void)
{
    run_threads(resize_foreign_blocks);
}

int main(void)
{
    T_RUN(threads_free_each_others_blocks);
    T_RUN(threads_meet_in_one_class);
    T_RUN(threads_keep_blocks_of_their_own);
    T_RUN(threads_resize_each_others_blocks);
    return 0;
}
