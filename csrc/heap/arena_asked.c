// The requested sizes of runs, for variants with full checks.
#include "heap/arena_asked.h"

#include "hardened/fill.h"
#include "heap/arena_runs.h"
#include "os/die.h"
#include "os/lock.h"

#if TINY_CHECKS >= TINY_CHECKS_FULL

size_t page_arena_note(void *block, size_t asked)
{
    arena_chunk_t *chunk = arena_chunk_of(block);
    uint32_t first = arena_unit_of(chunk, block);
    chunk->asked[first] = (uint32_t)asked + 1;
    return chunk->length[first] * PAGE_ARENA_UNIT;
}

// A free run whose data lies in its first unit does not keep its fill.
void page_arena_mark_filled(void *block)
{
    if (!ARENA_NODES_APART) return;
    arena_chunk_t *chunk = arena_chunk_of(block);
    uint32_t first = arena_unit_of(chunk, block), end = first + chunk->length[first];
    for (uint32_t unit = first; unit < end; unit++) chunk->filled[unit] = true;
}

// A run may begin and end elsewhere than those that were freed; at the end of each of these, a post may stand.
bool page_arena_is_unwritten(void *block)
{
    arena_chunk_t *chunk = arena_chunk_of(block);
    uint32_t first = arena_unit_of(chunk, block), end = first + chunk->length[first];
    bool unwritten = true;
    for (uint32_t unit = first; unit < end; unit++) {
        if (!chunk->filled[unit]) continue;
        char *start = arena_address_of(chunk, unit);
        unwritten &= fill_or_zero(start, start + PAGE_ARENA_UNIT - CANARY_POST);
        chunk->filled[unit] = false;
    }
    return unwritten;
}

static uint32_t asked_at(const arena_chunk_t *chunk, const void *block, const char *no_block,
                         const char *free)
{
    uint32_t first = arena_unit_of(chunk, block);
    bool is_parked = arena_is_start(chunk, block, ARENA_RUN_PARKED); // freed, and past the quarantine
    if (UNLIKELY(!is_parked && !arena_is_start(chunk, block, ARENA_RUN_OUT))) {
        os_unlock(&arena.lock); // a SIGABRT handler may allocate
        hak_die(no_block, block);
    }
    if (UNLIKELY(chunk->asked[first] == 0)) {
        os_unlock(&arena.lock);
        hak_die_of_size(free, block, chunk->length[first] * PAGE_ARENA_UNIT);
    }
    return first;
}

size_t page_arena_asked(const void *block, const char *misuse)
{
    os_lock(&arena.lock);
    arena_chunk_t *chunk = arena_chunk_of(block);
    size_t asked = chunk->asked[asked_at(chunk, block, misuse, misuse)] - 1;
    os_unlock(&arena.lock);
    return asked;
}

size_t page_arena_claim(const void *block, size_t *size)
{
    os_lock(&arena.lock);
    arena_chunk_t *chunk = arena_chunk_of(block);
    uint32_t first =
        asked_at(chunk, block, "double free, or free of a pointer into a block", CANARY_DOUBLE_FREE);
    size_t asked = chunk->asked[first] - 1;
    *size = chunk->length[first] * PAGE_ARENA_UNIT;
    chunk->asked[first] = 0;
    bool underflow = first > 0 && !canary_has_post(block);
    os_unlock(&arena.lock);
    if (UNLIKELY(underflow)) hak_die_of_size(CANARY_UNDERFLOW, block, *size);
    return asked;
}

#endif
