// Diagnostic output, and when it is compiled in.
//
// HAKMEM_DEBUG_OUTPUT comes from the variant: 1 where it says `debug_output: always`, else debug builds only.
// What is compiled in prints only when the environment has HAKMEM_DEBUG set, so that a preloaded program's
// output never changes unasked. Every message carries a sentinel "[hakmem:<file>.<what>]".
#ifndef HAK_DEBUG_H
#define HAK_DEBUG_H

#include "hak_types.h"
#include "tiny_alloc_fast_gen.h" // the variant's HAKMEM_DEBUG_OUTPUT

#if HAKMEM_DEBUG_OUTPUT
extern bool hak_debug_on;
void hak_debug_init(void);
void hak_debug_print(const char *format, ...) __attribute__((format(printf, 1, 2))) COLD;
#endif

#endif
