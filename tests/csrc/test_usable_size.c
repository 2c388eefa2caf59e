// malloc_usable_size is correct: never less than the requested size, and every byte of it may be written.

#include "test.h"

enum { LIVE = 32 };

// Fills the usable bytes of many neighbours: if one block's end overlaps another's beginning, a pattern breaks.
static void check_neighbours(size_t size)
{
    void *blocks[LIVE];
    size_t usable[LIVE];
    for (int i = 0; i < LIVE; i++) {
        blocks[i] = T_must_malloc(size);
        usable[i] = T_usable_size(blocks[i]);
        T_CHECK(usable[i] >= size, "malloc(%zu) holds %zu bytes", size, usable[i]);
        T_fill(blocks[i], usable[i], (uint64_t)i);
    }
    for (int i = 0; i < LIVE; i++) {
        T_CHECK(T_usable_size(blocks[i]) == usable[i], "the usable size of malloc(%zu) has changed", size);
        T_CHECK_PATTERN(blocks[i], usable[i], (uint64_t)i);
        T_free(blocks[i]);
    }
}

static void null_has_no_bytes(void)
{
    T_CHECK(T_usable_size(NULL) == 0, "malloc_usable_size(NULL) is %zu", T_usable_size(NULL));
}

static void every_small_size(void)
{
    for (size_t size = 0; size <= 2100; size++) check_neighbours(size);
}

static void larger_sizes(void)
{
    for (size_t size = 2200; size <= (2 << 20); size += size / 3) check_neighbours(size);
}

static void a_block_grows_within_its_usable_size(void)
{
    for (size_t size = 1; size <= (1 << 20); size = size * 5 / 4 + 1) {
        unsigned char *block = T_must_malloc(size);
        size_t usable = T_usable_size(block);
        T_fill(block, usable, size);
        block = T_realloc(block, usable);
        T_CHECK(block != NULL, "realloc to the usable size failed");
        T_CHECK(T_usable_size(block) >= usable, "realloc to %zu bytes holds %zu", usable,
                T_usable_size(block));
        T_CHECK_PATTERN(block, usable, size);
        T_free(block);
    }
}

static void aligned_blocks_too(void)
{
    for (size_t alignment = 16; alignment <= (1 << 16); alignment *= 2) {
        for (size_t size = 1; size <= 100000; size = size * 2 + 3) {
            void *block = T_memalign(alignment, size);
            T_CHECK(block != NULL, "no block of %zu bytes aligned to %zu", size, alignment);
            size_t usable = T_usable_size(block);
            T_CHECK(usable >= size, "memalign(%zu, %zu) holds %zu bytes", alignment, size, usable);
            void *neighbour = T_must_malloc(size);
            T_fill(neighbour, size, 1);
            T_fill(block, usable, 2);
            T_CHECK_PATTERN(neighbour, size, 1);
            T_CHECK_PATTERN(block, usable, 2);
            T_free(block);
            T_free(neighbour);
        }
    }
}

int main(void)
{
    T_RUN(null_has_no_bytes);
    T_RUN(every_small_size);
    T_RUN(larger_sizes);
    T_RUN(a_block_grows_within_its_usable_size);
    T_RUN(aligned_blocks_too);
    return 0;
}
