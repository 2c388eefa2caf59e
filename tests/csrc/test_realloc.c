// realloc keeps the content: across every size boundary, up, down, at random, and for mapped blocks.

#include "test.h"

static unsigned char *resize(unsigned char *block, size_t old, size_t new, uint64_t seed)
{
    block = T_realloc(block, new);
    T_CHECK(block != NULL, "realloc from %zu to %zu bytes failed", old, new);
    size_t kept = old < new ? old : new;
    size_t at = T_mismatch(block, kept, seed);
    T_CHECK(at == kept, "realloc from %zu to %zu bytes lost byte %zu", old, new, at);
    T_fill(block, new, seed);
    return block;
}

static void up_byte_by_byte(void)
{
    unsigned char *block = T_must_malloc(0);
    for (size_t size = 0; size < 5000; size++) block = resize(block, size, size + 1, 7);
    T_free(block);
}

static void down_byte_by_byte(void)
{
    unsigned char *block = T_must_malloc(5000);
    T_fill(block, 5000, 7);
    for (size_t size = 5000; size > 1; size--) block = resize(block, size, size - 1, 7);
    T_free(block);
}

static void the_last_bytes_of_odd_sizes_are_kept(void)
{
    for (size_t size = 1; size <= 1100; size++) {
        unsigned char *block = T_must_malloc(size);
        memset(block, (int)(size % 251 + 1), size);
        block = T_realloc(block, size * 2 + 9);
        T_CHECK(block != NULL, "realloc of %zu bytes failed", size);
        for (size_t i = 0; i < size; i++)
            T_CHECK(block[i] == size % 251 + 1, "byte %zu of %zu was lost", i, size);
        T_free(block);
    }
}

static void from_every_boundary_to_every_boundary(void)
{
    enum { MIB = 1 << 20 };
    static const size_t sizes[] = {1,      8,      9,      16,   17,      32,      33,     64,
                                   65,     128,    129,    256,  257,     512,     513,    1024,
                                   1025,   2048,   4096,   4097, 16384,   32768,   32769,  65536,
                                   131072, 131073, 262144, MIB,  MIB + 1, 2 * MIB, 5 * MIB};
    enum { SIZES = sizeof sizes / sizeof sizes[0] };
    for (int from = 0; from < SIZES; from++) {
        for (int to = 0; to < SIZES; to++) {
            unsigned char *block = T_must_malloc(sizes[from]);
            size_t kept = sizes[from] < sizes[to] ? sizes[from] : sizes[to];
            T_fill(block, kept, (uint64_t)from);
            block = T_realloc(block, sizes[to]);
            T_CHECK(block != NULL, "realloc from %zu to %zu bytes failed", sizes[from], sizes[to]);
            T_CHECK_PATTERN(block, kept, (uint64_t)from);
            T_free(block);
        }
    }
}

static size_t random_size(uint64_t *random)
{
    uint64_t kind = T_random(random) % 100;
    if (kind < 80) return T_random_in(random, 1, 1200);
    return kind < 98 ? T_random_in(random, 1200, 100000) : T_random_in(random, 100000, 2 << 20);
}

static void a_random_walk_of_many_blocks(void)
{
    enum { BLOCKS = 64, STEPS = 40000 };
    unsigned char *blocks[BLOCKS] = {NULL};
    size_t sizes[BLOCKS] = {0};
    uint64_t random = 42;
    for (int step = 0; step < STEPS; step++) {
        size_t i = T_random(&random) % BLOCKS, size = random_size(&random);
        blocks[i] = resize(blocks[i], sizes[i], size, i);
        sizes[i] = size;
    }
    for (size_t i = 0; i < BLOCKS; i++) {
        T_CHECK_PATTERN(blocks[i], sizes[i], i);
        T_free(blocks[i]);
    }
}

// Two mapped blocks grow in turn and block each other's growth, so both growth in place and moves occur.
static void large_blocks_grow_and_shrink(void)
{
    unsigned char *blocks[2] = {NULL, NULL};
    size_t old = 0;
    for (size_t size = 64 << 10; size <= (32 << 20); size = size * 3 / 2) {
        for (int i = 0; i < 2; i++) blocks[i] = resize(blocks[i], old, size, (uint64_t)i);
        old = size;
    }
    for (size_t size = old / 3; size > 1000; size /= 3) {
        for (int i = 0; i < 2; i++) blocks[i] = resize(blocks[i], old, size, (uint64_t)i);
        old = size;
    }
    for (int i = 0; i < 2; i++) T_free(blocks[i]);
}

// A string that grows byte by byte must not copy a megabyte per byte, which would take seconds.
static void growing_a_large_block_in_small_steps_ends(void)
{
    unsigned char *block = NULL;
    for (size_t size = 1; size < (8 << 20); size += 1000) {
        block = T_realloc(block, size);
        T_CHECK(block != NULL, "realloc to %zu bytes failed", size);
        block[size - 1] = (unsigned char)size;
    }
    for (size_t size = 1; size < (8 << 20); size += 1000)
        T_CHECK(block[size - 1] == (unsigned char)size, "byte %zu was lost", size - 1);
    T_free(block);
}

int main(void)
{
    T_RUN(up_byte_by_byte);
    T_RUN(down_byte_by_byte);
    T_RUN(the_last_bytes_of_odd_sizes_are_kept);
    T_RUN(from_every_boundary_to_every_boundary);
    T_RUN(a_random_walk_of_many_blocks);
    T_RUN(large_blocks_grow_and_shrink);
    T_RUN(growing_a_large_block_in_small_steps_ends);
    return 0;
}
