// Blocks that have their own mapping: content, growth, reuse, and many at a time.

#include "test.h"

static const size_t page = 4096;

// Touches one byte per page: this detects a mapping that is too short, without writing all of it.
static void touch_pages(unsigned char *block, size_t size, unsigned char value)
{
    for (size_t at = 0; at < size; at += page) block[at] = value;
    block[size - 1] = value;
}

static void check_pages(const unsigned char *block, size_t size, unsigned char value)
{
    for (size_t at = 0; at < size; at += page)
        T_CHECK(block[at] == value, "byte %zu of %zu was lost", at, size);
    T_CHECK(block[size - 1] == value, "the last byte of %zu was lost", size);
}

static void sizes_around_every_boundary(void)
{
    for (size_t power = 1 << 17; power <= (16 << 20); power *= 2) {
        static const int offsets[] = {-4097, -4096, -17, -1, 0, 1, 16, 4095, 4096};
        for (size_t i = 0; i < sizeof offsets / sizeof offsets[0]; i++) {
            size_t size = (size_t)((ptrdiff_t)power + offsets[i]);
            unsigned char *block = T_must_malloc(size);
            touch_pages(block, size, 0x5a);
            check_pages(block, size, 0x5a);
            T_free(block);
        }
    }
}

static void many_at_a_time(void)
{
    enum { COUNT = 300 };
    static unsigned char *blocks[COUNT];
    static size_t sizes[COUNT];
    uint64_t random = 21;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < COUNT; i++) {
            sizes[i] = T_random_in(&random, 100000, 2500000);
            blocks[i] = T_must_malloc(sizes[i]);
            touch_pages(blocks[i], sizes[i], (unsigned char)i);
        }
        for (int i = 0; i < COUNT; i++) {
            int other = (i * 7 + round) % COUNT;
            check_pages(blocks[other], sizes[other], (unsigned char)other);
            T_free(blocks[other]);
        }
    }
}

static void random_replacement(void)
{
    enum { COUNT = 24, STEPS = 2000 };
    static unsigned char *blocks[COUNT];
    static size_t sizes[COUNT];
    uint64_t random = 22;
    for (int step = 0; step < STEPS; step++) {
        size_t i = T_random(&random) % COUNT;
        if (blocks[i] != NULL) check_pages(blocks[i], sizes[i], (unsigned char)i);
        T_free(blocks[i]);
        sizes[i] = T_random_in(&random, 200000, 3000000);
        blocks[i] = T_must_malloc(sizes[i]);
        touch_pages(blocks[i], sizes[i], (unsigned char)i);
    }
    for (int i = 0; i < COUNT; i++) T_free(blocks[i]);
}

static void realloc_grows_to_half_a_gibibyte(void)
{
    size_t size = 1 << 20;
    unsigned char *block = T_must_malloc(size);
    touch_pages(block, size, 0x77);
    while (size < ((size_t)512 << 20)) {
        block = T_realloc(block, size * 2);
        T_CHECK(block != NULL, "realloc to %zu bytes failed", size * 2);
        check_pages(block, 1 << 20, 0x77);
        block[size * 2 - 1] = 1;
        size *= 2;
    }
    block = T_realloc(block, 1 << 20);
    T_CHECK(block != NULL, "realloc back to a mebibyte failed");
    check_pages(block, 1 << 20, 0x77);
    T_free(block);
}

static void calloc_is_zero_each_time(void)
{
    for (int round = 0; round < 6; round++) {
        size_t size = (size_t)(1 + round % 3) * 3000000;
        unsigned char *block = T_calloc(1, size);
        T_CHECK(block != NULL, "calloc of %zu bytes failed", size);
        T_CHECK(T_is_zero(block, size), "calloc of %zu bytes is not zero", size);
        memset(block, 0xff, size);
        T_free(block);
    }
}

// Large blocks must not stay in memory for ever: 1 GiB of traffic, one block at a time.
static void traffic_leaves_no_memory_in_use(void)
{
    size_t before = T_resident_kib();
    for (size_t i = 0; i < 64; i++) {
        size_t size = (16 << 20) + i * 100000;
        unsigned char *block = T_must_malloc(size);
        touch_pages(block, size, 1);
        T_free(block);
    }
    size_t after = T_resident_kib();
    if (T_SANITIZER) return;
    T_CHECK(after < before + (64 << 10), "large blocks that were freed left %zu KiB in use", after - before);
}

// ---- addresses that one thread frees are used by another at once

static atomic_bool stop;

// Adjacent blocks that grow in turn block each other's growth.
static void *keep_moving(void *argument)
{
    enum { BLOCKS = 4, FIRST = 1200 << 10, LAST = 5 << 20, STEPS = T_THREAD_SANITIZER ? 500 : 2000 };
    unsigned char *blocks[BLOCKS] = {NULL};
    size_t sizes[BLOCKS] = {0};
    uint64_t random = (uintptr_t)argument;
    for (int step = 0; step < STEPS; step++) {
        size_t i = T_random(&random) % BLOCKS, wanted = sizes[i] == 0 ? FIRST : sizes[i] * 5 / 4;
        if (blocks[i] != NULL) check_pages(blocks[i], FIRST / 2, (unsigned char)i);
        if (wanted > LAST) {
            T_free(blocks[i]);
            blocks[i] = NULL;
            wanted = FIRST;
        }
        blocks[i] = T_realloc(blocks[i], wanted);
        T_CHECK(blocks[i] != NULL, "realloc from %zu to %zu bytes failed", sizes[i], wanted);
        touch_pages(blocks[i], FIRST / 2, (unsigned char)i);
        sizes[i] = wanted;
    }
    for (int i = 0; i < BLOCKS; i++) T_free(blocks[i]);
    return NULL;
}

// Bursts of small and medium blocks that are returned to the system each time.
static void *keep_mapping(void *argument)
{
    enum { BLOCKS = 6000 };
    void **blocks = argument;
    for (size_t round = 0; !atomic_load(&stop); round++) {
        size_t size = round % 2 ? 700 : 40000, count = round % 2 ? BLOCKS : BLOCKS / 60;
        for (size_t i = 0; i < count; i++) T_fill(blocks[i] = T_must_malloc(size), 64, i);
        for (size_t i = 0; i < count; i++) {
            T_CHECK_PATTERN(blocks[i], 64, i);
            T_free(blocks[i]);
        }
        T_malloc_trim(0);
    }
    return NULL;
}

static void moving_blocks_leave_their_old_place_for_good(void)
{
    pthread_t moving[2], mapping[2];
    for (uintptr_t i = 0; i < 2; i++) {
        mapping[i] = T_thread(keep_mapping, T_pages(6000 * sizeof(void *)));
        moving[i] = T_thread(keep_moving, (void *)(i + 1));
    }
    for (int i = 0; i < 2; i++) T_join(moving[i]);
    atomic_store(&stop, true);
    for (int i = 0; i < 2; i++) T_join(mapping[i]);
}

int main(void)
{
    T_RUN(sizes_around_every_boundary);
    T_RUN(many_at_a_time);
    T_RUN(random_replacement);
    T_RUN(realloc_grows_to_half_a_gibibyte);
    T_RUN(calloc_is_zero_each_time);
    T_RUN(traffic_leaves_no_memory_in_use);
    T_RUN(moving_blocks_leave_their_old_place_for_good);
    return 0;
}
