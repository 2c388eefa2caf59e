// Blocks that hold the mark of their place: what the loads write into a block, and what they check before they free it.
//
// A block holds its size and the mark of its place in its first word, and a byte of the mark at its end. So a block
// that was handed out twice, that overlaps another, or that was written to by the allocator is found when it is freed,
// at the cost of the two cache lines that a program would touch anyway.
//
// mark: 32 bits made from the address of the place that holds the pointer to the block.

#ifndef BENCH_BLOCK_H
#define BENCH_BLOCK_H

#include "bench.h"

// How much of a block is written. Nothing is checked in blocks that are not.
enum bench_touched { TOUCH_NONE, TOUCH_ENDS, TOUCH_PAGES, TOUCH_LATE };

static const char *const bench_touch_words[] = {"none", "ends", "pages", "late", NULL};
#define BENCH_TOUCH_DOC "what is written: nothing, both ends, each page too, from byte 64 on"

enum { BENCH_LATE = 64, BENCH_PAGE = 4096 };

struct bench_label {
    uint32_t size, mark;
};

// The smallest block that has room for what is written.
static inline void bench_check_min(const struct bench_options *options, uint64_t touched)
{
    const uint64_t first = touched == TOUCH_LATE ? BENCH_LATE : 0;
    const uint64_t least = touched == TOUCH_NONE ? 1 : first + sizeof(struct bench_label);
    if (options->min < least) bench_die("--min is below %" PRIu64 ", which is needed for --touch", least);
}

BENCH_ALWAYS_INLINE uint32_t bench_mark_of(const void *place)
{
    return (uint32_t)((uintptr_t)place * UINT64_C(0x9e3779b97f4a7c15) >> 32);
}

__attribute__((noreturn, cold)) static inline void bench_spoilt(const void *block, uint32_t mark,
                                                                uint32_t found)
{
    bench_die("block %p was written to by someone else: it holds %08" PRIx32 ", not %08" PRIx32
              "; the allocator has written into it, or handed out memory twice",
              block, found, mark);
}

// The last byte is apart from the label where the block is larger than that.
BENCH_ALWAYS_INLINE bool bench_has_end(size_t size, uint64_t touched)
{
    return size > sizeof(struct bench_label) + (touched == TOUCH_LATE ? BENCH_LATE : 0);
}

BENCH_ALWAYS_INLINE void bench_label_block(unsigned char *block, size_t size, uint32_t mark, uint64_t touched)
{
    const struct bench_label label = {(uint32_t)size, mark};
    memcpy(block + (touched == TOUCH_LATE ? BENCH_LATE : 0), &label, sizeof label);
    if (bench_has_end(size, touched)) block[size - 1] = (unsigned char)mark;
}

// Check a fresh block and write what is to be written.
BENCH_ALWAYS_INLINE void bench_write(unsigned char *block, size_t size, uint32_t mark, uint64_t touched)
{
    if (__builtin_expect(block == NULL, 0)) bench_die("no memory for a block of %zu bytes", size);
    if (__builtin_expect((uintptr_t)block % sizeof(void *) != 0, 0))
        bench_die("block %p of %zu bytes is not aligned", (void *)block, size);
    if (touched == TOUCH_NONE) return;
    if (touched == TOUCH_PAGES)
        for (size_t at = BENCH_PAGE; at < size; at += BENCH_PAGE) block[at] = (unsigned char)at;
    bench_label_block(block, size, mark, touched);
}

// Check what was written. Returns the block; adds its size, where it is known, to the checksum.
BENCH_ALWAYS_INLINE unsigned char *bench_verify(unsigned char *block, uint32_t mark, uint64_t touched,
                                                uint64_t *checksum)
{
    if (touched == TOUCH_NONE) return block;
    struct bench_label label;
    memcpy(&label, block + (touched == TOUCH_LATE ? BENCH_LATE : 0), sizeof label);
    if (__builtin_expect(label.mark != mark, 0)) bench_spoilt(block, mark, label.mark);
    const unsigned char end =
        bench_has_end(label.size, touched) ? block[label.size - 1] : (unsigned char)mark;
    if (__builtin_expect(end != (unsigned char)mark, 0)) bench_spoilt(block, (unsigned char)mark, end);
    *checksum += label.size;
    return block;
}

// Write a fresh block, and keep it in its place.
BENCH_ALWAYS_INLINE void bench_put(unsigned char **place, unsigned char *block, size_t size, uint64_t touched)
{
    bench_write(block, size, bench_mark_of(place), touched);
    *place = block;
}

// Check the block in its place and take it out.
BENCH_ALWAYS_INLINE unsigned char *bench_take(unsigned char **place, uint64_t touched, uint64_t *checksum)
{
    unsigned char *block = *place;
    *place = NULL;
    return bench_verify(block, bench_mark_of(place), touched, checksum);
}

// Take the block from one place to another, whose mark it gets.
BENCH_ALWAYS_INLINE void bench_move(unsigned char **from, unsigned char **to, uint64_t touched)
{
    uint64_t size = 0;
    *to = bench_take(from, touched, &size);
    if (touched != TOUCH_NONE) bench_label_block(*to, size, bench_mark_of(to), touched);
}

// Free every block that is left in a table of places.
static inline void bench_free_places(unsigned char **places, uint64_t count, uint64_t touched,
                                     uint64_t *checksum)
{
    for (uint64_t i = 0; i < count; i++)
        if (places[i] != NULL) free(bench_take(&places[i], touched, checksum));
}

// ---- a random order without a table ----------------------------------------------------------------------

// Every number below `count` once: a linear congruence with full period over the next power of two; what it gives
// beyond the count is left out.
struct bench_order {
    uint64_t at, mask, count;
};

static inline struct bench_order bench_order_of(uint64_t count, uint64_t random)
{
    uint64_t mask = 1;
    while (mask + 1 < count) mask = mask * 2 + 1;
    return (struct bench_order){random & mask, mask, count};
}

BENCH_ALWAYS_INLINE uint64_t bench_order_next(struct bench_order *order)
{
    do order->at = (order->at * UINT64_C(0x5851f42d4c957f2d) + UINT64_C(0x14057b7ef767814f)) & order->mask;
    while (order->at >= order->count);
    return order->at;
}

#endif
