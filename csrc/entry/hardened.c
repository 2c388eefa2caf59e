// Full checks at the moment of the free.
//
// The state of a block is stored apart from it: for a tiny block in its page's notes, for others in the records of
// the arena and of the mappings.
//
// States of a block: requested, allocated, freed (filled, in the quarantine), then free in the layers and slabs. The
// fill is checked when the block leaves the quarantine, and again, except for the link, when the block is allocated.
#include "entry/hardened.h"

#if TINY_CHECKS >= TINY_CHECKS_FULL

#include <errno.h>

#include "entry/blocks.h"
#include "hardened/canary.h"
#include "hardened/quarantine.h"
#include "hardened/tiny_notes.h"
#include "heap/arena_asked.h"
#include "heap/large.h"
#include "heap/page_arena.h"
#include "os/die.h"
#include "os/lock.h"
#include "registry/tiny_registry.h"
#include "thread/tiny_lifecycle.h"
#include "thread/tiny_tls.h"

#define WRONG_POINTER "free of a pointer that is no block"

// ---- the requested size

typedef enum kind { NO_BLOCK, TINY, ARENA, LARGE } kind_t;

static kind_t kind_of(const void *block)
{
    tiny_tag_t tag = tiny_registry_tag(block);
    if (TINY_TAG_OWNER(tag) != 0) return TINY;
    if (tag == TINY_TAG(0, TINY_KIND_ARENA)) return ARENA;
    return tag == TINY_TAG(0, TINY_KIND_LARGE) ? LARGE : NO_BLOCK;
}

// Marks the block as allocated; returns the size of its memory.
static size_t note(char *block, size_t asked)
{
    switch (kind_of(block)) {
    case TINY:
        return tiny_notes_set(block, asked);
    case ARENA:
        return page_arena_note(block, asked);
    default:
        return large_note(block, asked);
    }
}

static void hand_out(char *block, size_t asked)
{
    size_t size = note(block, asked);
    canary_set(block + asked, block + size);
}

static void check_canary(const char *block, size_t asked, size_t size)
{
    if (UNLIKELY(!canary_is_whole(block + asked, block + size)))
        hak_die_of_size(CANARY_OVERFLOW, block, size);
}

// Returns where the check and the change of a canary end that begins at `at`: behind the word that follows it.
static char *end_of_first_words(char *at)
{
    return (char *)hak_round_up((uintptr_t)at, 8) + 8;
}

// The block's memory stays the same. Only the canary between both ends and its first word are checked or written: a
// free checks the rest. So a block that grows in small steps costs little per step, however much memory is behind it.
static void move_end(char *block, size_t asked, size_t size)
{
    char *end = end_of_first_words(block + (asked > size ? asked : size));
    if (UNLIKELY(!canary_is_whole(block + asked, end)))
        hak_die_of_size(CANARY_OVERFLOW, block, blocks_size(block, WRONG_POINTER));
    canary_set(block + size, end);
    note(block, size);
}

// ---- quarantine

// Byte bounds for tiny blocks and for arena blocks; at least one block of each may wait.
#define TINY_BYTES ((size_t)256 << 10)
#define ARENA_BYTES ((size_t)1 << 20)
static quarantine_t *own(void)
{
    return tiny_thread.quarantine.blocks;
}

static void leave(quarantine_row_t *row)
{
    quarantine_block_t gone = quarantine_take_oldest(row);
    if (UNLIKELY(!canary_is_filled(gone.start, gone.start + gone.size - CANARY_POST)))
        hak_die_of_size(CANARY_WRITTEN, gone.start, gone.size);
    blocks_free(gone.start);
}

// A fork finds a row consistent at any time, as it does the heap.
static void wait_in(quarantine_row_t *row, char *block, size_t size, size_t bound)
{
    tiny_heap_t *heap = tiny_backend_heap();
    tiny_heap_begin(heap);
    while (!quarantine_has_room(row, size, bound)) leave(row);
    quarantine_add(row, (quarantine_block_t){block, size});
    tiny_heap_end(heap);
}

static void empty(quarantine_row_t *row)
{
    while (quarantine_count(row) > 0) leave(row);
}

static void drain(void)
{
    quarantine_t *waiting = own();
    tiny_heap_t *heap = tiny_backend_heap();
    tiny_heap_begin(heap);
    empty(&waiting->tiny);
    empty(&waiting->arena);
    tiny_heap_end(heap);
}

// The caller detaches the thread next, so the thread gets no new quarantine.
static void end(void)
{
    drain();
    quarantine_t *gone = own();
    tiny_thread.quarantine.blocks = NULL;
    quarantine_unmake(gone);
}

// NULL if the thread has no heap, because it is ending, or if there is no memory: then freed blocks skip the
// quarantine.
static quarantine_t *quarantine(void)
{
    if (UNLIKELY(own() == NULL) && tiny_backend_heap() != NULL)
        tiny_thread.quarantine = (tiny_tls_quarantine_t){quarantine_make(), drain, end};
    return own();
}

hardened_waiting_t hardened_waiting(void)
{
    const quarantine_t *waiting = own();
    if (waiting == NULL) return (hardened_waiting_t){0, 0};
    return (hardened_waiting_t){quarantine_count(&waiting->tiny) + quarantine_count(&waiting->arena),
                                waiting->tiny.bytes + waiting->arena.bytes};
}

// ---- entries

void *hardened_alloc_aligned(size_t size, size_t alignment, bool *zeroed)
{
    if (UNLIKELY(size > HAK_MAX_REQUEST - CANARY_POST)) {
        errno = ENOMEM;
        return NULL;
    }
    char *block = blocks_alloc(size + CANARY_POST, alignment, zeroed);
    if (UNLIKELY(block == NULL)) return NULL;
    if (kind_of(block) == TINY) tiny_notes_check_free(block);
    hand_out(block, size);
    return block;
}

void *hardened_alloc(size_t size)
{
    bool zeroed;
    return hardened_alloc_aligned(size, TINY_MIN_ALIGN, &zeroed);
}

void *hardened_alloc_resized(size_t has, size_t size)
{
    size_t more = blocks_size_with_headroom(has, size);
    char *block = more > size ? hardened_alloc(more) : NULL;
    if (block == NULL) return hardened_alloc(size);
    hand_out(block, size);
    return block;
}

// Returns the requested size and marks the block as not allocated.
static size_t claim(void *block, kind_t kind, size_t *size)
{
    switch (kind) {
    case TINY:
        return tiny_notes_claim(block, size);
    case ARENA:
        return page_arena_claim(block, size);
    case LARGE:
        return large_claim(block, size);
    default:
        hak_die(WRONG_POINTER, block);
    }
}

static void retire(char *block, kind_t kind, size_t asked, size_t size)
{
    check_canary(block, asked, size);
    if (kind == LARGE) {
        large_free(block); // large blocks have their own quarantine
        return;
    }
    canary_fill(block, block + size - CANARY_POST);
    quarantine_t *waiting = quarantine();
    if (waiting == NULL) blocks_free(block);
    else if (kind == TINY) wait_in(&waiting->tiny, block, size, TINY_BYTES);
    else wait_in(&waiting->arena, block, size, ARENA_BYTES);
}

void hardened_free(void *block)
{
    if (block == NULL) return;
    size_t size;
    kind_t kind = kind_of(block);
    size_t asked = claim(block, kind, &size);
    retire(block, kind, asked, size);
}

void hardened_free_sized(void *block, size_t size)
{
    if (block != NULL && UNLIKELY(hardened_size(block, WRONG_POINTER) != size))
        hak_die_of_size("free_sized with another size", block, hardened_size(block, WRONG_POINTER));
    hardened_free(block);
}

size_t hardened_size(const void *block, const char *misuse)
{
    switch (kind_of(block)) {
    case TINY:
        return tiny_notes_asked(block, misuse);
    case ARENA:
        return page_arena_asked(block, misuse);
    case LARGE:
        return large_asked(block, misuse);
    default:
        hak_die(misuse, block);
    }
}

void *hardened_resize(void *block, size_t size, size_t *asked)
{
    static const char misuse[] = "realloc of a pointer that is no block";
    *asked = hardened_size(block, misuse);
    size_t has = blocks_size(block, misuse);
    if (size > HAK_MAX_REQUEST - CANARY_POST) return NULL;
    size_t wanted = size + CANARY_POST;
    bool is_large = kind_of(block) == LARGE;
    if (is_large ? hak_round_up(wanted, OS_PAGE) == has : wanted <= has && wanted > has / 2) {
        move_end(block, *asked, size);
        return block;
    }
    check_canary(block, *asked, has);
    if (!is_large || size <= PAGE_ARENA_MAX_SIZE) return NULL;
    char *resized = large_resize(block, wanted);
    if (resized != NULL) hand_out(resized, size);
    return resized;
}

void hardened_shrink(void *block, size_t size)
{
    hand_out(block, size);
}

// ---- the end of the process

// Checks what still waits, of the thread that ends the process: others may be changing theirs. A signal handler may have
// called exit() in the middle of a change; then nothing is checked.
__attribute__((destructor)) static void check_what_waits(void)
{
    if (own() == NULL || tiny_thread.heap == NULL || os_locks_held > 0) return;
    if (atomic_load_explicit(&tiny_thread.heap->in_change, memory_order_relaxed) != 0) return;
    drain();
}

#endif
