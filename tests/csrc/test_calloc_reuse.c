// calloc zeroes memory that was used before: every requested byte, with any earlier contents.

#include "test.h"

enum { LIVE = 8 };

static void make_dirty(size_t size)
{
    void *blocks[LIVE];
    for (int i = 0; i < LIVE; i++) {
        blocks[i] = T_must_malloc(size);
        memset(blocks[i], 0xff, T_usable_size(blocks[i]));
    }
    for (int i = 0; i < LIVE; i++) T_free(blocks[i]);
}

static void check_zero(size_t count, size_t size)
{
    void *blocks[LIVE];
    for (int i = 0; i < LIVE; i++) {
        blocks[i] = T_calloc(count, size);
        T_CHECK(blocks[i] != NULL, "calloc(%zu, %zu) failed", count, size);
        T_CHECK(T_is_zero(blocks[i], count * size), "calloc(%zu, %zu) is not zero after reuse", count, size);
        memset(blocks[i], 0xff, count * size);
    }
    for (int i = 0; i < LIVE; i++) T_free(blocks[i]);
}

static void every_small_size(void)
{
    for (size_t size = 1; size <= 2100; size++) {
        make_dirty(size);
        check_zero(1, size);
    }
}

static void medium_and_large_sizes(void)
{
    for (size_t size = 2200; size <= (4 << 20); size += size / 4) {
        make_dirty(size);
        check_zero(1, size);
        check_zero(size / 8, 8);
    }
}

static void memory_of_small_blocks_reused_for_large_ones(void)
{
    enum { MANY = 20000 };
    void **blocks = T_pages(MANY * sizeof *blocks);
    for (size_t size = 16; size <= 4096; size *= 4) {
        for (int i = 0; i < MANY; i++) memset(blocks[i] = T_must_malloc(size), 0xff, size);
        for (int i = 0; i < MANY; i++) T_free(blocks[i]);
        check_zero(1, size * 3);
        check_zero(1, 50000);
        check_zero(1, 1 << 20);
    }
}

static void a_grown_and_a_shrunk_block_leave_no_trace(void)
{
    for (size_t size = 100; size <= (4 << 20); size *= 3) {
        unsigned char *block = T_must_malloc(size);
        memset(block, 0xff, size);
        block = T_realloc(block, size * 2);
        T_CHECK(block != NULL, "realloc to %zu bytes failed", size * 2);
        memset(block, 0xff, size * 2);
        block = T_realloc(block, size / 2);
        T_CHECK(block != NULL, "realloc to %zu bytes failed", size / 2);
        check_zero(1, size);
        T_free(block);
        check_zero(1, size * 2);
    }
}

int main(void)
{
    T_RUN(every_small_size);
    T_RUN(medium_and_large_sizes);
    T_RUN(memory_of_small_blocks_reused_for_large_ones);
    T_RUN(a_grown_and_a_shrunk_block_leave_no_trace);
    return 0;
}
