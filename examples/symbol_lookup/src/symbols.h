// Symbols of an interpreter: names with values, in two tables. The hot path is generated: symbols_gen.h.
//
// name: a text with its hash.  symbol: a name and a value.  use: a place in a program that looks a name up.
#ifndef SYMBOLS_H
#define SYMBOLS_H

typedef struct symbol_name {
    const char *text;
    unsigned hash;
} symbol_name_t;

typedef struct symbol {
    symbol_name_t name;
    long value;
} symbol_t;

// Zeroed before its first lookup. It is of one table and one name, so what it remembers is checked by the name alone.
typedef struct symbol_use {
    const symbol_t *symbol;
} symbol_use_t;

// The name of a text, which has to live as long as the symbol. Equal texts give one pointer.
symbol_name_t symbols_intern(const char *text);

// Gives a name of a table a value, a new one if it has one. Returns 0, or -1 where the table is full.
int symbols_define(unsigned table, symbol_name_t name, long value);

// The hot path as a function, for programs that do not inline it.
const symbol_t *symbols_find(symbol_use_t *use, unsigned table, symbol_name_t name);

int symbols_same_text(const char *one, const char *other);

#endif
