// Fill: how much of a free block is filled, so that writes to it are found.
//
// A block of at most FILL_ALWAYS bytes is filled as a whole. For larger ones, a thread has an allowance of bytes, which
// grows with time. While it lasts, they too are filled as a whole; after that, only in part: the beginning, the end, and a
// piece in between whose place depends on the secret. So a program that frees large blocks now and then has all of them
// checked, and one that does nothing else is not slowed down by it. Pages without memory, which the program has
// never touched or the system has swapped out, are not filled but read as zero, and a write to them is found by that.
#ifndef FILL_H
#define FILL_H

#include "hardened/canary.h"

#if TINY_CHECKS >= TINY_CHECKS_FULL

#define FILL_ALWAYS ((size_t)256)
#define FILL_BEGINNING ((size_t)128)
#define FILL_PIECE ((size_t)64)
#define FILL_LAST ((size_t)64) // of the block's memory: with the post

// Bytes that are filled and checked as a whole; a thread begins with FILL_ALLOWANCE_MOST.
#define FILL_ALLOWANCE_MOST ((uint32_t)1 << 20)
#define FILL_ALLOWANCE_A_MS ((uint32_t)128 << 10)
typedef struct fill_allowance {
    uint32_t spent; // bytes; 0 <= spent <= FILL_ALLOWANCE_MOST
    uint32_t refused; // blocks since the clock was last read
    uint32_t read_at; // by os_clock_ms
} fill_allowance_t;

// Reads the clock; true if the allowance covers `size` bytes then.
bool fill_allowance_renew(fill_allowance_t *allowance, size_t size) COLD;

// True if a block of `size` bytes is to be filled as a whole. The clock costs as much as a free, so only some of the
// blocks that exceed the allowance make it read.
static inline bool fill_allows_whole(fill_allowance_t *allowance, size_t size)
{
    enum { BLOCKS_A_LOOK = 16 };
    if (size <= FILL_ALWAYS) return true;
    if (UNLIKELY(allowance->spent + size > FILL_ALLOWANCE_MOST)) {
        if (allowance->refused++ % BLOCKS_A_LOOK != 0) return false;
        if (!fill_allowance_renew(allowance, size)) return false;
    }
    allowance->spent += (uint32_t)size;
    return true;
}

// Where the piece begins, in a block of more than FILL_ALWAYS bytes with that post. Its offset is a multiple of its size, so
// that it takes one line of the processor's caches.
static inline char *fill_piece_of(char *start, const char *post)
{
    size_t room = (size_t)(post - start) + CANARY_POST - FILL_BEGINNING - FILL_LAST;
    size_t index = (size_t)((tiny_pad(start) >> 32) * (uint64_t)(room / FILL_PIECE) >> 32);
    return start + FILL_BEGINNING + index * FILL_PIECE;
}

// For memory of more than FILL_BY_PAGE bytes.
#define FILL_BY_PAGE (4 * OS_PAGE)
void fill_pages(char *start, char *end) COLD;
bool fill_pages_are_whole(const char *from, const char *end) COLD;

// Overwrites memory with zeroes; pages of the MMU without memory get none.
void fill_with_zeroes(char *start, char *end);

// True if all of it is filled, or all of it is zero. Multiples of 8, not empty.
bool fill_or_zero(const char *start, const char *end) COLD;

// The first comparison spares small blocks the one with the page's size.
static inline bool fill_is_by_page(const char *start, const char *end)
{
    return (size_t)(end - start) > FILL_ALWAYS && (size_t)(end - start) > FILL_BY_PAGE;
}

static inline void fill_whole(char *start, char *end)
{
    if (UNLIKELY(fill_is_by_page(start, end))) fill_pages(start, end);
    else canary_fill(start, end);
}

static inline bool fill_is_whole(const char *from, const char *end)
{
    if (UNLIKELY(fill_is_by_page(from, end))) return fill_pages_are_whole(from, end);
    return canary_is_filled(from, end);
}

static inline void fill_part(char *start, char *post)
{
    char *piece = fill_piece_of(start, post);
    canary_fill(start, start + FILL_BEGINNING);
    canary_fill(piece, piece + FILL_PIECE);
    canary_fill(post + CANARY_POST - FILL_LAST, post);
}

// `from`: the first byte to be checked, at most FILL_BEGINNING behind `start`.
static inline bool fill_part_is_whole(char *start, const char *from, const char *post)
{
    const char *piece = fill_piece_of(start, post);
    return canary_is_filled(from, start + FILL_BEGINNING) && canary_is_filled(piece, piece + FILL_PIECE) &&
           canary_is_filled(post + CANARY_POST - FILL_LAST, post);
}

#endif
#endif
