// Canaries and fill, of variants with every check.
#include "canary.h"

#if TINY_CHECKS >= TINY_CHECKS_FULL

#include <string.h>

#define NO_BYTE_IS_ZERO UINT64_C(0x0101010101010101)
#define FILL UINT64_C(0xdfdfdfdfdfdfdfdf) // no address of a program, and no small number

static uint64_t word_at(uintptr_t place)
{
    return tiny_pad((const void *)place) | NO_BYTE_IS_ZERO;
}

static unsigned char byte_at(uintptr_t address)
{
    uint64_t word = word_at(address & ~(uintptr_t)7);
    unsigned char bytes[sizeof word];
    memcpy(bytes, &word, sizeof word);
    return bytes[address & 7];
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
    unsigned char *byte = start;
    for (; ((uintptr_t)byte & 7) != 0; byte++) *byte = byte_at((uintptr_t)byte);
    uint64_t *post = (uint64_t *)end - 1;
    for (uint64_t *word = (uint64_t *)(void *)byte; word < post; word++) *word = word_at((uintptr_t)word);
}

bool canary_is_whole(const void *start, const void *end)
{
    const unsigned char *byte = start;
    for (; ((uintptr_t)byte & 7) != 0; byte++)
        if (*byte != byte_at((uintptr_t)byte)) return false;
    const uint64_t *word = (const uint64_t *)(const void *)byte;
    while (word < (const uint64_t *)end && *word == word_at((uintptr_t)word)) word++;
    return word == end;
}

void canary_fill(void *start, void *end)
{
    memset(start, (int)(FILL & 0xff), (size_t)((char *)end - (char *)start));
}

bool canary_is_filled(const void *start, const void *end)
{
    uint64_t differences = 0;
    for (const uint64_t *word = start; word < (const uint64_t *)end; word++) differences |= *word ^ FILL;
    return differences == 0;
}

#endif
