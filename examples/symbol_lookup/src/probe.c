// The hot path in a function of its own, to be counted.
#include "symbols_gen.h"

const symbol_t *probe_lookup(symbol_use_t *use, unsigned table, const symbol_name_t *name);

__attribute__((noinline)) const symbol_t *probe_lookup(symbol_use_t *use, unsigned table,
                                                       const symbol_name_t *name)
{
    return symbol_lookup(use, table, name);
}
