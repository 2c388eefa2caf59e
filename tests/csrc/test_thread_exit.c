// Blocks outlive the thread that allocated them, others free them, and a sequence of threads costs no memory.

#include "block.h"

enum { WAVE = 8, BLOCKS = 24 };

struct life {
    struct block *blocks[BLOCKS];
    uint64_t random;
};

// Allocates twice as much as it leaves allocated, so that its caches are not empty when it ends.
static void *allocate_and_end(void *argument)
{
    struct life *life = argument;
    struct block *own[BLOCKS];
    for (int i = 0; i < BLOCKS; i++) {
        life->blocks[i] = block_new(T_random_in(&life->random, 16, 2000), T_random(&life->random));
        own[i] = block_new(T_random_in(&life->random, 16, 2000), T_random(&life->random));
    }
    for (int i = 0; i < BLOCKS; i++) block_free(own[i]);
    return NULL;
}

static void *free_and_end(void *argument)
{
    struct life *life = argument;
    for (int i = 0; i < BLOCKS; i++) block_free(life->blocks[i]);
    return NULL;
}

static void run_wave(struct life *lives, void *(*start)(void *))
{
    pthread_t threads[WAVE];
    for (int i = 0; i < WAVE; i++) threads[i] = T_thread(start, &lives[i]);
    for (int i = 0; i < WAVE; i++) T_join(threads[i]);
}

static void wave_freed_by_main(struct life *lives)
{
    run_wave(lives, allocate_and_end);
    for (int i = 0; i < WAVE; i++) free_and_end(&lives[i]);
}

static void wave_freed_by_a_wave(struct life *lives)
{
    run_wave(lives, allocate_and_end);
    run_wave(lives, free_and_end);
}

// If each thread lost a slab, waves would leave at least 8 KiB per thread in use.
static void check_waves_are_flat(void (*wave)(struct life *lives), int count)
{
    static struct life lives[WAVE];
    for (int i = 0; i < WAVE; i++) lives[i].random = (uint64_t)i + 1;
    for (int i = 0; i < 20; i++) wave(lives);
    size_t before = T_resident_kib();
    for (int i = 0; i < count; i++) wave(lives);
    size_t after = T_resident_kib();
    if (T_SANITIZER) return; // its own tables of threads grow
    T_CHECK(after < before + 8192, "%d threads left %zu KiB in use", count * WAVE, after - before);
}

static void blocks_of_dead_threads_are_freed_by_main(void)
{
    check_waves_are_flat(wave_freed_by_main, 250);
}

static void blocks_of_dead_threads_are_freed_by_threads(void)
{
    check_waves_are_flat(wave_freed_by_a_wave, 150);
}

// A thread ends while others free its blocks: its slabs are handed over during remote frees.
static _Atomic(struct block *) left_behind[BLOCKS];

static void *leave_blocks_and_end(void *argument)
{
    uint64_t random = (uintptr_t)argument;
    for (int i = 0; i < BLOCKS; i++) {
        struct block *block = block_new(T_random_in(&random, 16, 1024), random);
        block = atomic_exchange(&left_behind[i], block);
        if (block != NULL) block_free(block);
    }
    return NULL;
}

static void threads_end_while_others_free_their_blocks(void)
{
    pthread_t threads[WAVE];
    for (uintptr_t round = 1; round <= 250; round++) {
        for (int i = 0; i < WAVE; i++) {
            threads[i] = T_thread(leave_blocks_and_end, (void *)(round * WAVE + (uintptr_t)i));
            struct block *block = atomic_exchange(&left_behind[i], NULL);
            if (block != NULL) block_free(block);
        }
        for (int i = 0; i < WAVE; i++) T_join(threads[i]);
    }
    for (int i = 0; i < BLOCKS; i++) {
        struct block *block = atomic_exchange(&left_behind[i], NULL);
        if (block != NULL) block_free(block);
    }
}

// What an ended thread had in its caches and partly used slabs must serve the next thread.
static void *burst(void *argument)
{
    static const size_t size = 96;
    enum { COUNT = 20000 };
    struct block **blocks = argument;
    for (int i = 0; i < COUNT; i++) blocks[i] = block_new(size, (uint64_t)i);
    for (int i = 0; i < COUNT; i++) block_free(blocks[i]);
    return NULL;
}

static void memory_of_a_dead_thread_is_adopted(void)
{
    void *table = T_pages(20000 * sizeof(void *));
    for (int i = 0; i < 5; i++) T_join(T_thread(burst, table));
    size_t before = T_resident_kib();
    for (int i = 0; i < 60; i++) T_join(T_thread(burst, table));
    size_t after = T_resident_kib();
    if (T_SANITIZER) return;
    T_CHECK(after < before + 8192, "60 bursts of 2 MiB left %zu KiB in use", after - before);
}

// ---- memory of an ended thread serves all live threads, not only its successor (in glibc it does not)

enum { LEFT = 150000, LEFT_SIZE = 96 }; // 14 MiB

static struct block **left;
static size_t height; // resident memory with all of it in use, KiB

static void *allocate_left(void *unused)
{
    for (int i = 0; i < LEFT; i++) left[i] = block_new(LEFT_SIZE, (uint64_t)i);
    height = T_resident_kib();
    return unused;
}

// One of every four blocks stays, so that each slab has room and none is empty.
static void *allocate_left_and_free_most(void *unused)
{
    allocate_left(unused);
    for (int i = 0; i < LEFT; i++)
        if (i % 4 != 0) block_free(left[i]);
    return unused;
}

// As many bytes are in use again; a third more is allowed.
static void check_height(const char *what)
{
    size_t now = T_resident_kib();
    if (T_SANITIZER) return;
    T_CHECK(now < height + LEFT * LEFT_SIZE / 1024 / 3, "%s needed %zu KiB more", what, now - height);
}

static void room_of_dead_threads_serves_living_ones(void)
{
    struct block **own = T_pages(LEFT * sizeof *own);
    memset(own, 0xff, LEFT * sizeof *own); // the table's own pages must not count
    T_join(T_thread(allocate_left_and_free_most, NULL));
    for (int i = 0; i < LEFT * 3 / 4; i++) own[i] = block_new(LEFT_SIZE, (uint64_t)i);
    check_height("blocks for which a dead thread had left room");
    for (int i = 0; i < LEFT * 3 / 4; i++) block_free(own[i]);
    for (int i = 0; i < LEFT; i += 4) block_free(left[i]);
}

static void blocks_freed_after_their_thread_serve_other_sizes(void)
{
    enum { COUNT = LEFT * LEFT_SIZE / 1024 };
    static struct block *own[COUNT];
    T_join(T_thread(allocate_left, NULL));
    for (int i = 0; i < LEFT; i++) block_free(left[i]);
    for (int i = 0; i < COUNT; i++) own[i] = block_new(1024, (uint64_t)i);
    check_height("larger blocks, after all blocks of a dead thread were freed,");
    for (int i = 0; i < COUNT; i++) block_free(own[i]);
}

// ---- many threads, one after another: each leaves a block to the next, which frees it

enum { THREADS = T_SANITIZER ? 2000 : 100000, FIRST_THREADS = 1000 };

static void *live_briefly(void *argument)
{
    static const size_t sizes[] = {24, 200, 900, 5000};
    enum { SIZES = sizeof sizes / sizeof sizes[0] };
    static size_t turn; // only one thread runs at a time
    struct block *own[SIZES], **before = argument;
    for (size_t i = 0; i < SIZES; i++) own[i] = block_new(sizes[i], i);
    if (*before != NULL) block_free(*before);
    *before = block_new(sizes[turn++ % SIZES], 7);
    for (size_t i = 0; i < SIZES; i++) block_free(own[i]);
    return NULL;
}

static void a_hundred_thousand_threads_leave_memory_flat(void)
{
    struct block *handed_on = NULL;
    size_t resident = 0, mapped = 0;
    for (int i = 0; i < THREADS; i++) {
        if (i == FIRST_THREADS) {
            resident = T_resident_kib();
            mapped = T_mapped_bytes();
        }
        T_join(T_thread(live_briefly, &handed_on));
    }
    block_free(handed_on);
    if (T_SANITIZER) return;
    size_t now = T_resident_kib();
    T_CHECK(now < resident + 512, "%d threads left %zu KiB in use", THREADS, now - resident);
    T_CHECK(T_mapped_bytes() <= mapped + (4 << 20), "%d threads left mappings in use", THREADS);
}

int main(void)
{
    left = T_pages(LEFT * sizeof *left);
    T_RUN(blocks_of_dead_threads_are_freed_by_main);
    T_RUN(blocks_of_dead_threads_are_freed_by_threads);
    T_RUN(threads_end_while_others_free_their_blocks);
    T_RUN(memory_of_a_dead_thread_is_adopted);
    T_RUN(room_of_dead_threads_serves_living_ones);
    T_RUN(blocks_freed_after_their_thread_serve_other_sizes);
    T_RUN(a_hundred_thousand_threads_leave_memory_flat);
    return 0;
}
