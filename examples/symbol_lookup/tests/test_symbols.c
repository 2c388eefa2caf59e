// Every layer gives the answer that a plain search gives.
#include <stdio.h>
#include <stdlib.h>

#include "symbols_gen.h"

#define CHECK(condition) \
    do { \
        if (!(condition)) { \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            exit(1); \
        } \
    } while (0)

enum { NAMES = 300, ROUNDS = 20000 };

static char texts[NAMES][8];
static long values[SYMBOLS_TABLES][NAMES]; // what a lookup has to find; -1: nothing

static void a_name_of_one_table_is_none_of_the_other(void)
{
    const symbol_name_t name = symbols_intern("only_here");
    symbol_use_t here = {0}, there = {0};
    CHECK(symbols_define(SYMBOLS_GLOBALS, name, 7) == 0);
    for (int i = 0; i < 3; i++) { // the first lookup fills the caches
        CHECK(symbols_find(&here, SYMBOLS_GLOBALS, name)->value == 7);
        CHECK(symbols_find(&there, SYMBOLS_LOCALS, name) == NULL);
    }
}

static void a_new_value_is_seen_by_what_remembers_the_symbol(void)
{
    const symbol_name_t name = symbols_intern("changed");
    symbol_use_t use = {0};
    for (long value = 0; value < 3; value++) {
        CHECK(symbols_define(SYMBOLS_GLOBALS, name, value) == 0);
        CHECK(symbol_lookup(&use, SYMBOLS_GLOBALS, &name)->value == value);
    }
}

static void equal_texts_are_one_name(void)
{
    char copy[] = "changed";
    CHECK(symbols_intern(copy).text == symbols_intern("changed").text);
}

static void a_full_table_refuses_a_name(void)
{
    static char more[64][8];
    int refused = 0;
    for (int i = 0; i < 64; i++) {
        snprintf(more[i], sizeof more[i], "more%d", i);
        refused += symbols_define(SYMBOLS_LOCALS, symbols_intern(more[i]), i) != 0;
    }
    CHECK(refused > 0 && symbols_define(SYMBOLS_LOCALS, symbols_intern("more0"), 5) == 0);
}

// Definitions and lookups in any order, each use always of one name.
static void any_order_gives_what_was_defined_last(void)
{
    static symbol_use_t uses[NAMES];
    unsigned random = 1;
    for (int i = 0; i < NAMES; i++) {
        snprintf(texts[i], sizeof texts[i], "n%d", i);
        values[SYMBOLS_GLOBALS][i] = -1;
    }
    for (int round = 0; round < ROUNDS; round++) {
        random = random * 1664525u + 1013904223u;
        const unsigned i = (random >> 8) % NAMES;
        const symbol_name_t name = symbols_intern(texts[i]);
        if (random >> 30 == 0) {
            values[SYMBOLS_GLOBALS][i] = round;
            CHECK(symbols_define(SYMBOLS_GLOBALS, name, round) == 0);
        }
        const symbol_t *found = symbol_lookup(&uses[i], SYMBOLS_GLOBALS, &name);
        CHECK((found == NULL ? -1 : found->value) == values[SYMBOLS_GLOBALS][i]);
    }
}

int main(void)
{
    a_name_of_one_table_is_none_of_the_other();
    a_new_value_is_seen_by_what_remembers_the_symbol();
    equal_texts_are_one_name();
    any_order_gives_what_was_defined_last();
    a_full_table_refuses_a_name();
    return 0;
}
