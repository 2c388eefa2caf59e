// Blocks of one class and of neighbouring classes never overlap, in any order of frees.

#include "test.h"

enum { LARGEST = 2048 };

static void fill_all(void **blocks, const size_t *sizes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        blocks[i] = T_must_malloc(sizes[i]);
        T_fill(blocks[i], sizes[i], i);
    }
}

static void check_all(void **blocks, const size_t *sizes, size_t count)
{
    for (size_t i = 0; i < count; i++) T_CHECK_PATTERN(blocks[i], sizes[i], i);
}

static void swap(void **blocks, size_t *sizes, size_t a, size_t b)
{
    void *block = blocks[a];
    size_t size = sizes[a];
    blocks[a] = blocks[b];
    sizes[a] = sizes[b];
    blocks[b] = block;
    sizes[b] = size;
}

// Frees the blocks in a random order. Shuffles the caller's array in place.
static void free_shuffled(void **blocks, size_t *sizes, size_t count, uint64_t seed)
{
    for (size_t left = count; left > 1; left--) swap(blocks, sizes, left - 1, T_random(&seed) % left);
    for (size_t i = 0; i < count; i++) T_free(blocks[i]);
}

static void each_size_in_bulk(void)
{
    enum { BULK = 96 };
    static void *blocks[BULK];
    static size_t sizes[BULK];
    for (size_t size = 0; size <= LARGEST; size++) {
        for (int i = 0; i < BULK; i++) sizes[i] = size;
        fill_all(blocks, sizes, BULK);
        check_all(blocks, sizes, BULK);
        free_shuffled(blocks, sizes, BULK, size);
    }
}

static void all_sizes_at_once(void)
{
    enum { EACH = 12, COUNT = EACH * (LARGEST + 1) };
    void **blocks = T_pages(COUNT * sizeof *blocks);
    size_t *sizes = T_pages(COUNT * sizeof *sizes);
    for (uint64_t round = 0; round < 3; round++) {
        for (size_t i = 0; i < COUNT; i++) sizes[i] = i % (LARGEST + 1);
        fill_all(blocks, sizes, COUNT);
        check_all(blocks, sizes, COUNT);
        free_shuffled(blocks, sizes, COUNT, round);
    }
}

// Far more blocks of one class than any cache or superslab holds.
static void many_blocks_of_one_class(void)
{
    enum { COUNT = 100000 };
    void **blocks = T_pages(COUNT * sizeof *blocks);
    size_t *sizes = T_pages(COUNT * sizeof *sizes);
    for (size_t size = 8; size <= 128; size *= 2) {
        for (size_t i = 0; i < COUNT; i++) sizes[i] = size;
        fill_all(blocks, sizes, COUNT);
        check_all(blocks, sizes, COUNT);
        free_shuffled(blocks, sizes, COUNT, size);
    }
}

static void random_replacement_keeps_neighbours_intact(void)
{
    enum { COUNT = 5000, STEPS = 300000 };
    void **blocks = T_pages(COUNT * sizeof *blocks);
    size_t *sizes = T_pages(COUNT * sizeof *sizes);
    uint64_t random = 11;
    for (size_t i = 0; i < COUNT; i++) sizes[i] = T_random_in(&random, 0, LARGEST);
    fill_all(blocks, sizes, COUNT);
    for (int step = 0; step < STEPS; step++) {
        size_t i = T_random(&random) % COUNT;
        T_CHECK_PATTERN(blocks[i], sizes[i], i);
        T_free(blocks[i]);
        sizes[i] =
            T_random_in(&random, 0, 8) == 0 ? T_random_in(&random, 0, LARGEST) : T_random_in(&random, 0, 300);
        blocks[i] = T_must_malloc(sizes[i]);
        T_fill(blocks[i], sizes[i], i);
    }
    check_all(blocks, sizes, COUNT);
    free_shuffled(blocks, sizes, COUNT, 12);
}

int main(void)
{
    T_RUN(each_size_in_bulk);
    T_RUN(all_sizes_at_once);
    T_RUN(many_blocks_of_one_class);
    T_RUN(random_replacement_keeps_neighbours_intact);
    return 0;
}
