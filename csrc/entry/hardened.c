// Full checks at the moment of the free.
//
// The state of a block is stored apart from it: for a tiny block in its page's notes, for others in the records of
// the arena and of the mappings. So it is known which blocks are allocated and where their canaries begin, whatever the
// program wrote.
//
// States of a block: requested, allocated, freed (filled, in the quarantine), then free in the layers and slabs. The
// fill is checked when the block leaves the quarantine, and again, except for the link, when the block is allocated.
#include "entry/hardened.h"

#if TINY_CHECKS >= TINY_CHECKS_FULL

#include <errno.h>

#include "entry/blocks.h"
#include "hardened/canary.h"
#include "heap/arena_asked.h"
#include "heap/large.h"
#include "heap/page_arena.h"
#include "os/die.h"
#include "os/os.h"
#include "registry/tiny_registry.h"

#define WRONG_POINTER "free of a pointer that is no block"
#define INSIDE "free of a pointer into a block"
#define LINKS sizeof(tiny_block_t) // bytes of a free block that the lists write

// ---- the requested size

// A tiny block's note: 0 if it was never allocated, FREED, or the requested size plus 1.
#define FREED UINT32_MAX

typedef _Atomic(uint32_t) note_t;

static note_t *note_of(const void *block, const char *misuse)
{
    const tiny_slab_t *slab = tiny_registry_slab(block);
    size_t index = tiny_block_index(slab, block);
    if (UNLIKELY(index == SIZE_MAX)) tiny_die(misuse, block);
    return &slab->asked[index];
}

static size_t claim_tiny(void *block, size_t *size)
{
    note_t *note = note_of(block, INSIDE);
    uint32_t asked = atomic_exchange(note, FREED);
    if (UNLIKELY(asked == FREED)) tiny_die(CANARY_DOUBLE_FREE, block);
    if (UNLIKELY(asked == 0)) tiny_die(WRONG_POINTER, block);
    if (UNLIKELY(!canary_has_post(block))) tiny_die(CANARY_UNDERFLOW, block);
    *size = tiny_class_size[tiny_registry_slab(block)->class];
    return asked - 1u;
}

static size_t tiny_asked(const void *block, const char *misuse)
{
    uint32_t asked = atomic_load(note_of(block, misuse));
    if (UNLIKELY(asked == 0 || asked == FREED)) tiny_die(misuse, block);
    return asked - 1u;
}

static size_t note_tiny(char *block, size_t asked)
{
    const tiny_slab_t *slab = tiny_registry_slab(block);
    atomic_store_explicit(&slab->asked[tiny_block_index(slab, block)], (uint32_t)(asked + 1),
                          memory_order_release);
    return tiny_class_size[slab->class];
}

// Checks a block that the layers return. A fresh block has no fill yet, and its slab's earlier contents may reveal the
// secret.
static void check_free(char *block)
{
    const tiny_slab_t *slab = tiny_registry_slab(block);
    char *end = block + tiny_class_size[slab->class];
    uint32_t asked = atomic_load(&slab->asked[tiny_block_index(slab, block)]);
    if (UNLIKELY(asked != 0 && asked != FREED))
        tiny_die("corrupted heap: a block was handed out twice", block);
    if (asked == FREED && UNLIKELY(!canary_is_filled(block + LINKS, end - CANARY_POST)))
        tiny_die(CANARY_WRITTEN, block);
    if (UNLIKELY(!canary_has_post(end))) tiny_die(CANARY_OVERFLOW, block);
    canary_fill(block, asked == FREED ? block + LINKS : end - CANARY_POST);
}

typedef enum kind { NO_BLOCK, TINY, ARENA, LARGE } kind_t;

static kind_t kind_of(const void *block)
{
    tiny_tag_t tag = tiny_registry_tag(block);
    if (TINY_TAG_OWNER(tag) != 0) return TINY;
    if (tag == TINY_TAG(0, TINY_KIND_ARENA)) return ARENA;
    return tag == TINY_TAG(0, TINY_KIND_LARGE) ? LARGE : NO_BLOCK;
}

// Marks the block as allocated.
static void hand_out(char *block, size_t asked)
{
    size_t size;
    switch (kind_of(block)) {
    case TINY:
        size = note_tiny(block, asked);
        break;
    case ARENA:
        size = page_arena_note(block, asked);
        break;
    default:
        size = large_note(block, asked);
    }
    canary_set(block + asked, block + size);
}

static void check_canary(const char *block, size_t asked, size_t size)
{
    if (UNLIKELY(!canary_is_whole(block + asked, block + size)))
        hak_die_of_size(CANARY_OVERFLOW, block, size);
}

// ---- quarantine

// row: waiting blocks, the oldest first.
#define ROW 1024u
typedef struct row {
    size_t bytes;
    unsigned first; // both only increase, and wrap
    unsigned end;
    struct waiting {
        char *block;
        size_t size;
    } waiting[ROW];
} row_t;

// Byte bounds for tiny blocks and for arena blocks; at least one block of each may wait.
#define TINY_BYTES ((size_t)256 << 10)
#define ARENA_BYTES ((size_t)1 << 20)
typedef struct quarantine {
    row_t tiny;
    row_t arena;
} quarantine_t;

#define QUARANTINE_BYTES hak_round_up(sizeof(quarantine_t), OS_PAGE)

static quarantine_t *own(void)
{
    return *tiny_backend_quarantine();
}

static void leave(row_t *row)
{
    struct waiting gone = row->waiting[row->first++ % ROW];
    row->bytes -= gone.size;
    if (UNLIKELY(!canary_is_filled(gone.block, gone.block + gone.size - CANARY_POST)))
        hak_die_of_size(CANARY_WRITTEN, gone.block, gone.size);
    blocks_free(gone.block);
}

// A fork finds a row consistent at any time, as it does the heap.
static void wait_in(row_t *row, char *block, size_t size, size_t bound)
{
    tiny_heap_t *heap = tiny_backend_heap();
    tiny_heap_begin(heap);
    while (row->end != row->first && (row->bytes + size > bound || row->end - row->first == ROW)) leave(row);
    row->waiting[row->end++ % ROW] = (struct waiting){block, size};
    row->bytes += size;
    tiny_heap_end(heap);
}

// NULL if the thread has no heap, because it is ending, or if there is no memory: then freed blocks skip the
// quarantine.
static quarantine_t *quarantine(void)
{
    if (UNLIKELY(own() == NULL) && tiny_backend_heap() != NULL)
        *tiny_backend_quarantine() = os_map(QUARANTINE_BYTES, OS_PAGE);
    return own();
}

static void empty(row_t *row)
{
    while (row->end != row->first) leave(row);
}

void hardened_drain(void)
{
    quarantine_t *waiting = own();
    if (waiting == NULL) return;
    tiny_heap_t *heap = tiny_backend_heap();
    tiny_heap_begin(heap);
    empty(&waiting->tiny);
    empty(&waiting->arena);
    tiny_heap_end(heap);
}

hardened_waiting_t hardened_waiting(void)
{
    const quarantine_t *waiting = own();
    if (waiting == NULL) return (hardened_waiting_t){0, 0};
    return (hardened_waiting_t){waiting->tiny.end - waiting->tiny.first +
                                    (waiting->arena.end - waiting->arena.first),
                                waiting->tiny.bytes + waiting->arena.bytes};
}

// The caller detaches the thread next, so the thread gets no new quarantine.
void hardened_thread_ends(void)
{
    hardened_drain();
    quarantine_t *gone = own();
    *tiny_backend_quarantine() = NULL;
    if (gone != NULL) os_unmap(gone, QUARANTINE_BYTES);
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
    if (kind_of(block) == TINY) check_free(block);
    hand_out(block, size);
    return block;
}

void *hardened_alloc(size_t size)
{
    bool zeroed;
    return hardened_alloc_aligned(size, TINY_MIN_ALIGN, &zeroed);
}

// Returns the requested size and marks the block as not allocated.
static size_t claim(void *block, kind_t kind, size_t *size)
{
    switch (kind) {
    case TINY:
        return claim_tiny(block, size);
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
        return tiny_asked(block, misuse);
    case ARENA:
        return page_arena_asked(block, misuse);
    case LARGE:
        return large_asked(block, misuse);
    default:
        hak_die(misuse, block);
    }
}

void *hardened_resize(void *block, size_t size)
{
    static const char misuse[] = "realloc of a pointer that is no block";
    size_t asked = hardened_size(block, misuse), has = blocks_size(block, misuse);
    check_canary(block, asked, has);
    if (size > HAK_MAX_REQUEST - CANARY_POST) return NULL;
    char *resized = block;
    if (kind_of(block) == LARGE) {
        if (size <= PAGE_ARENA_MAX_SIZE) return NULL;
        resized = large_resize(block, size + CANARY_POST);
    } else if (size + CANARY_POST > has || size + CANARY_POST <= has / 2) {
        return NULL;
    }
    if (resized != NULL) hand_out(resized, size);
    return resized;
}

void hardened_shrink(void *block, size_t size)
{
    hand_out(block, size);
}

#endif
