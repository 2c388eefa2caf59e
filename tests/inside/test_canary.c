// Canaries and fill of one block: which bytes are written, and that a change of each of them is found.
#include "inside.h"

#include "hardened/fill.h"

#if TINY_CHECKS >= TINY_CHECKS_FULL

enum { ROOM = 2048, BEFORE = 64 };
static _Alignas(64) unsigned char memory[BEFORE + ROOM + 64], copy[sizeof memory];

// Fills everything with numbers that no canary has.
static char *new_block(size_t size)
{
    for (size_t i = 0; i < sizeof memory; i++) memory[i] = (unsigned char)(i % 2 == 0 ? 0 : 2);
    canary_set_post(&memory[BEFORE + size]);
    memcpy(copy, memory, sizeof memory);
    return (char *)&memory[BEFORE];
}

static size_t canary_bytes(size_t size, size_t asked)
{
    size_t end = (asked & ~(size_t)7) + CANARY_MOST, post = size - CANARY_POST;
    return (end < post ? end : post) - asked;
}

// Only the canary changes, and all of it does.
static void check_written(size_t size, size_t asked)
{
    size_t first = BEFORE + asked, end = first + canary_bytes(size, asked);
    for (size_t i = 0; i < sizeof memory; i++) {
        bool is_canary = i >= first && i < end;
        T_CHECK(is_canary || memory[i] == copy[i], "%zu of %zu bytes: byte %zd was written", asked, size,
                (ssize_t)i - BEFORE);
        T_CHECK(!is_canary || (memory[i] & 1) != 0, "%zu of %zu bytes: byte %zd was not written", asked, size,
                (ssize_t)i - BEFORE);
    }
}

static void check_each_change_is_found(char *block, size_t size, size_t asked)
{
    T_CHECK(canary_is_whole(block, asked, block + size), "%zu of %zu bytes are not whole", asked, size);
    for (size_t i = 0; i < size; i++) {
        bool is_canary = (i >= asked && i < asked + canary_bytes(size, asked)) || i >= size - CANARY_POST;
        block[i] ^= 0x40;
        T_CHECK(canary_is_whole(block, asked, block + size) == !is_canary,
                "%zu of %zu bytes: a change of byte %zu", asked, size, i);
        block[i] ^= 0x40;
    }
}

static void check_wiped(char *block, size_t size, size_t asked)
{
    uint64_t word = canary_word_for(tiny_secret(), block + size);
    canary_wipe(block, asked, block + size);
    T_CHECK(canary_has_post(block + size), "the post is gone");
    for (size_t i = 0; i < canary_bytes(size, asked); i++)
        T_CHECK((unsigned char)block[asked + i] == (CANARY_FILL & 0xff), "byte %zu of the canary stays", i);
    T_CHECK(memcmp(block, &copy[BEFORE], asked) == 0, "the contents of %zu bytes changed", asked);
    for (size_t at = 0; at + 8 <= size - CANARY_POST; at += 8)
        T_CHECK(memcmp(block + at, &word, 8) != 0, "the block's word stays at %zu", at);
}

static void a_canary_is_written_found_and_wiped(void)
{
    for (size_t size = 16; size <= 512; size += size < 256 ? 16 : 64) {
        for (size_t asked = 0; asked + CANARY_POST <= size; asked++) {
            char *block = new_block(size);
            canary_set(block, asked, block + size);
            check_written(size, asked);
            check_each_change_is_found(block, size, asked);
            check_wiped(block, size, asked);
        }
    }
}

// The bytes in front of it stay fill: nothing that depends on the secret is left in the block's contents.
static void check_contents_are_fill(const char *block, size_t size, size_t asked)
{
    for (size_t i = 0; i < asked; i++)
        T_CHECK((unsigned char)block[i] == (CANARY_FILL & 0xff), "%zu of %zu bytes: byte %zu was written",
                asked, size, i);
    T_CHECK(memcmp(block + size, &copy[BEFORE + size], sizeof memory - BEFORE - size) == 0 &&
                memcmp(memory, copy, BEFORE) == 0,
            "%zu of %zu bytes: a byte outside was written", asked, size);
}

static void a_canary_in_a_free_block_is_written_and_found(void)
{
    for (size_t size = 16; size <= 768; size += size < 256 ? 16 : 64) {
        for (size_t asked = 0; asked + CANARY_POST <= size; asked++) {
            char *block = new_block(size);
            canary_fill(block, block + size - CANARY_POST);
            canary_set_in_free(canary_word_for(tiny_secret(), block + size), block, asked, block + size);
            check_contents_are_fill(block, size, asked);
            check_each_change_is_found(block, size, asked);
            canary_set_in_free(CANARY_FILL, block, asked, block + size);
            check_contents_are_fill(block, size, size - CANARY_POST);
        }
    }
}

static void check_fill_of_small_blocks(void)
{
    for (size_t size = CANARY_POST; size <= CANARY_SMALL_FILL; size += 8) {
        char *block = new_block(ROOM);
        canary_fill_small(block, block + size);
        check_contents_are_fill(block, size, size);
        T_CHECK(canary_small_is_filled(block, block + size), "%zu bytes are not filled", size);
        for (size_t i = 0; i < size; i++) {
            block[i] ^= 1;
            T_CHECK(!canary_small_is_filled(block, block + size), "%zu bytes: a change of byte %zu", size, i);
            block[i] ^= 1;
        }
    }
}

// On a processor with AVX2, also as on one without.
static void each_change_of_a_small_fill_is_found(void)
{
    check_fill_of_small_blocks();
#if defined(__x86_64__)
    const bool is_wide = canary_is_wide;
    canary_is_wide = false;
    check_fill_of_small_blocks();
    canary_is_wide = is_wide;
#endif
}

static void each_change_of_a_fill_is_found(void)
{
    for (size_t size = 0; size <= ROOM / 2; size += 8) {
        char *block = new_block(ROOM);
        canary_fill(block, block + size);
        T_CHECK(memcmp(block + size, &copy[BEFORE + size], ROOM - size) == 0 &&
                    memcmp(memory, copy, BEFORE) == 0,
                "a fill of %zu bytes wrote outside", size);
        T_CHECK(canary_is_filled(block, block + size), "%zu bytes are not filled", size);
        for (size_t i = 0; i < size; i++) {
            block[i] ^= 1;
            T_CHECK(!canary_is_filled(block, block + size), "%zu bytes: a change of byte %zu", size, i);
            block[i] ^= 1;
        }
    }
}

#endif

int main(void)
{
#if TINY_CHECKS >= TINY_CHECKS_FULL
    T_RUN(a_canary_is_written_found_and_wiped);
    T_RUN(a_canary_in_a_free_block_is_written_and_found);
    T_RUN(each_change_of_a_fill_is_found);
    T_RUN(each_change_of_a_small_fill_is_found);
#endif
    return 0;
}
