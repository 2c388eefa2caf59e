// Runs a loop of 64 uses of names, as an interpreter runs a program's: a few of locals, most of globals.
//
// The hot path is inlined here. Options: --ops N lookups, --symbols N globals that are defined. Prints one JSON line.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "symbols_gen.h"

enum { USES = 64, LOCALS = 8 };

static char texts[2048][32];

static unsigned long number(int count, char **words, const char *option, unsigned long otherwise)
{
    for (int i = 1; i + 1 < count; i += 2)
        if (strcmp(words[i], option) == 0) return strtoul(words[i + 1], NULL, 10);
    return otherwise;
}

static void define(unsigned table, const char *prefix, unsigned long first, unsigned long symbols)
{
    for (unsigned long i = 0; i < symbols; i++) {
        snprintf(texts[first + i], sizeof texts[0], "%s%lu", prefix, i);
        if (symbols_define(table, symbols_intern(texts[first + i]), (long)i) != 0) exit(2);
    }
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

int main(int count, char **words)
{
    const unsigned long ops = number(count, words, "--ops", 1000000),
                        symbols = number(count, words, "--symbols", 1000);
    symbol_use_t uses[USES] = {{0}};
    symbol_name_t wanted[USES];
    unsigned tables[USES];
    define(SYMBOLS_LOCALS, "local", 0, LOCALS);
    define(SYMBOLS_GLOBALS, "global", LOCALS, symbols);
    for (unsigned i = 0; i < USES; i++) {
        tables[i] = i % 8 == 0 ? SYMBOLS_LOCALS : SYMBOLS_GLOBALS;
        wanted[i] = symbols_intern(i % 8 == 0 ? texts[i % LOCALS] : texts[LOCALS + i * 37 % symbols]);
    }
    long sum = 0;
    const double start = seconds();
    for (unsigned long i = 0; i < ops; i++) {
        const unsigned use = i % USES;
        sum += symbol_lookup(&uses[use], tables[use], &wanted[use])->value;
    }
    // A simulator counts the run if this variable is set. The digits of a time would change the count.
    const double spent = getenv("LAYERED_COUNTED") ? 0 : seconds() - start + 1e-9;
    printf("{\"bench\":\"loop\",\"ops\":%lu,\"seconds\":%.6f,\"checksum\":%ld}\n", ops, spent, sum);
    return 0;
}
