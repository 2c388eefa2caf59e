// Large blocks: mappings, cached extents, and their bounds.

#include "inside.h"

#include "heap/large.h"
#include "heap/large_asked.h"
#include "os/os.h"
#include "registry/tiny_link.h"

#define MIB ((size_t)1 << 20)

// What may be cached, as in large.c: what the recent peak exceeds the bytes in use; with full checks, also what waits.
#define IS_HARDENED (TINY_CHECKS >= TINY_CHECKS_FULL)

static unsigned char *take(size_t size, size_t alignment, bool *zeroed)
{
    unsigned char *block = large_alloc(size + T_CANARY, alignment, zeroed);
    T_CHECK(block != NULL, "no block of %zu bytes", size);
    T_CHECK_ALIGNED(block, alignment);
    if (TINY_CHECKS >= TINY_CHECKS_FULL) large_note(block, size);
    return block;
}

static void give(void *block)
{
    size_t size;
    if (TINY_CHECKS >= TINY_CHECKS_FULL) large_claim(block, &size);
    large_free(block);
}

static size_t give_back_all(void)
{
    return large_return(SIZE_MAX, os_clock_ms(), 0);
}

static void what_is_called_zeroed_is_zero(void)
{
    for (int round = 0; round < 6; round++) {
        bool zeroed;
        unsigned char *block = take(2 * MIB, 16, &zeroed);
        if (zeroed) T_CHECK(T_is_zero(block, 2 * MIB), "a block that is called zeroed is not");
        memset(block, 0xff, 2 * MIB);
        give(block);
    }
}

static void alignments_beyond_a_mapping_are_kept(void)
{
    bool zeroed;
    for (size_t alignment = 16; alignment <= 64 * MIB; alignment *= 8) {
        unsigned char *block = take(3 * MIB, alignment, &zeroed);
        block[0] = block[3 * MIB - 1] = 1;
        give(block);
    }
}

static void blocks_and_cached_mappings_are_counted_and_bounded(void)
{
    enum { BLOCKS = 40 };
    unsigned char *blocks[BLOCKS];
    bool zeroed;
    large_usage_t before = large_usage();
    for (int i = 0; i < BLOCKS; i++) blocks[i] = take(5 * MIB + (size_t)i * HAK_PAGE, 16, &zeroed);
    large_usage_t taken = large_usage();
    T_CHECK(taken.blocks == before.blocks + BLOCKS, "%zu blocks are counted", taken.blocks);
    T_CHECK(taken.bytes >= before.bytes + BLOCKS * 5 * MIB, "%zu bytes are counted", taken.bytes);
    for (int i = 0; i < BLOCKS; i++) give(blocks[i]);
    large_usage_t given = large_usage();
    T_CHECK(given.blocks == before.blocks && given.bytes == before.bytes, "blocks are left over");
    size_t peak = taken.bytes > 64 * MIB ? taken.bytes : 64 * MIB;
    size_t most = peak + peak / 4 + (IS_HARDENED ? 64 * MIB : 0); // a quarter more is allowed
    T_CHECK(given.cached_bytes <= most, "%zu extents of %zu bytes are kept", given.cached,
            given.cached_bytes);
    give_back_all();
    T_CHECK(large_usage().cached == 0 && large_usage().cached_bytes == 0, "mappings are kept after a return");
    T_CHECK(give_back_all() == 0, "memory was returned twice");
}

// Neighbours that were freed one by one serve a block of their total length, and a block is cut out of a longer extent:
// the same memory is used all the time.
static void free_extents_are_joined_and_split(void)
{
    enum { PARTS = 8 };
    bool zeroed;
    if (IS_HARDENED) return; // extents are not reused there
    give_back_all();
    unsigned char *whole = take(PARTS * 2 * MIB, 16, &zeroed);
    give(whole);
    for (int order = 1; order < 8; order += 2) {
        unsigned char *parts[PARTS];
        for (int i = 0; i < PARTS; i++) {
            parts[i] = take(2 * MIB, 16, &zeroed);
            T_CHECK(!zeroed && parts[i] >= whole && parts[i] < whole + PARTS * 2 * MIB,
                    "part %d is no part of what was free", i);
            memset(parts[i], i, 2 * MIB);
        }
        for (int i = 0; i < PARTS; i++) {
            T_CHECK(parts[i][0] == i && parts[i][2 * MIB - 1] == i, "part %d lies in another", i);
            give(parts[(i * order) % PARTS]);
        }
        T_CHECK(large_usage().cached == 1, "%zu extents are left of one", large_usage().cached);
        unsigned char *again = take(PARTS * 2 * MIB, 16, &zeroed);
        T_CHECK(again == whole && !zeroed, "the joined extents were not used");
        give(again);
    }
}

static void aligned_blocks_are_cut_out_of_free_extents(void)
{
    bool zeroed;
    if (IS_HARDENED) return;
    give_back_all();
    unsigned char *whole = take(16 * MIB, 16, &zeroed);
    give(whole);
    for (size_t alignment = HAK_PAGE; alignment <= 4 * MIB; alignment *= 2) {
        unsigned char *block = take(2 * MIB, alignment, &zeroed);
        T_CHECK(!zeroed, "a new mapping was made for an alignment of %zu", alignment);
        give(block);
        T_CHECK(large_usage().cached == 1, "what was cut off was not joined again");
    }
}

static void free_extents_serve_other_pools(void)
{
    bool zeroed;
    uint32_t freed_at = 0;
    give_back_all();
    unsigned char *whole = take(16 * MIB, 16, &zeroed);
    memset(whole, 1, 16 * MIB);
    give(whole);
    uint32_t now = os_clock_ms();
    size_t cached = large_usage().cached_bytes;
    unsigned char *part = (void *)large_give_up(2 * MIB, 2 * MIB, &freed_at);
    if (IS_HARDENED) { // what was freed there must not be used again soon
        T_CHECK(part == NULL, "a freed block's memory went to another pool");
        return;
    }
    T_CHECK(part >= whole && part + 2 * MIB <= whole + 16 * MIB, "%p is not of the free extent",
            (void *)part);
    T_CHECK_ALIGNED(part, 2 * MIB);
    T_CHECK(part[0] == 1 && part[2 * MIB - 1] == 1, "the memory was returned first");
    T_CHECK(now - freed_at < 1000, "freed %u ms ago", now - freed_at);
    T_CHECK(large_usage().cached_bytes == cached - 2 * MIB, "%zu of %zu bytes are free",
            large_usage().cached_bytes, cached);
    T_CHECK(large_give_up(32 * MIB, HAK_PAGE, &freed_at) == NULL, "more was given up than was free");
    T_CHECK(large_usage().cached_bytes == cached - 2 * MIB, "a refusal took something away");
    unsigned char *rest[6];
    for (int i = 0; i < 6; i++) {
        rest[i] = take(MIB, 16, &zeroed);
        memset(rest[i], 2, MIB);
    }
    T_CHECK(part[0] == 1 && part[2 * MIB - 1] == 1, "a block lies in what was given up");
    T_CHECK_DIES(large_free(part));
    for (int i = 0; i < 6; i++) give(rest[i]);
    os_unmap(part, 2 * MIB);
    give_back_all();
}

// No block overlaps another one, for any sequence of operations.
static void blocks_never_overlap_while_others_come_and_go(void)
{
    enum { BLOCKS = 30, STEPS = 3000 };
    static unsigned char *blocks[BLOCKS];
    static size_t sizes[BLOCKS];
    uint64_t random = 9;
    for (int step = 0; step < STEPS; step++) {
        size_t i = T_random(&random) % BLOCKS, size = T_random_in(&random, 1 * MIB, 6 * MIB) & ~(size_t)7;
        bool zeroed;
        if (blocks[i] != NULL) {
            T_CHECK_PATTERN(blocks[i], 64, i);
            T_CHECK_PATTERN(blocks[i] + sizes[i] - 64, 64, i);
        }
        if (blocks[i] != NULL && T_random(&random) % 3 == 0) {
            unsigned char *resized = large_resize(blocks[i], size + T_CANARY);
            if (resized == NULL) continue;
            blocks[i] = resized;
            if (IS_HARDENED) large_note(resized, size);
            T_CHECK_PATTERN(blocks[i], 64, i);
        } else {
            if (blocks[i] != NULL) give(blocks[i]);
            blocks[i] = take(size, T_random(&random) % 4 == 0 ? MIB : 16, &zeroed);
            T_CHECK(!zeroed || T_is_zero(blocks[i], size), "a block that is called zeroed is not");
        }
        sizes[i] = size;
        T_fill(blocks[i], 64, i);
        T_fill(blocks[i] + size - 64, 64, i);
    }
    for (int i = 0; i < BLOCKS; i++)
        if (blocks[i] != NULL) give(blocks[i]);
}

static void a_block_keeps_its_contents_when_it_is_resized(void)
{
    bool zeroed;
    unsigned char *block = take(2 * MIB, 16, &zeroed), *neighbour = take(2 * MIB, 16, &zeroed);
    T_fill(block, 2 * MIB, 1);
    for (size_t size = 4 * MIB; size <= 48 * MIB; size *= 2) {
        unsigned char *resized = large_resize(block, size + T_CANARY);
        if (resized == NULL) continue; // it may be refused if a failed move could not be undone
        block = resized;
        if (TINY_CHECKS >= TINY_CHECKS_FULL) large_note(block, size);
        T_CHECK(large_usable_size(block) >= size, "%zu bytes after a resize to %zu", large_usable_size(block),
                size);
        T_CHECK_PATTERN(block, 2 * MIB, 1);
        block[size - 1] = 1;
    }
    unsigned char *shrunk = large_resize(block, 2 * MIB + T_CANARY);
    if (shrunk != NULL && TINY_CHECKS >= TINY_CHECKS_FULL) large_note(shrunk, 2 * MIB);
    block = shrunk != NULL ? shrunk : block;
    T_CHECK_PATTERN(block, 2 * MIB, 1);
    give(block);
    give(neighbour);
}

static void misuse_ends_the_process(void)
{
    bool zeroed;
    unsigned char *block = take(2 * MIB, 16, &zeroed);
    T_CHECK_DIES(give(block + 64));
    T_CHECK_DIES(give(block + HAK_PAGE));
    give(block);
    T_CHECK_DIES(give(block));
}

// Their addresses wait, so that the program's late accesses are found; returning them would free no memory.
static void hidden_blocks_wait_until_everything_is_returned(void)
{
    if (!IS_HARDENED) return;
    bool zeroed;
    for (int i = 0; i < 4; i++) give(take(4 * MIB, 16, &zeroed));
    size_t hidden = large_usage().hidden_bytes;
    T_CHECK(hidden >= 4 * MIB, "only %zu bytes wait", hidden);
    large_return(8 * MIB, os_clock_ms(), 0);
    T_CHECK(large_usage().hidden_bytes == hidden, "%zu bytes are left", large_usage().hidden_bytes);
    large_return(SIZE_MAX, os_clock_ms(), 0);
    T_CHECK(large_usage().hidden_bytes == 0, "%zu bytes are left", large_usage().hidden_bytes);
}

int main(void)
{
    T_RUN(hidden_blocks_wait_until_everything_is_returned); // first, while guards are allowed
    T_RUN(what_is_called_zeroed_is_zero);
    T_RUN(alignments_beyond_a_mapping_are_kept);
    T_RUN(blocks_and_cached_mappings_are_counted_and_bounded);
    T_RUN(free_extents_are_joined_and_split);
    T_RUN(aligned_blocks_are_cut_out_of_free_extents);
    T_RUN(free_extents_serve_other_pools);
    T_RUN(blocks_never_overlap_while_others_come_and_go);
    T_RUN(a_block_keeps_its_contents_when_it_is_resized);
    T_RUN(misuse_ends_the_process);
    return 0;
}
