// Freed memory is reused: a second burst does not need more than the first, for any sizes.

#include "test.h"

enum { BURST = (T_THREAD_SANITIZER ? 32 : 256) << 20, SMALLEST = 64 };  // bytes

static void **blocks;

static void fill_blocks(size_t size, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        blocks[i] = T_must_malloc(size);
        memcpy(blocks[i], &i, sizeof i);
        memset((char *)blocks[i] + size - 1, 1, 1);
    }
}

static void check_and_free(size_t i)
{
    T_CHECK(memcmp(blocks[i], &i, sizeof i) == 0, "block %zu at %p is corrupt", i, blocks[i]);
    T_free(blocks[i]);
}

static void free_in_order(size_t count)
{
    for (size_t i = 0; i < count; i++) check_and_free(i);
}

// Every 64th block stays until the end of its round, so that slabs empty slowly and all at the same time.
static void free_in_strides(size_t count)
{
    for (size_t start = 0; start < 64; start++)
        for (size_t i = start; i < count; i += 64) check_and_free(i);
}

// Returns the resident memory of one burst at its peak.
static size_t burst(size_t size, void (*give_back)(size_t count))
{
    size_t count = BURST / size;
    fill_blocks(size, count);
    size_t peak = T_resident_kib();
    give_back(count);
    return peak;
}

static void check_peak(const char *which, size_t size, size_t peak, size_t first, size_t percent)
{
    if (T_SANITIZER && peak > first) return;  // its own tables grow
    T_CHECK(peak * 100 <= first * percent, "%s burst of %zu-byte blocks took %zu KiB, the first %zu KiB",
            which, size, peak, first);
}

static void bursts_of_one_size_take_the_same_memory(void)
{
    size_t first = burst(SMALLEST, free_in_order);
    check_peak("the second", SMALLEST, burst(SMALLEST, free_in_strides), first, 110);
    check_peak("the third", SMALLEST, burst(SMALLEST, free_in_order), first, 110);
}

// Memory that one class has freed must be usable by another.
static void bursts_of_other_sizes_take_the_same_memory(void)
{
    static const size_t sizes[] = {512, 4096, 128, 65536};
    size_t first = burst(SMALLEST, free_in_strides);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        check_peak("a later", sizes[i], burst(sizes[i], i % 2 ? free_in_order : free_in_strides), first, 125);
}

int main(void)
{
    blocks = T_pages((BURST / SMALLEST) * sizeof *blocks);
    T_RUN(bursts_of_one_size_take_the_same_memory);
    T_RUN(bursts_of_other_sizes_take_the_same_memory);
    return 0;
}
