// Everything at once for a while: threads allocate in every way, free each other's blocks, end, and are replaced.
//
// usage: test_soak [seconds [threads]], 3 and 8 by default. Prints the number of operations.
//
// Every block describes itself (block.h), and all are counted: in the end, as many were freed as allocated.

#include "block.h"

// place: where a block waits for any thread; most places are full most of the time.
enum { PLACES = 8192, MOST_THREADS = 256, SHORTEST_LIFE = 500, LONGEST_LIFE = 20000 };

static _Atomic(struct block *) places[PLACES];
static atomic_bool time_is_up;
static atomic_ullong allocated, freed, operations;

struct worker {
    uint64_t random;
    unsigned long long allocated, freed, operations;
};

static struct block *allocate(struct worker *worker)
{
    size_t size = block_random_size(&worker->random);
    uint64_t seed = T_random(&worker->random), kind = seed >> 56;
    void *memory;
    if (kind < 20) {
        memory = T_calloc(1, size);
        T_CHECK(memory == NULL || T_is_zero(memory, size), "calloc of %zu bytes is not zero", size);
    } else if (kind < 30) {
        size_t alignment = (size_t)16 << (kind % 9);
        memory = T_memalign(alignment, size);
        T_CHECK_ALIGNED(memory, alignment);
    } else {
        memory = T_malloc(size);
    }
    T_CHECK(memory != NULL, "no block of %zu bytes: %s", size, strerror(errno));
    worker->allocated++;
    return block_write(memory, size, seed);
}

static void release(struct worker *worker, struct block *block)
{
    if (block == NULL) return;
    block_free(block);
    worker->freed++;
}

// Clears the mark first: if realloc moves the block, the old place must not look live.
static struct block *resize(struct worker *worker, struct block *block)
{
    size_t size = block_random_size(&worker->random), old = block->size;
    block_check(block);
    block->mark = 0;
    block = T_realloc(block, size);
    T_CHECK(block != NULL, "realloc to %zu bytes failed", size);
    size_t kept = (old < size ? old : size) - sizeof *block;
    T_CHECK_PATTERN(block->content, kept, block->seed);
    return block_write(block, size, T_random(&worker->random));
}

// Takes the block at a random place; leaves a new block there, the same one resized, or nothing.
static void step(struct worker *worker)
{
    uint64_t random = T_random(&worker->random);
    _Atomic(struct block *) *place = &places[random % PLACES];
    struct block *found = atomic_exchange(place, NULL), *left = NULL;
    if (random >> 60 == 0 && found != NULL) {
        left = resize(worker, found);
        found = NULL;
    } else if (random >> 60 < 14) {
        left = allocate(worker);
    }
    release(worker, found);
    if (left != NULL) release(worker, atomic_exchange(place, left));
    worker->operations++;
}

static void *live(void *argument)
{
    struct worker worker = {.random = (uintptr_t)argument};
    size_t life = T_random_in(&worker.random, SHORTEST_LIFE, LONGEST_LIFE);
    for (size_t i = 0; i < life && !atomic_load_explicit(&time_is_up, memory_order_relaxed); i++)
        step(&worker);
    atomic_fetch_add(&allocated, worker.allocated);
    atomic_fetch_add(&freed, worker.freed);
    atomic_fetch_add(&operations, worker.operations);
    return NULL;
}

static unsigned long replace_dead_threads(int count, double seconds)
{
    static pthread_t threads[MOST_THREADS];
    double end = T_seconds() + seconds;
    unsigned long born = 0;
    for (int i = 0; i < count; i++) threads[i] = T_thread(live, (void *)(uintptr_t)++born);
    for (int i = 0; T_seconds() < end; i = (i + 1) % count) {
        T_join(threads[i]);
        threads[i] = T_thread(live, (void *)(uintptr_t)++born);
    }
    atomic_store(&time_is_up, true);
    for (int i = 0; i < count; i++) T_join(threads[i]);
    return born;
}

static void empty_places(void)
{
    struct worker worker = {.random = 0};
    for (int i = 0; i < PLACES; i++) release(&worker, atomic_exchange(&places[i], NULL));
    atomic_fetch_add(&freed, worker.freed);
}

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? strtod(argv[1], NULL) : 3;
    int threads = argc > 2 ? atoi(argv[2]) : 8;
    T_CHECK(seconds > 0 && threads > 0 && threads <= MOST_THREADS, "usage: test_soak [seconds [threads]]");
    unsigned long born = replace_dead_threads(threads, seconds);
    empty_places();
    T_CHECK(allocated == freed, "%llu blocks were allocated and %llu freed", allocated, freed);
    printf("%llu operations by %lu threads, %d at a time; %llu blocks allocated and freed\n", operations,
           born, threads, allocated);
    return 0;
}
