// Canaries and fill: they reveal writes outside a block and writes to a free block. Empty below TINY_CHECKS_FULL.
//
// canary: the bytes from the end of the requested size on, at most CANARY_MOST of them, and the post. They repeat the
// block's word, which depends on a secret and on the block's address. No byte of it is 0, so that a string's terminator
// written there is noticed. The cost does not grow with the memory that a class leaves unused; see docs/hardening.md for
// what that misses.
// post: the last word of a block's memory. It stands there whether the block is in use or free, so that a check of a
// block can also check the block before it.
// fill: the contents of a free block.
#ifndef CANARY_H
#define CANARY_H

#include <string.h>

#include "os/hak_types.h"
#include "os/os.h"
#include "registry/tiny_link.h"

#if TINY_CHECKS >= TINY_CHECKS_FULL

#define CANARY_DOUBLE_FREE "double free"
#define CANARY_OVERFLOW "overflow: the bytes behind a block were written to"
#define CANARY_UNDERFLOW "underflow: the bytes in front of a block were written to"
#define CANARY_WRITTEN "use after free: a free block was written to"

#define CANARY_POST ((size_t)8)
#define CANARY_GUARD OS_PAGE // before and after each mapping of blocks

// Returns the inaccessible bytes at a slab's end: none if the pages of the MMU are too large for that.
static inline size_t canary_slab_guard(void)
{
    return OS_PAGE <= HAK_PAGE / 16 ? OS_PAGE : 0;
}

#define CANARY_MOST ((size_t)64)

#define CANARY_NO_BYTE_IS_ZERO UINT64_C(0x0101010101010101)
#define CANARY_FILL UINT64_C(0xdfdfdfdfdfdfdfdf) // neither an address of a program nor a small number

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "a word's upper bytes lie behind its lower ones");

// The program's memory is read and written as words and lanes, independent of the types it used.
typedef uint64_t __attribute__((may_alias)) canary_word_t;
typedef uint64_t __attribute__((vector_size(16), aligned(8), may_alias)) canary_lane_t;

// Returns the word of the block whose memory ends at `end`, a multiple of 8.
static inline uint64_t canary_word_for(uint64_t secret, const void *end)
{
    return tiny_pad_with(secret, (const canary_word_t *)end - 1) | CANARY_NO_BYTE_IS_ZERO;
}

// A post may be read and written by the owners of both blocks that it lies between, at the same time; all write the same.
static inline uint64_t canary_read(const canary_word_t *word)
{
    return __atomic_load_n(word, __ATOMIC_RELAXED);
}

static inline bool canary_has_word(const void *end, uint64_t word)
{
    return canary_read((const canary_word_t *)end - 1) == word;
}

static inline void canary_set_post(void *end)
{
    __atomic_store_n((canary_word_t *)end - 1, canary_word_for(tiny_secret(), end), __ATOMIC_RELAXED);
}

static inline bool canary_has_post(const void *end)
{
    return canary_has_word(end, canary_word_for(tiny_secret(), end));
}

// canary_row: the aligned words that contain the canary, except for the post. `own`: the canary's bytes in the first one.
typedef struct canary_row {
    canary_word_t *first; // the post, if that is all of the canary
    canary_word_t *post;
    uint64_t own;
} canary_row_t;

static inline canary_row_t canary_row_of(const char *start, char *end)
{
    canary_word_t *first = (canary_word_t *)((uintptr_t)start & ~(uintptr_t)7);
    return (canary_row_t){first, (canary_word_t *)(void *)end - 1, UINT64_MAX << ((uintptr_t)start & 7) * 8};
}

// A processor cannot predict how many words a block's canary has. So CANARY_ALIKE words are treated alike, and as many again
// in blocks whose classes leave more unused: words that the canary does not have are replaced by its last one.
#define CANARY_ALIKE 4u
#define CANARY_LONGER ((size_t)256) // blocks of larger classes often have longer canaries
_Static_assert(CANARY_MOST == 2 * CANARY_ALIKE * sizeof(canary_word_t),
               "two groups of words are a whole canary");

static inline canary_word_t *canary_at(canary_word_t *word, canary_word_t *last)
{
    return word < last ? word : last;
}

static inline bool canary_may_be_long(canary_row_t row, const char *block, const char *end)
{
    return end - block > (ptrdiff_t)CANARY_LONGER || row.first + CANARY_ALIKE < row.post;
}

// ---- canaries by lanes
//
// canary_mask: 0 in its first half, ff in its second. A lane loaded from it selects those bytes of a lane that are the canary's.
#define CANARY_MASK ((size_t)64)
extern const unsigned char canary_mask[2 * CANARY_MASK];
typedef uint64_t __attribute__((vector_size(16), aligned(1), may_alias)) canary_any_lane_t;
typedef uint64_t __attribute__((aligned(1), may_alias)) canary_any_word_t;

static inline bool canary_lanes_are_zero(canary_lane_t lanes)
{
    return (lanes[0] | lanes[1]) == 0;
}

// Short canaries: the last CANARY_ENDS lanes of a block contain all of it and the post.
#define CANARY_ENDS 3u
#define CANARY_SHORT (CANARY_ENDS * sizeof(canary_lane_t))

// Returns the mask for the `i`th lane from the end, i > 0, of a block whose last `bytes` bytes are the canary and the post.
static inline const void *canary_mask_at(size_t bytes, unsigned i)
{
    return canary_mask + CANARY_MASK - i * sizeof(canary_lane_t) + bytes;
}

// The `i`th lane from the end, or the first one of a block that has fewer.
static inline canary_lane_t *canary_lane_from(const char *block, const char *end, unsigned i)
{
    const char *lane = end - i * sizeof(canary_lane_t);
    return (canary_lane_t *)(uintptr_t)(lane > block ? lane : block);
}

ALWAYS_INLINE bool canary_short_is_whole(uint64_t word, const char *block, size_t bytes, const char *end)
{
    const canary_lane_t words = {word, word};
    canary_lane_t differences = {0, 0};
#pragma GCC unroll 3
    for (unsigned i = 1; i <= CANARY_ENDS; i++)
        differences |=
            (*canary_lane_from(block, end, i) ^ words) & *(const canary_any_lane_t *)canary_mask_at(bytes, i);
    return canary_lanes_are_zero(differences);
}

// Writes the canary, and the fill before it, but not the post. The first lane from the end comes last, because a lane that
// a block does not have is one that it has.
ALWAYS_INLINE void canary_set_short(uint64_t word, char *block, size_t bytes, char *end)
{
    const canary_lane_t fill = {CANARY_FILL, CANARY_FILL}, change = {word ^ CANARY_FILL, word ^ CANARY_FILL};
    if (LIKELY(end - block > (ptrdiff_t)sizeof fill)) {
#pragma GCC unroll 2
        for (unsigned i = CANARY_ENDS; i > 1; i--)
            *canary_lane_from(block, end, i) =
                fill ^ (change & *(const canary_any_lane_t *)canary_mask_at(bytes, i));
    }
    uint64_t mask = *(const canary_any_word_t *)canary_mask_at(bytes, 1);
    ((canary_word_t *)(void *)end)[-2] = CANARY_FILL ^ ((word ^ CANARY_FILL) & mask);
}

// Longer canaries: four lanes from the canary's first word on. A lane that would reach into the post stands before it instead.
#define CANARY_LANES 4u
_Static_assert(CANARY_MOST == CANARY_LANES * sizeof(canary_lane_t), "four lanes are a whole canary");

static inline canary_lane_t *canary_lane_at(const char *start, const char *end, unsigned i)
{
    const char *lane = (const char *)((uintptr_t)start & ~(uintptr_t)7) + i * sizeof(canary_lane_t);
    const char *last = end - CANARY_POST - sizeof(canary_lane_t);
    return (canary_lane_t *)(uintptr_t)(lane < last ? lane : last);
}

static inline canary_lane_t canary_lane_mask(const char *start, const canary_lane_t *lane)
{
    return *(const canary_any_lane_t *)(const void *)(canary_mask + CANARY_MASK -
                                                      (start - (const char *)lane));
}

ALWAYS_INLINE bool canary_longer_is_whole(uint64_t word, const char *start, const char *end)
{
    const canary_lane_t words = {word, word};
    canary_lane_t differences = {canary_read((const canary_word_t *)(const void *)end - 1) ^ word, 0};
#pragma GCC unroll 4
    for (unsigned i = 0; i < CANARY_LANES; i++) {
        const canary_lane_t *lane = canary_lane_at(start, end, i);
        differences |= (*lane ^ words) & canary_lane_mask(start, lane);
    }
    return canary_lanes_are_zero(differences);
}

// Writes the canary, and the fill before it, but not the post.
ALWAYS_INLINE void canary_set_longer(uint64_t word, const char *start, const char *end)
{
    const canary_lane_t fill = {CANARY_FILL, CANARY_FILL}, change = {word ^ CANARY_FILL, word ^ CANARY_FILL};
#pragma GCC unroll 4
    for (unsigned i = 0; i < CANARY_LANES; i++) {
        canary_lane_t *lane = canary_lane_at(start, end, i);
        *lane = fill ^ (change & canary_lane_mask(start, lane));
    }
}

// ---- canaries of any length

// Writes the canary of a block for which `asked` bytes were requested. `word`: the block's, or the fill. The post, which the
// owner of the next block may be reading, stands there already. If it is all of the canary, the word before it gets its
// old contents back.
static inline void canary_set_with(uint64_t word, char *block, size_t asked, char *end)
{
    canary_row_t row = canary_row_of(block + asked, end);
    canary_word_t *last = (char *)row.post > block ? row.post - 1 : row.post;
    canary_word_t *first = canary_at(row.first, last);
    uint64_t own = row.first < row.post ? row.own : 0, others = *first & ~own;
    for (unsigned i = 1; i < CANARY_ALIKE; i++) *canary_at(row.first + i, last) = word;
    if (canary_may_be_long(row, block, end))
        for (unsigned i = CANARY_ALIKE; i < 2 * CANARY_ALIKE; i++) *canary_at(row.first + i, last) = word;
    *first = others | (word & own);
}

static inline void canary_set(char *block, size_t asked, char *end)
{
    canary_set_with(canary_word_for(tiny_secret(), end), block, asked, end);
}

// The same for a free block, whose contents may change.
ALWAYS_INLINE void canary_set_in_free(uint64_t word, char *block, size_t asked, char *end)
{
    size_t size = (size_t)(end - block);
    if (size > CANARY_LONGER) canary_set_longer(word, block + asked, end);
    else if (LIKELY(size - asked <= CANARY_SHORT)) canary_set_short(word, block, size - asked, end);
    else canary_set_with(word, block, asked, end);
}

// Overwrites the canary, except for the post.
static inline void canary_wipe(char *block, size_t asked, char *end)
{
    canary_set_with(CANARY_FILL, block, asked, end);
}

static inline bool canary_words_are_whole(uint64_t word, const char *block, size_t asked, char *end)
{
    canary_row_t row = canary_row_of(block + asked, end);
    uint64_t differences = (canary_read(row.post) ^ word) | ((canary_read(row.first) ^ word) & row.own);
    for (unsigned i = 1; i < CANARY_ALIKE; i++)
        differences |= canary_read(canary_at(row.first + i, row.post)) ^ word;
    if (canary_may_be_long(row, block, end))
        for (unsigned i = CANARY_ALIKE; i < 2 * CANARY_ALIKE; i++)
            differences |= canary_read(canary_at(row.first + i, row.post)) ^ word;
    return differences == 0;
}

// Checks the canary and the post.
ALWAYS_INLINE bool canary_is_whole_with(uint64_t word, const char *block, size_t asked, char *end)
{
    size_t size = (size_t)(end - block);
    if (size > CANARY_LONGER) return canary_longer_is_whole(word, block + asked, end);
    if (LIKELY(size - asked <= CANARY_SHORT)) return canary_short_is_whole(word, block, size - asked, end);
    return canary_words_are_whole(word, block, asked, end);
}

static inline bool canary_is_whole(const char *block, size_t asked, char *end)
{
    return canary_is_whole_with(canary_word_for(tiny_secret(), end), block, asked, end);
}

// ---- fill: `start` and `end` are multiples of 8

#define CANARY_LONG ((size_t)512)
#define CANARY_LINE (4 * sizeof(canary_lane_t))

// Short memory is covered by as many lanes as a line has, which overlap.
static inline canary_lane_t *canary_lane(const void *start, size_t offset)
{
    return (canary_lane_t *)((uintptr_t)start + offset);
}

static inline size_t canary_second(size_t size)
{
    return size < 2 * sizeof(canary_lane_t) ? size - sizeof(canary_lane_t) : sizeof(canary_lane_t);
}

static inline size_t canary_third(size_t size)
{
    return size < 2 * sizeof(canary_lane_t) ? 0 : size - 2 * sizeof(canary_lane_t);
}

static inline void canary_fill_short(void *start, size_t size)
{
    const canary_lane_t fill = {CANARY_FILL, CANARY_FILL};
    if (size >= sizeof fill) {
        *canary_lane(start, 0) = fill;
        *canary_lane(start, canary_second(size)) = fill;
        *canary_lane(start, canary_third(size)) = fill;
        *canary_lane(start, size - sizeof fill) = fill;
    } else if (size > 0) {
        *(canary_word_t *)start = CANARY_FILL;
    }
}

static inline void canary_fill(void *start, void *end)
{
    size_t size = (size_t)((char *)end - (char *)start);
    if (size < CANARY_LINE) {
        canary_fill_short(start, size);
        return;
    }
    if (UNLIKELY(size > CANARY_LONG)) {
        memset(start, (int)(CANARY_FILL & 0xff), size);
        return;
    }
    const canary_lane_t fill = {CANARY_FILL, CANARY_FILL};
    canary_lane_t *lane = start, *last = canary_lane(start, size - CANARY_LINE);
    for (; lane < last; lane += 4) lane[0] = lane[1] = lane[2] = lane[3] = fill;
    last[0] = last[1] = last[2] = last[3] = fill;
}

static inline canary_lane_t canary_line_differs(const canary_lane_t *lane)
{
    const canary_lane_t fill = {CANARY_FILL, CANARY_FILL};
    return (lane[0] ^ fill) | (lane[1] ^ fill) | (lane[2] ^ fill) | (lane[3] ^ fill);
}

static inline bool canary_short_is_filled(const void *start, size_t size)
{
    const canary_lane_t fill = {CANARY_FILL, CANARY_FILL};
    if (size < sizeof fill) return size == 0 || *(const canary_word_t *)start == CANARY_FILL;
    return canary_lanes_are_zero(
        (*canary_lane(start, 0) ^ fill) | (*canary_lane(start, canary_second(size)) ^ fill) |
        (*canary_lane(start, canary_third(size)) ^ fill) | (*canary_lane(start, size - sizeof fill) ^ fill));
}

static inline bool canary_is_filled(const void *start, const void *end)
{
    size_t size = (size_t)((const char *)end - (const char *)start);
    if (size < CANARY_LINE) return canary_short_is_filled(start, size);
    const canary_lane_t *lane = start, *last = canary_lane(start, size - CANARY_LINE);
    canary_lane_t differences = canary_line_differs(last);
    for (; lane < last; lane += 4) differences |= canary_line_differs(lane);
    return canary_lanes_are_zero(differences);
}

// ---- fill of small blocks, whose sizes a processor cannot predict: with AVX2, those of a line and more take the same
// instructions

#define CANARY_SMALL_FILL ((size_t)256) // the largest
#if defined(__x86_64__)
extern bool canary_is_wide; // the processor has AVX2
void canary_fill_wide(char *start, const char *end);
bool canary_is_filled_wide(const char *start, const char *end);
#else
#define canary_is_wide false
#define canary_fill_wide canary_fill
#define canary_is_filled_wide canary_is_filled
#endif

ALWAYS_INLINE void canary_fill_small(char *start, char *end)
{
    size_t size = (size_t)(end - start);
    if (size < CANARY_LINE) canary_fill_short(start, size);
    else if (LIKELY(canary_is_wide)) canary_fill_wide(start, end);
    else canary_fill(start, end);
}

ALWAYS_INLINE bool canary_small_is_filled(const char *start, const char *end)
{
    size_t size = (size_t)(end - start);
    if (size < CANARY_LINE) return canary_short_is_filled(start, size);
    return LIKELY(canary_is_wide) ? canary_is_filled_wide(start, end) : canary_is_filled(start, end);
}

#else

#define CANARY_POST ((size_t)0)
#define CANARY_GUARD ((size_t)0)

static inline size_t canary_slab_guard(void)
{
    return 0;
}

static inline void canary_set_post(void *end)
{
    (void)end;
}

#endif
#endif
