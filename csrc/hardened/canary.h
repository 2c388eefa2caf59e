// Canaries and fill: they reveal writes outside a block and writes to a free block. Empty below TINY_CHECKS_FULL.
//
// canary: the bytes from the end of the requested size on, at most CANARY_MOST of them. Each word depends on a secret and
// on its own address. No byte of it is 0, so that a string's terminator written there is noticed. So its cost does not
// grow with the memory that a class leaves unused; see docs/hardening.md for what that misses.
// post: a canary's last word. It stands at the end of every block's memory, whether the block is in use or free, so
// that a check of a block can also check the block before it.
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

static inline uint64_t canary_word_at(uint64_t secret, const canary_word_t *place)
{
    return tiny_pad_with(secret, place) | CANARY_NO_BYTE_IS_ZERO;
}

// Writes the post that ends at `end`, a multiple of 8.
static inline void canary_set_post(void *end)
{
    canary_word_t *post = (canary_word_t *)end - 1;
    *post = canary_word_at(tiny_secret(), post);
}

static inline bool canary_has_post(const void *end)
{
    const canary_word_t *post = (const canary_word_t *)end - 1;
    return *post == canary_word_at(tiny_secret(), post);
}

static inline canary_word_t *canary_first_word(const void *start)
{
    return (canary_word_t *)((uintptr_t)start & ~(uintptr_t)7);
}

// Returns a mask of the canary's bytes within the word in which it begins.
static inline uint64_t canary_own_bytes(const void *start)
{
    return UINT64_MAX << ((uintptr_t)start & 7) * 8;
}

// Where the canary ends that begins at `start`, in memory whose post ends at `end`: at the post, or before it.
static inline canary_word_t *canary_end(const void *start, void *end)
{
    canary_word_t *post = (canary_word_t *)end - 1, *word = canary_first_word(start);
    return (size_t)(post - word) * 8 <= CANARY_MOST ? post : word + CANARY_MOST / 8;
}

// A word and the bytes of it that belong to a canary. Most canaries of small blocks have two words at most, and a
// processor cannot predict how many: so the first two are treated alike. One that is none is replaced by the block's
// first word, without any bytes.
typedef struct canary_part {
    canary_word_t *word;
    uint64_t own;
} canary_part_t;

static inline canary_part_t canary_part_at(char *block, canary_word_t *word, uint64_t own,
                                           const canary_word_t *stop)
{
    bool is_part = word < stop;
    return (canary_part_t){is_part ? word : (canary_word_t *)(void *)block, is_part ? own : 0};
}

static inline void canary_set_part(uint64_t secret, canary_part_t part)
{
    *part.word = (*part.word & ~part.own) | (canary_word_at(secret, part.word) & part.own);
}

static inline uint64_t canary_part_differs(uint64_t secret, canary_part_t part)
{
    return (*part.word ^ canary_word_at(secret, part.word)) & part.own;
}

// Writes the canary of a block for which `asked` bytes were requested. The post before `end` is written already.
static inline void canary_set(char *block, size_t asked, void *end)
{
    canary_word_t *first = canary_first_word(block + asked), *stop = canary_end(block + asked, end);
    uint64_t secret = tiny_secret();
    canary_set_part(secret, canary_part_at(block, first, canary_own_bytes(block + asked), stop));
    canary_set_part(secret, canary_part_at(block, first + 1, UINT64_MAX, stop));
    for (canary_word_t *word = first + 2; word < stop; word++) *word = canary_word_at(secret, word);
}

// Overwrites the canary that begins at `start`, except for the post.
static inline void canary_wipe(const void *start, void *end)
{
    canary_word_t *word = canary_first_word(start), *stop = canary_end(start, end);
    if (word == stop) return;
    uint64_t own = canary_own_bytes(start);
    *word = (*word & ~own) | (CANARY_FILL & own);
    for (word++; word < stop; word++) *word = CANARY_FILL;
}

// Checks the canary and the post.
static inline bool canary_is_whole(char *block, size_t asked, void *end)
{
    canary_word_t *first = canary_first_word(block + asked), *stop = canary_end(block + asked, end);
    const canary_word_t *post = (const canary_word_t *)end - 1;
    uint64_t secret = tiny_secret(), differences = *post ^ canary_word_at(secret, post);
    differences |=
        canary_part_differs(secret, canary_part_at(block, first, canary_own_bytes(block + asked), stop));
    differences |= canary_part_differs(secret, canary_part_at(block, first + 1, UINT64_MAX, stop));
    for (const canary_word_t *word = first + 2; word < stop; word++)
        differences |= *word ^ canary_word_at(secret, word);
    return differences == 0;
}

// `start` and `end` are multiples of 8. A short fill is a few stores of one length; the last ones overlap.
#define CANARY_LONG ((size_t)512)
#define CANARY_LINE (4 * sizeof(canary_lane_t))

static inline void canary_fill(void *start, void *end)
{
    size_t size = (size_t)((char *)end - (char *)start);
    if (size < CANARY_LINE || size > CANARY_LONG) {
        memset(start, (int)(CANARY_FILL & 0xff), size);
        return;
    }
    const canary_lane_t fill = {CANARY_FILL, CANARY_FILL};
    canary_lane_t *lane = start, *last = (canary_lane_t *)((char *)end - CANARY_LINE);
    for (; lane < last; lane += 4) lane[0] = lane[1] = lane[2] = lane[3] = fill;
    last[0] = last[1] = last[2] = last[3] = fill;
}

static inline canary_lane_t canary_line_differs(const canary_lane_t *lane)
{
    const canary_lane_t fill = {CANARY_FILL, CANARY_FILL};
    return (lane[0] ^ fill) | (lane[1] ^ fill) | (lane[2] ^ fill) | (lane[3] ^ fill);
}

static inline bool canary_short_is_filled(const canary_word_t *word, const canary_word_t *end)
{
    uint64_t differences = 0;
    for (; word < end; word++) differences |= *word ^ CANARY_FILL;
    return differences == 0;
}

static inline bool canary_is_filled(const void *start, const void *end)
{
    if ((size_t)((const char *)end - (const char *)start) < CANARY_LINE)
        return canary_short_is_filled(start, end);
    const canary_lane_t *last = (const canary_lane_t *)((const char *)end - CANARY_LINE);
    canary_lane_t differences = canary_line_differs(last);
    for (const canary_lane_t *lane = start; lane < last; lane += 4) differences |= canary_line_differs(lane);
    return (differences[0] | differences[1]) == 0;
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
