// One thread only allocates and another only frees: memory follows the live blocks, not the traffic.

#include "block.h"

#include <sched.h>

// ring: a queue from one producer to one consumer.
enum { RING = 1024, ROUNDS = 200000 };

struct ring {
    _Atomic(struct block *) places[RING];
    size_t low, high;  // bytes of a block
};

// Traffic of at least 50 MiB through less than 1 MiB of live blocks.
enum { GROWTH_KIB = 12288 };

static void *produce(void *argument)
{
    struct ring *ring = argument;
    uint64_t random = 5;
    for (size_t round = 0; round < ROUNDS; round++) {
        struct block *block = block_new(T_random_in(&random, ring->low, ring->high), round);
        while (atomic_load_explicit(&ring->places[round % RING], memory_order_relaxed) != NULL) sched_yield();
        atomic_store_explicit(&ring->places[round % RING], block, memory_order_release);
    }
    return NULL;
}

static void *consume(void *argument)
{
    struct ring *ring = argument;
    for (size_t round = 0; round < ROUNDS; round++) {
        struct block *block;
        while ((block = atomic_load_explicit(&ring->places[round % RING], memory_order_acquire)) == NULL)
            sched_yield();
        atomic_store_explicit(&ring->places[round % RING], NULL, memory_order_release);
        block_free(block);
    }
    return NULL;
}

static void check_growth(size_t before, const char *what)
{
    size_t after = T_resident_kib();
    if (T_SANITIZER) return;  // its quarantine grows
    T_CHECK(after < before + GROWTH_KIB, "%s left %zu KiB in use", what, after - before);
}

static void pass_blocks(size_t low, size_t high)
{
    static struct ring ring;
    size_t before = T_resident_kib();
    ring.low = low;
    ring.high = high;
    pthread_t producer = T_thread(produce, &ring), consumer = T_thread(consume, &ring);
    T_join(producer);
    T_join(consumer);
    check_growth(before, "a producer and a consumer");
}

static void one_class(void)
{
    pass_blocks(256, 256);
}

static void many_classes(void)
{
    pass_blocks(16, 500);
}

// Main only allocates; other threads free, each batch in another thread.
enum { BATCH = 2000, BATCHES = 200 };

static void *free_batch(void *argument)
{
    struct block **batch = argument;
    for (int i = 0; i < BATCH; i++) block_free(batch[i]);
    return NULL;
}

static void every_batch_is_freed_by_a_new_thread(void)
{
    static struct block *batch[BATCH];
    size_t before = T_resident_kib();
    for (uint64_t round = 0; round < BATCHES; round++) {
        for (uint64_t i = 0; i < BATCH; i++) batch[i] = block_new(256, i);
        T_join(T_thread(free_batch, batch));
    }
    check_growth(before, "batches freed by other threads");
}

static void *allocate_batch(void *argument)
{
    struct block **batch = argument;
    for (uint64_t i = 0; i < BATCH; i++) batch[i] = block_new(256, i);
    return NULL;
}

// Main only frees: its own caches must not grow without bound.
static void every_batch_is_allocated_by_a_new_thread(void)
{
    static struct block *batch[BATCH];
    size_t before = T_resident_kib();
    for (int round = 0; round < BATCHES; round++) {
        T_join(T_thread(allocate_batch, batch));
        free_batch(batch);
    }
    check_growth(before, "batches allocated by other threads");
}

int main(void)
{
    T_RUN(one_class);
    T_RUN(many_classes);
    T_RUN(every_batch_is_freed_by_a_new_thread);
    T_RUN(every_batch_is_allocated_by_a_new_thread);
    return 0;
}
