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

// owner: allocates, waits until others have freed its blocks, and allocates the same again.
enum { OWNERS = 6, EACH = 1500 };

struct owner {
    size_t size;
    uint64_t seed;
    unsigned char *blocks[EACH];
};

static pthread_barrier_t turn;

static void allocate(struct owner *owner)
{
    for (size_t i = 0; i < EACH; i++) {
        owner->blocks[i] = T_must_malloc(owner->size);
        T_fill(owner->blocks[i], owner->size, owner->seed + i);
    }
}

static void *own(void *argument)
{
    struct owner *owner = argument;
    allocate(owner);
    pthread_barrier_wait(&turn);
    pthread_barrier_wait(&turn);
    allocate(owner);
    for (size_t i = 0; i < EACH; i++) {
        T_CHECK_PATTERN(owner->blocks[i], owner->size, owner->seed + i);
        T_free(owner->blocks[i]);
    }
    return NULL;
}

enum order { UP, DOWN, INWARDS, SCATTERED, ORDERS };

static size_t nth(enum order order, size_t i)
{
    if (order == UP) return i;
    if (order == DOWN) return EACH - 1 - i;
    if (order == INWARDS) return i % 2 == 0 ? i / 2 : EACH - 1 - i / 2;
    return i * 1009 % EACH;
}

// Blocks of several owners, those of one after another or all of them in turn, so that rows of neighbours of any length come.
static void free_in_order(struct owner *owners, enum order order, size_t in_row)
{
    for (size_t begin = 0; begin < EACH; begin += in_row)
        for (size_t owner = 0; owner < OWNERS; owner++)
            for (size_t i = begin; i < begin + in_row && i < EACH; i++)
                T_free(owners[owner].blocks[nth(order, i)]);
}

static void check_order(size_t size, enum order order, size_t in_row)
{
    static struct owner owners[OWNERS];
    pthread_t threads[OWNERS];
    for (size_t i = 0; i < OWNERS; i++) {
        owners[i].size = size;
        owners[i].seed = (i + 1) * 100000;
        threads[i] = T_thread(own, &owners[i]);
    }
    pthread_barrier_wait(&turn);
    for (size_t i = 0; i < OWNERS; i++)
        for (size_t j = 0; j < EACH; j++) T_CHECK_PATTERN(owners[i].blocks[j], size, owners[i].seed + j);
    free_in_order(owners, order, in_row);
    pthread_barrier_wait(&turn);
    for (size_t i = 0; i < OWNERS; i++) T_join(threads[i]);
}

static void rows_of_any_order_and_length_return(void)
{
    static const size_t sizes[] = {16, 64, 200, 4096}, in_rows[] = {1, 7, 64, EACH};
    T_CHECK(pthread_barrier_init(&turn, NULL, OWNERS + 1) == 0, "no barrier");
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (enum order order = UP; order < ORDERS; order++)
            for (size_t j = 0; j < sizeof in_rows / sizeof *in_rows; j++)
                check_order(sizes[i], order, in_rows[j]);
}

int main(void)
{
    T_RUN(one_class);
    T_RUN(many_classes);
    T_RUN(rows_of_any_order_and_length_return);
    T_RUN(every_batch_is_freed_by_a_new_thread);
    T_RUN(every_batch_is_allocated_by_a_new_thread);
    return 0;
}
