// Diagnostic output, and when it is compiled in.
//
// The variant sets HAKMEM_DEBUG_OUTPUT: 1 with `debug_output: always`, else 1 in debug builds only.
// Compiled-in messages are printed only when the environment variable HAKMEM_DEBUG is set, so a preloaded program's
// output does not change by default. Every message begins with a sentinel "[hakmem:<part>.<what>]".
#ifndef HAK_DEBUG_H
#define HAK_DEBUG_H

#include "os/hak_types.h"
#include "tiny_alloc_fast_gen.h" // the variant's HAKMEM_DEBUG_OUTPUT

#if HAKMEM_DEBUG_OUTPUT
extern bool hak_debug_on;
void hak_debug_init(void);
void hak_debug_print(const char *format, ...) __attribute__((format(printf, 1, 2))) COLD;
#endif

#endif
