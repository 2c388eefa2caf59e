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

#define CANARY_MOST ((size_t)64)

#define CANARY_NO_BYTE_IS_ZERO UINT64_C(0x0101010101010101)
#define CANARY_FILL UINT64_C(0xdfdfdfdfdfdfdfdf) // neither an address of a program nor a small number

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "a word's upper bytes lie behind its lower ones");

// The program's memory is read and written as words and lanes, whatever types it used.
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

// Writes the canary that begins at `start`. The post is written already.
static inline void canary_set(void *start, void *end)
{
    canary_word_t *word = canary_first_word(start), *stop = canary_end(start, end);
    if (word == stop) return;
    uint64_t own = canary_own_bytes(start), secret = tiny_secret();
    *word = (*word & ~own) | (canary_word_at(secret, word) & own);
    for (word++; word < stop; word++) *word = canary_word_at(secret, word);
}

// Checks the canary and the post.
static inline bool canary_is_whole(void *start, void *end)
{
    const canary_word_t *word = canary_first_word(start), *stop = canary_end(start, end);
    uint64_t secret = tiny_secret();
    uint64_t differences = (*word ^ canary_word_at(secret, word)) & canary_own_bytes(start);
    for (word++; word < stop; word++) differences |= *word ^ canary_word_at(secret, word);
    return differences == 0 && canary_has_post(end);
}

// `start` and `end` are multiples of 8.
static inline void canary_fill(void *start, void *end)
{
    memset(start, (int)(CANARY_FILL & 0xff), (size_t)((char *)end - (char *)start));
}

static inline bool canary_is_filled(const void *start, const void *end)
{
    const canary_lane_t fill = {CANARY_FILL, CANARY_FILL};
    const canary_lane_t *lane = start;
    canary_lane_t differences = {0, 0};
    size_t left = (size_t)((const char *)end - (const char *)start);
    for (; left >= 4 * sizeof *lane; left -= 4 * sizeof *lane, lane += 4)
        differences |= (lane[0] ^ fill) | (lane[1] ^ fill) | (lane[2] ^ fill) | (lane[3] ^ fill);
    for (; left >= sizeof *lane; left -= sizeof *lane, lane++) differences |= *lane ^ fill;
    uint64_t last = left > 0 ? *(const canary_word_t *)lane ^ CANARY_FILL : 0;
    return (differences[0] | differences[1] | last) == 0;
}

#else

#define CANARY_POST ((size_t)0)
#define CANARY_GUARD ((size_t)0)

static inline void canary_set_post(void *end)
{
    (void)end;
}

#endif
#endif
