// Canaries and fill, for variants with full checks.
#include "hardened/canary.h"

#if TINY_CHECKS >= TINY_CHECKS_FULL

#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "a word's upper bytes lie behind its lower ones");

#define NO_BYTE_IS_ZERO UINT64_C(0x0101010101010101)
#define FILL UINT64_C(0xdfdfdfdfdfdfdfdf) // neither an address of a program nor a small number

static uint64_t word_at(uintptr_t place)
{
    return tiny_pad((const void *)place) | NO_BYTE_IS_ZERO;
}

// Returns a mask of the canary's bytes within the word in which it begins.
static uint64_t own_bytes(uintptr_t start)
{
    return UINT64_MAX << (start & 7) * 8;
}

static uint64_t *word_of(uintptr_t address)
{
    return (uint64_t *)(address & ~(uintptr_t)7);
}

void canary_set_post(void *end)
{
    uint64_t *post = (uint64_t *)end - 1;
    *post = word_at((uintptr_t)post);
}

bool canary_has_post(const void *end)
{
    const uint64_t *post = (const uint64_t *)end - 1;
    return *post == word_at((uintptr_t)post);
}

void canary_set(void *start, void *end)
{
    uint64_t *word = word_of((uintptr_t)start), *post = (uint64_t *)end - 1;
    uint64_t own = own_bytes((uintptr_t)start);
    if (word == post) return; // the post is written already
    *word = (*word & ~own) | (word_at((uintptr_t)word) & own);
    for (word++; word < post; word++) *word = word_at((uintptr_t)word);
}

bool canary_is_whole(const void *start, const void *end)
{
    const uint64_t *word = word_of((uintptr_t)start);
    uint64_t differences = (*word ^ word_at((uintptr_t)word)) & own_bytes((uintptr_t)start);
    for (word++; word < (const uint64_t *)end; word++) differences |= *word ^ word_at((uintptr_t)word);
    return differences == 0;
}

void canary_fill(void *start, void *end)
{
    memset(start, (int)(FILL & 0xff), (size_t)((char *)end - (char *)start));
}

bool canary_is_filled(const void *start, const void *end)
{
    const uint64_t *word = start, *last = end;
    uint64_t differences = 0;
    for (; last - word >= 4; word += 4)
        differences |= (word[0] ^ FILL) | (word[1] ^ FILL) | (word[2] ^ FILL) | (word[3] ^ FILL);
    for (; word < last; word++) differences |= *word ^ FILL;
    return differences == 0;
}

#endif
