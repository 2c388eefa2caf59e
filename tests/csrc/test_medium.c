// Blocks between the tiny classes and the mappings, 1 KiB to 1 MiB: content, neighbours, and the gaps that they leave.

#include "test.h"

enum { COUNT = 400, SMALLEST = 1025, LARGEST = 1 << 20 };

static unsigned char *blocks[COUNT];
static size_t sizes[COUNT];

// Each doubling from 1 KiB to 1 MiB is equally likely.
static size_t random_size(uint64_t *random)
{
    size_t top = (size_t)2048 << (T_random(random) % 10);
    return T_random_in(random, top / 2 + 1, top);
}

static void put(size_t i, size_t size)
{
    sizes[i] = size;
    blocks[i] = T_must_malloc(size);
    T_fill(blocks[i], size, i);
}

static void take(size_t i)
{
    if (blocks[i] == NULL) return;
    T_CHECK_PATTERN(blocks[i], sizes[i], i);
    T_free(blocks[i]);
    blocks[i] = NULL;
}

static void take_all(void)
{
    for (size_t i = 0; i < COUNT; i++) take(i);
}

static void every_step_of_16_bytes(void)
{
    for (size_t size = SMALLEST; size < 100000; size += COUNT * 16) {
        for (size_t i = 0; i < COUNT; i++) put(i, size + i * 16);
        take_all();
    }
}

static void random_replacement(void)
{
    uint64_t random = 31;
    for (int step = 0; step < 3000; step++) {
        size_t i = T_random(&random) % COUNT;
        take(i);
        put(i, random_size(&random));
    }
    take_all();
}

// Every other block is freed, and smaller ones fill the gaps; then the rest is freed, and large ones follow.
static void gaps_are_filled(void)
{
    for (size_t round = 0; round < 4; round++) {
        for (size_t i = 0; i < COUNT; i++) put(i, 150000 + round * 1000);
        for (size_t i = 0; i < COUNT; i += 2) take(i);
        for (size_t i = 0; i < COUNT; i += 2) put(i, 70000);
        for (size_t i = 1; i < COUNT; i += 2) take(i);
        for (size_t i = 1; i < COUNT; i += 2) put(i, 300000);
        take_all();
    }
}

// Rounds with ever larger blocks: adjacent free pieces must be joined.
static void neighbours_coalesce(void)
{
    size_t peak = 0;
    for (size_t size = 2000; size <= LARGEST / 4; size *= 2) {
        size_t count = (32 << 20) / size < COUNT ? (32 << 20) / size : COUNT;
        for (size_t i = 0; i < count; i++) put(i, size);
        take_all();
    }
    for (int round = 0; round < 14; round++) {
        size_t size = round % 2 ? 100000 : 200000;
        for (size_t i = 0; i < COUNT; i++) put(i, size);
        if (round == 3) peak = T_resident_kib();
        if (round > 3 && !T_SANITIZER)
            T_CHECK(T_resident_kib() < peak * 3 / 2 + 16384, "round %d needs %zu KiB, an early one %zu KiB",
                    round, T_resident_kib(), peak);
        take_all();
    }
}

static void *replace_in_thread(void *argument)
{
    enum { OWN = 50 };
    unsigned char *own[OWN] = {NULL};
    size_t own_sizes[OWN] = {0};
    uint64_t random = (uintptr_t)argument;
    for (int step = 0; step < 3000; step++) {
        size_t i = T_random(&random) % OWN;
        if (own[i] != NULL) T_CHECK_PATTERN(own[i], own_sizes[i], i);
        T_free(own[i]);
        own_sizes[i] = random_size(&random) / 4 + 1024;
        own[i] = T_must_malloc(own_sizes[i]);
        T_fill(own[i], own_sizes[i], i);
    }
    for (int i = 0; i < OWN; i++) T_free(own[i]);
    return NULL;
}

static void threads_share_the_arena(void)
{
    pthread_t threads[4];
    for (uintptr_t i = 0; i < 4; i++) threads[i] = T_thread(replace_in_thread, (void *)(i + 1));
    for (int i = 0; i < 4; i++) T_join(threads[i]);
}

int main(void)
{
    if (!T_THREAD_SANITIZER) { // one thread has no races to find
        T_RUN(every_step_of_16_bytes);
        T_RUN(random_replacement);
        T_RUN(gaps_are_filled);
        T_RUN(neighbours_coalesce);
    }
    T_RUN(threads_share_the_arena);
    return 0;
}
