// Blocks that describe themselves, so that any thread that finds one can check it.
//
// block: a header and a content that is derived from it. mark: shows that the block is live, and its address. It is
// cleared before the block is freed, so that a lost, copied or doubly allocated block is detected.

#ifndef BLOCK_H
#define BLOCK_H

#include "test.h"

#define BLOCK_MAGIC UINT64_C(0x6b636f6c42657641)

struct block {
    uint64_t mark;
    uint32_t size; // bytes, including this header
    uint32_t seed;
    unsigned char content[];
};

static inline uint64_t block_mark(const struct block *block)
{
    return BLOCK_MAGIC ^ (uintptr_t)block;
}

// Writes header and content into newly allocated memory.
static inline struct block *block_write(void *memory, size_t size, uint64_t seed)
{
    struct block *block = memory;
    block->mark = block_mark(block);
    block->size = (uint32_t)size;
    block->seed = (uint32_t)seed;
    T_fill(block->content, size - sizeof *block, block->seed);
    return block;
}

// Returns a live block with at least the header's 16 bytes.
static inline struct block *block_new(size_t size, uint64_t seed)
{
    if (size < sizeof(struct block)) size = sizeof(struct block);
    return block_write(T_must_malloc(size), size, seed);
}

static inline void block_check(const struct block *block)
{
    T_CHECK_ALIGNED(block, 16);
    T_CHECK(block->mark == block_mark(block), "no live block at %p", (const void *)block);
    size_t size = block->size - sizeof *block, at = T_mismatch(block->content, size, block->seed);
    T_CHECK(at == size, "block %p of %u bytes is corrupt from byte %zu on", (const void *)block, block->size,
            at + sizeof *block);
}

static inline void block_free(struct block *block)
{
    block_check(block);
    block->mark = 0;
    T_free(block);
}

// Mostly tiny, sometimes medium, rarely large: the mix of a typical program, which reaches every path of an allocator.
static inline size_t block_random_size(uint64_t *random)
{
    uint64_t kind = T_random(random) % 1000;
    if (kind < 920) return T_random_in(random, sizeof(struct block), 1200);
    return kind < 998 ? T_random_in(random, 1200, 20000) : T_random_in(random, 20000, 600000);
}

#endif
