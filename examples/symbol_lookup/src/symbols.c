// The tables, the names, and the hot path as a function.
#include <stdlib.h>
#include <string.h>

#include "symbols_gen.h"

enum { NAMES = 4096 }; // a power of two, more than both tables hold

struct symbols_state symbols_state;

static const char *names[NAMES];

static unsigned hash_of(const char *text)
{
    unsigned hash = 2166136261u; // FNV-1a
    while (*text != '\0') hash = (hash ^ (unsigned char)*text++) * 16777619u;
    return hash ^ hash >> 15;
}

symbol_name_t symbols_intern(const char *text)
{
    const symbol_name_t name = {text, hash_of(text)};
    for (unsigned i = 0; i < NAMES; i++) {
        const char **slot = &names[(name.hash + i) % NAMES];
        if (*slot == NULL) *slot = text;
        if (strcmp(*slot, text) == 0) return (symbol_name_t){*slot, name.hash};
    }
    abort(); // more names than symbols can be defined
}

int symbols_define(unsigned table, symbol_name_t name, long value)
{
    symbol_t *symbols = symbols_of(table);
    unsigned *used = &symbols_state.used[table];
    for (unsigned i = 0; i < *used; i++) {
        if (symbols_equal(&symbols[i], &name)) {
            symbols[i].value = value; // what has remembered the symbol sees it
            return 0;
        }
    }
    if (*used == symbols_capacity[table]) return -1;
    symbols[(*used)++] = (symbol_t){name, value};
    return 0;
}

const symbol_t *symbols_find(symbol_use_t *use, unsigned table, symbol_name_t name)
{
    return symbol_lookup(use, table, &name);
}

int symbols_same_text(const char *one, const char *other)
{
    return strcmp(one, other) == 0;
}
