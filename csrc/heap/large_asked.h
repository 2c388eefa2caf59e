// With full checks (TINY_CHECKS_FULL): the requested size of a large block in use.
//
// As page_arena_note, page_arena_asked and page_arena_claim; large_free takes a claimed block. They report the memory in which
// the block has a canary, 0 if it has none. This memory ends at the MMU's page in which the post lies, so that no further page
// is touched.
#ifndef LARGE_ASKED_H
#define LARGE_ASKED_H

#include "hardened/canary.h"

static inline size_t large_memory_for(size_t asked)
{
    return hak_round_up(asked + CANARY_POST, OS_PAGE);
}

size_t large_note(void *block, size_t asked);
size_t large_asked(const void *block, const char *misuse, size_t *size);
size_t large_claim(const void *block, size_t *size);

#endif
