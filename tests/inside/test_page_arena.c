// Page arena: runs of units are carved, joined, resized in place, and returned.

#include "inside.h"

#include "heap/arena_asked.h"
#include "heap/arena_return.h"
#include "heap/large.h"
#include "heap/page_arena.h"
#include "os/os.h"
#include "registry/tiny_link.h"

// With full checks, a run is noted as allocated, and claimed before it is freed.
static void note(void *block, size_t size)
{
    if (TINY_CHECKS >= TINY_CHECKS_FULL) page_arena_note(block, size);
}

static unsigned char *take(size_t size, size_t alignment)
{
    bool zeroed;
    unsigned char *block = page_arena_alloc(size + T_CANARY, alignment, &zeroed);
    T_CHECK(block != NULL, "no run of %zu bytes", size);
    T_CHECK_ALIGNED(block, alignment);
    note(block, size);
    return block;
}

static void give(void *block)
{
    size_t size;
    if (TINY_CHECKS >= TINY_CHECKS_FULL) page_arena_claim(block, &size);
    page_arena_free(block);
}

static void check_waste(size_t size)
{
    unsigned char *block = take(size, 16);
    size_t usable = page_arena_usable_size(block, "no run");
    T_CHECK(usable >= size, "%zu of %zu bytes are usable", usable, size);
    size_t most = size + size / 8 + (T_CANARY ? 2 : 1) * PAGE_ARENA_UNIT;
    T_CHECK(usable <= most, "%zu bytes are used for %zu", usable, size);
    give(block);
}

static void little_is_wasted(void)
{
    for (size_t size = 1; size < PAGE_ARENA_MAX_SIZE - T_CANARY; size = size * 9 / 8 + 1) check_waste(size);
    check_waste(PAGE_ARENA_MAX_SIZE - T_CANARY);
}

static void runs_of_any_alignment_do_not_overlap(void)
{
    enum { RUNS = 200, STEPS = 20000 };
    static unsigned char *runs[RUNS];
    static size_t sizes[RUNS];
    page_arena_usage_t before = page_arena_usage();
    uint64_t random = 5;
    for (int step = 0; step < STEPS; step++) {
        size_t i = T_random(&random) % RUNS;
        if (runs[i] != NULL) {
            T_CHECK_PATTERN(runs[i], 64, i);
            T_CHECK_PATTERN(runs[i] + sizes[i] - 64, 64, i);
            give(runs[i]);
        }
        sizes[i] = T_random_in(&random, 128, T_random(&random) % 16 == 0 ? 300000 : 9000) & ~(size_t)7;
        runs[i] = take(sizes[i], (size_t)16 << (T_random(&random) % 10));
        T_fill(runs[i], 64, i);
        T_fill(runs[i] + sizes[i] - 64, 64, i);
    }
    for (int i = 0; i < RUNS; i++)
        if (runs[i] != NULL) give(runs[i]);
    page_arena_usage_t after = page_arena_usage();
    T_CHECK(after.bytes_used == before.bytes_used, "%zu bytes are left in use", after.bytes_used);
}

// Free neighbours form one run, in any order of frees.
static void free_neighbours_are_joined(void)
{
    enum { RUNS = 299 };
    static unsigned char *runs[RUNS];
    for (int order = 1; order < 8; order += 2) {
        for (int i = 0; i < RUNS; i++) runs[i] = take(10000, 16);
        size_t chunks = page_arena_usage().chunks;
        for (int i = 0; i < RUNS; i++) give(runs[(i * order) % RUNS]);
        unsigned char *large[3];
        for (int i = 0; i < 3; i++) large[i] = take(PAGE_ARENA_MAX_SIZE - 4096, 16);
        T_CHECK(page_arena_usage().chunks <= chunks, "free runs were not joined");
        for (int i = 0; i < 3; i++) give(large[i]);
    }
}

static void a_run_grows_only_into_free_room_after_it(void)
{
    unsigned char *block = take(20000, 16), *next = take(20000, 16);
    if (next < block) {
        unsigned char *other = block;
        block = next;
        next = other;
    }
    T_fill(block, 20000, 1);
    T_CHECK(!page_arena_resize(block, 900000), "a run grew over one in use");
    T_CHECK(page_arena_usable_size(block, "no run") < 900000,
            "a run that did not grow keeps its usable size");
    give(next);
    if (page_arena_resize(block, 35000 + T_CANARY)) note(block, 35000);
    T_CHECK_PATTERN(block, 20000, 1);
    T_CHECK(page_arena_resize(block, 5000 + T_CANARY), "a run did not shrink");
    note(block, 5000);
    T_CHECK(page_arena_usable_size(block, "no run") < 10000, "a run that has shrunk is as large as before");
    T_CHECK_PATTERN(block, 5000, 1);
    give(block);
}

// An aligned request uses a hole of exactly its size at a suitable address.
static void aligned_holes_are_used_again(void)
{
    enum { RUNS = 20 };
    size_t alignment = HAK_PAGE, size = 100000;
    unsigned char *aligned[RUNS], *between[RUNS], *again[RUNS];
    for (int i = 0; i < RUNS; i++) {
        aligned[i] = take(size, alignment);
        between[i] = take(40000, 16);
    }
    for (int i = 0; i < RUNS; i++) give(aligned[i]);
    size_t chunks = page_arena_usage().chunks;
    for (int i = 0; i < RUNS; i++) again[i] = take(size, alignment);
    T_CHECK(page_arena_usage().chunks == chunks, "%zu chunks instead of %zu", page_arena_usage().chunks,
            chunks);
    for (int i = 0; i < RUNS; i++) {
        give(between[i]);
        give(again[i]);
    }
}

// Purged memory is as good as fresh memory.
static void what_is_called_zeroed_is_zero(void)
{
    unsigned char *keeper = take(40000, 16); // otherwise the chunk would be unmapped as a whole
    for (int round = 0; round < 4; round++) {
        bool zeroed;
        unsigned char *block = page_arena_alloc(300000, 16, &zeroed);
        note(block, 300000 - T_CANARY);
        T_CHECK(!zeroed || T_is_zero(block, 300000), "a run that is called zeroed is not");
        T_CHECK(T_CANARY || PAGE_ARENA_UNIT < OS_PAGE || zeroed || round == 0,
                "a purged run is not called zeroed");
        memset(block, 1, 300000 - T_CANARY);
        give(block);
        page_arena_return(SIZE_MAX, os_clock_ms(), 0);
    }
    give(keeper);
}

// Any number of free runs is returned in steps of a bounded number of bytes.
static void memory_goes_back_in_steps(void)
{
    enum { RUNS = 600, STEP = 1 << 20 };
    static unsigned char *runs[RUNS];
    for (int i = 0; i < RUNS; i++) memset(runs[i] = take(60000, 16), 1, 60000);
    page_arena_return(SIZE_MAX, os_clock_ms(), 0);
    for (int i = 0; i < RUNS; i += 2) give(runs[i]);
    size_t gone = 0, step;
    while ((step = page_arena_return(STEP, os_clock_ms(), 0)) > 0) {
        T_CHECK(step <= STEP + PAGE_ARENA_CHUNK, "%zu bytes went back at once", step);
        gone += step;
    }
    T_CHECK(gone >= RUNS / 2 * 60000, "only %zu bytes went back", gone);
    for (int i = 1; i < RUNS; i += 2) give(runs[i]);
}

static void what_is_free_goes_back(void)
{
    unsigned char *blocks[40];
    for (int i = 0; i < 40; i++) memset(blocks[i] = take(500000, 16), 1, 500000);
    for (int i = 0; i < 40; i++) give(blocks[i]);
    page_arena_return(SIZE_MAX, os_clock_ms(), 0);
    page_arena_usage_t usage = page_arena_usage();
    T_CHECK(usage.chunks * PAGE_ARENA_CHUNK <= usage.bytes_used + PAGE_ARENA_CHUNK,
            "%zu chunks are left for %zu bytes", usage.chunks, usage.bytes_used);
}

// Otherwise a program that frees large blocks and then allocates medium ones would hold the memory of both.
static void free_large_blocks_become_chunks(void)
{
    enum { SIZE = 16 << 20, RUNS = 20, RUN = 300000 };
    unsigned char *runs[RUNS];
    bool zeroed;
    if (TINY_CHECKS >= TINY_CHECKS_FULL) return; // a freed block's memory is not used again soon there
    page_arena_return(SIZE_MAX, os_clock_ms(), 0);
    size_t chunks = page_arena_usage().chunks;
    unsigned char *block = large_alloc(SIZE, 16, &zeroed);
    T_CHECK(block != NULL, "no block");
    memset(block, 1, SIZE);
    large_free(block);
    unsigned inside = 0;
    for (int i = 0; i < RUNS; i++) {
        runs[i] = page_arena_alloc(RUN, 16, &zeroed);
        bool within = runs[i] >= block && runs[i] < block + SIZE;
        T_CHECK(!within || !zeroed, "a run with old contents is called zeroed");
        inside += within;
    }
    T_CHECK(page_arena_usage().chunks > chunks && inside >= RUNS - PAGE_ARENA_CHUNK / RUN,
            "only %u of %d runs lie in what was free", inside, RUNS);
    for (int i = 0; i < RUNS; i++) give(runs[i]);
    size_t dirty = page_arena_usage().bytes_dirty;
    T_CHECK(dirty >= (size_t)RUNS * RUN, "only %zu free bytes hold memory", dirty);
    T_CHECK(page_arena_return(SIZE_MAX, os_clock_ms(), 0) >= dirty, "not all of it is returned");
    large_return(SIZE_MAX, os_clock_ms(), 0);
}

static void misuse_ends_the_process(void)
{
    unsigned char *block = take(50000, 16);
    T_CHECK_DIES(give(block + PAGE_ARENA_UNIT));
    T_CHECK_DIES(give(block + 8));
    T_CHECK_DIES(page_arena_usable_size(block + 2 * PAGE_ARENA_UNIT, "no run"));
    give(block);
    T_CHECK_DIES(give(block));
}

int main(void)
{
    T_RUN(little_is_wasted);
    T_RUN(runs_of_any_alignment_do_not_overlap);
    T_RUN(free_neighbours_are_joined);
    T_RUN(a_run_grows_only_into_free_room_after_it);
    T_RUN(aligned_holes_are_used_again);
    T_RUN(what_is_called_zeroed_is_zero);
    T_RUN(memory_goes_back_in_steps);
    T_RUN(what_is_free_goes_back);
    T_RUN(free_large_blocks_become_chunks);
    T_RUN(misuse_ends_the_process);
    return 0;
}
