// Large blocks: mappings, those that are kept for the next one, and their bounds.

#include "inside.h"

#include "large.h"
#include "tiny_link.h"

#define MIB ((size_t)1 << 20)

// What may be kept for the next block, as large.c has it.
#define MOST_CACHED (TINY_CHECKS >= TINY_CHECKS_FULL ? 32u : 8u)
#define MOST_CACHED_BYTES ((TINY_CHECKS >= TINY_CHECKS_FULL ? 64 : 32) * MIB)

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
    T_CHECK(given.cached <= MOST_CACHED && given.cached_bytes <= MOST_CACHED_BYTES,
            "%zu mappings of %zu bytes are kept", given.cached, given.cached_bytes);
    large_return(0, 0);
    T_CHECK(large_usage().cached == 0 && large_usage().cached_bytes == 0, "mappings are kept after a return");
    T_CHECK(!large_return(0, 0), "something went back twice");
}

static void a_block_keeps_its_contents_when_it_is_resized(void)
{
    bool zeroed;
    unsigned char *block = take(2 * MIB, 16, &zeroed), *neighbour = take(2 * MIB, 16, &zeroed);
    T_fill(block, 2 * MIB, 1);
    for (size_t size = 4 * MIB; size <= 48 * MIB; size *= 2) {
        unsigned char *resized = large_resize(block, size + T_CANARY);
        if (resized == NULL) continue; // it may be refused where the way back would be lost
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

int main(void)
{
    T_RUN(what_is_called_zeroed_is_zero);
    T_RUN(alignments_beyond_a_mapping_are_kept);
    T_RUN(blocks_and_cached_mappings_are_counted_and_bounded);
    T_RUN(a_block_keeps_its_contents_when_it_is_resized);
    T_RUN(misuse_ends_the_process);
    return 0;
}
