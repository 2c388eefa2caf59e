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

#include "debug/memcheck.h"
#include "entry/blocks.h"
#include "hardened/canary.h"
#include "hardened/quarantine.h"
#include "hardened/tiny_notes.h"
#include "heap/arena_asked.h"
#include "heap/large.h"
#include "heap/large_asked.h"
#include "heap/page_arena.h"
#include "heap/tiny_heap.h"
#include "os/die.h"
#include "os/lock.h"
#include "registry/tiny_registry.h"
#include "thread/tiny_lifecycle.h"
#include "thread/tiny_tls.h"

#define WRONG_POINTER "free of a pointer that is no block"
#define NO_REALLOC "realloc of a pointer that is no block"

// ---- the kind of a block

typedef enum kind { NO_BLOCK, TINY, ARENA, LARGE } kind_t;

static kind_t kind_of(const void *block)
{
    tiny_tag_t tag = tiny_registry_tag(block);
    if (TINY_TAG_OWNER(tag) != 0) return TINY;
    if (tag == TINY_TAG(0, TINY_KIND_ARENA)) return ARENA;
    return tag == TINY_TAG(0, TINY_KIND_LARGE) ? LARGE : NO_BLOCK;
}

static tiny_place_t place_of(void *block, const char *misuse)
{
    return tiny_notes_find(tiny_registry_slab(block), block, misuse);
}

// ---- the end of a block

// Marks the block as allocated; returns the size of its memory, or 0 if it has no canary.
static size_t note(char *block, size_t asked)
{
    switch (kind_of(block)) {
    case TINY: {
        tiny_place_t place = place_of(block, WRONG_POINTER);
        tiny_notes_set(place, asked);
        return (size_t)(place.end - block);
    }
    case ARENA:
        return page_arena_note(block, asked);
    default:
        return large_note(block, asked);
    }
}

static void hand_out(char *block, size_t asked)
{
    size_t size = note(block, asked);
    if (size > 0) canary_set(block, asked, block + size);
}

// `size` is 0 if the block has no canary.
static void check_canary(char *block, size_t asked, size_t size)
{
    if (size > 0 && UNLIKELY(!canary_is_whole(block, asked, block + size)))
        hak_die_of_size(CANARY_OVERFLOW, block, size);
}

// ---- quarantine

// Byte bounds for tiny blocks and for arena blocks; at least one block of each may wait. All threads share TINY_IN_ALL, but
// each has TINY_LEAST.
#define TINY_MOST ((size_t)128 << 10)
#define TINY_LEAST ((size_t)32 << 10)
#define TINY_IN_ALL ((size_t)512 << 10)
#define ARENA_BYTES ((size_t)1 << 20)

static quarantine_t *own(void)
{
    return tiny_thread.quarantine.blocks;
}

// Checks the whole of a waiting block. A block that is to be allocated again is checked by tiny_notes_check_free.
static void check_waiting(quarantine_block_t waiting)
{
    bool whole;
    if (kind_of(waiting.start) == TINY) {
        tiny_place_t place = place_of(waiting.start, WRONG_POINTER);
        whole = tiny_notes_fill_is_whole(place, place.block, atomic_load(place.note));
    } else {
        char *start = waiting.start, *post = start + waiting.size - CANARY_POST;
        whole = waiting.state != 0 ? fill_is_whole(start, post) : fill_part_is_whole(start, start, post);
    }
    if (UNLIKELY(!whole)) hak_die_of_size(CANARY_WRITTEN, waiting.start, waiting.size);
}

static void empty(quarantine_t *waiting, quarantine_row_t *row)
{
    while (row->count > 0) {
        quarantine_block_t gone = quarantine_take(row, &waiting->random);
        check_waiting(gone);
        blocks_free(gone.start);
    }
}

// These have been taken from the row, so the heap counts them as allocated, as it does those of the caches.
static void empty_ready(quarantine_ready_t *ready, uint32_t size)
{
    while (ready->count > 0) {
        char *start = ready->block[--ready->count].start;
        check_waiting((quarantine_block_t){start, 0, size});
        blocks_free(start);
    }
}

static void drain(void)
{
    quarantine_t *waiting = own();
    tiny_heap_t *heap = tiny_backend_heap();
    tiny_heap_begin(heap);
    empty(waiting, &waiting->tiny);
    empty(waiting, &waiting->arena);
    for (size_t class = 0; class < TINY_CLASSES; class++)
        empty_ready(&waiting->ready[class], tiny_class_size[class]);
    tiny_heap_end(heap);
}

// The caller detaches the thread next, so the thread gets no new quarantine.
static void end(void)
{
    drain();
    tiny_thread.quarantine.blocks = NULL;
}

static size_t tiny_bytes_of_each(size_t threads)
{
    size_t share = TINY_IN_ALL / (threads > 0 ? threads : 1);
    return share > TINY_MOST ? TINY_MOST : share < TINY_LEAST ? TINY_LEAST : share;
}

// A forked child, which empties it on the thread's behalf, finds all of it or nothing.
static COLD quarantine_t *make_quarantine(void)
{
    tiny_heap_t *heap = tiny_backend_heap();
    if (heap == NULL) return NULL;
    tiny_heap_begin(heap);
    if (heap->quarantine == NULL) heap->quarantine = quarantine_make();
    quarantine_t *made = heap->quarantine;
    if (made != NULL) made->tiny_most = tiny_bytes_of_each(tiny_heaps_live());
    tiny_thread.quarantine = (tiny_tls_quarantine_t){made, drain, end};
    tiny_heap_end(heap);
    return made;
}

// NULL if the thread has no heap, because it is ending, or if there is no memory: then freed blocks skip the
// quarantine.
static quarantine_t *quarantine(void)
{
    quarantine_t *waiting = own();
    return LIKELY(waiting != NULL) ? waiting : make_quarantine();
}

hardened_waiting_t hardened_waiting(void)
{
    const quarantine_t *waiting = own();
    if (waiting == NULL) return (hardened_waiting_t){0, 0};
    return (hardened_waiting_t){waiting->tiny.count + waiting->arena.count,
                                waiting->tiny.bytes + waiting->arena.bytes};
}

hardened_waiting_t hardened_ready(void)
{
    const quarantine_t *waiting = own();
    hardened_waiting_t all = {0, 0};
    for (size_t class = 0; waiting != NULL && class < TINY_CLASSES; class++) {
        all.blocks += waiting->ready[class].count;
        all.bytes += waiting->ready[class].count * (size_t)tiny_class_size[class];
    }
    return all;
}

// ---- tiny blocks

// The layers overwrite the first word with a link, so this is the last time that it can be checked.
static COLD void leave_for_layers(quarantine_block_t gone)
{
    if (UNLIKELY(*(const canary_word_t *)(void *)gone.start != CANARY_FILL))
        hak_die_of_size(CANARY_WRITTEN, gone.start, gone.size);
    blocks_free(gone.start);
}

ALWAYS_INLINE void leave_tiny(quarantine_t *waiting, quarantine_block_t gone)
{
    if (UNLIKELY(!quarantine_make_ready(&waiting->ready[tiny_class_of(gone.size)], gone)))
        leave_for_layers(gone);
}

// The row holds larger blocks than those that leave it, or the bound has become smaller.
static COLD void let_surplus_go(quarantine_t *waiting)
{
    while (waiting->tiny.bytes > waiting->tiny_most && waiting->tiny.count > 1)
        leave_tiny(waiting, quarantine_take(&waiting->tiny, &waiting->random));
}

// The sizes of larger blocks are told apart from those of small ones once in a free and once in an allocation, because a
// processor cannot predict it.
static NOINLINE void claim_larger(fill_allowance_t *allowance, char *block, char *end,
                                  _Atomic(uint16_t) *note)
{
    tiny_place_t place = {block, end, note};
    __builtin_prefetch(end - CANARY_POST - CANARY_MOST, 1);
    __builtin_prefetch(fill_piece_of(block, end - CANARY_POST), 1);
    __builtin_prefetch(block + FILL_BEGINNING / 2, 1);
    size_t asked = tiny_notes_claim(place);
    if (UNLIKELY(fill_allows_whole(allowance, (size_t)(end - block)))) tiny_notes_fill(place);
    else tiny_notes_fill_part(place, asked);
}

// Claims the block, and fills it.
ALWAYS_INLINE void claim_tiny(fill_allowance_t *allowance, tiny_place_t place)
{
    if (LIKELY((size_t)(place.end - place.block) <= FILL_ALWAYS)) {
        (void)tiny_notes_claim(place);
        canary_fill_small(place.block, place.end - CANARY_POST);
    } else {
        claim_larger(allowance, place.block, place.end, place.note);
    }
}

// A fork finds a row consistent at any time, as it does the heap.
ALWAYS_INLINE void retire_into(quarantine_t *waiting, tiny_place_t place)
{
    size_t size = (size_t)(place.end - place.block);
    claim_tiny(&waiting->allowance, place);
    quarantine_block_t block = {place.block, (uintptr_t)place.note, size};
    tiny_heap_t *heap = tiny_thread.heap;
    tiny_heap_begin(heap);
    if (UNLIKELY(quarantine_has_much_room(&waiting->tiny, size, waiting->tiny_most)))
        quarantine_add(&waiting->tiny, block);
    else leave_tiny(waiting, quarantine_exchange(&waiting->tiny, block, &waiting->random));
    if (UNLIKELY(waiting->tiny.bytes > waiting->tiny_most)) let_surplus_go(waiting);
    tiny_heap_end(heap);
}

static COLD void retire_first(char *block, char *end, _Atomic(uint16_t) *note)
{
    fill_allowance_t none = {.spent = FILL_ALLOWANCE_MOST, .refused = 1};
    tiny_place_t place = {block, end, note};
    quarantine_t *waiting = make_quarantine();
    if (waiting != NULL) {
        retire_into(waiting, place);
        return;
    }
    claim_tiny(&none, place); // there is no memory for a quarantine, or the thread is ending
    blocks_free(block);
}

ALWAYS_INLINE void free_tiny(const tiny_slab_t *slab, void *block)
{
    tiny_place_t place = tiny_notes_find(slab, block, "free of a pointer into a block");
    quarantine_t *waiting = own();
    if (LIKELY(waiting != NULL)) retire_into(waiting, place);
    else retire_first(place.block, place.end, place.note);
}

static COLD void check_other(const tiny_slab_t *slab, char *block, char *end, _Atomic(uint16_t) *note)
{
    tiny_place_t place = {block, end, note};
    tiny_notes_check_free(slab, place, atomic_load_explicit(note, memory_order_relaxed));
}

// The kinds of fill that most blocks have: small ones as a whole, larger ones in part. Others were never allocated.
ALWAYS_INLINE void check_free(const tiny_slab_t *slab, tiny_place_t place)
{
    uint16_t note = atomic_load_explicit(place.note, memory_order_acquire);
    const char *behind = place.block + sizeof(tiny_block_t), *post = place.end - CANARY_POST;
    bool is_whole = true;
    if (LIKELY(note == TINY_NOTE_FREED && (size_t)(place.end - place.block) <= FILL_ALWAYS))
        is_whole = canary_is_filled(behind, post);
    else if (note == TINY_NOTE_FREED_PART) is_whole = fill_part_is_whole(place.block, behind, post);
    else if (note == 0) tiny_notes_begin(slab, place);
    else check_other(slab, place.block, place.end, place.note);
    if (UNLIKELY(!is_whole)) tiny_die(CANARY_WRITTEN, place.block);
}

ALWAYS_INLINE void *hand_out_tiny(const tiny_slab_t *slab, void *block, size_t size)
{
    tiny_place_t place = tiny_notes_find(slab, block, "corrupted heap: no block begins at a free one");
    check_free(slab, place);
    tiny_notes_hand_out(place, size);
    return block;
}

// ---- blocks that are ready

// Each hands out a block into which no layer has written a link. It ends the process if the block was written to since it was
// freed.
static NOINLINE void hand_out_larger(char *block, char *end, _Atomic(uint16_t) *note, size_t size)
{
    tiny_place_t place = {block, end, note};
    uint16_t state = atomic_load_explicit(note, memory_order_relaxed);
    if (UNLIKELY(state < TINY_NOTE_FREED_PART)) tiny_die(HANDED_OUT_TWICE, block);
    if (UNLIKELY(!tiny_notes_fill_is_whole(place, block, state))) tiny_die(CANARY_WRITTEN, block);
    tiny_notes_hand_out(place, size);
}

ALWAYS_INLINE void hand_out_small(tiny_place_t place, size_t size)
{
    if (UNLIKELY(atomic_load_explicit(place.note, memory_order_relaxed) != TINY_NOTE_FREED))
        tiny_die(HANDED_OUT_TWICE, place.block);
    if (UNLIKELY(!canary_small_is_filled(place.block, place.end - CANARY_POST)))
        tiny_die(CANARY_WRITTEN, place.block);
    tiny_notes_hand_out(place, size);
}

// Returns NULL if no block of the request's class is ready. `memory`: the size of the block's memory, at most TINY_HOT_SIZE.
ALWAYS_INLINE void *alloc_ready(size_t memory, size_t size)
{
    quarantine_t *waiting = own();
    if (UNLIKELY(waiting == NULL)) return NULL;
    size_t class = tiny_size_index[(memory + TINY_SIZE_STEP - 1) / TINY_SIZE_STEP];
    quarantine_ready_t *ready = &waiting->ready[class];
    unsigned count = ready->count;
    if (UNLIKELY(count == 0)) return NULL;
    struct ready_block block = ready->block[count - 1];
    ready->count = count - 1;
    tiny_place_t place = {block.start, block.start + tiny_class_size[class], block.note};
    if (LIKELY((size_t)(place.end - place.block) <= FILL_ALWAYS)) hand_out_small(place, size);
    else hand_out_larger(place.block, place.end, place.note, size);
    return block.start;
}

// ---- other blocks

// Returns the requested size and marks the block as not allocated.
static size_t claim(void *block, kind_t kind, size_t *size)
{
    switch (kind) {
    case ARENA:
        return page_arena_claim(block, size);
    case LARGE:
        return large_claim(block, size);
    default:
        hak_die(WRONG_POINTER, block);
    }
}

static bool fill_run(quarantine_t *waiting, char *block, size_t asked, size_t size)
{
    char *post = block + size - CANARY_POST;
    bool whole = waiting != NULL && fill_allows_whole(&waiting->allowance, size);
    if (!whole) {
        fill_part(block, post);
        canary_wipe(block, asked, block + size);
        return false;
    }
    fill_whole(block, post);
    page_arena_mark_filled(block);
    return true;
}

static void retire_run(char *block, size_t asked, size_t size)
{
    quarantine_t *waiting = quarantine();
    bool whole = fill_run(waiting, block, asked, size);
    if (waiting == NULL) {
        blocks_free(block);
        return;
    }
    tiny_heap_t *heap = tiny_thread.heap;
    tiny_heap_begin(heap);
    while (!quarantine_has_room(&waiting->arena, size, ARENA_BYTES)) {
        quarantine_block_t gone = quarantine_take(&waiting->arena, &waiting->random);
        check_waiting(gone);
        blocks_free(gone.start);
    }
    quarantine_add(&waiting->arena, (quarantine_block_t){block, whole, size});
    tiny_heap_end(heap);
}

// Overwrites the end of a large block: its memory will be used otherwise.
static void wipe_end(char *block, size_t asked, size_t size)
{
    if (size == 0) return;
    canary_wipe(block, asked, block + size);
    canary_fill(block + size - CANARY_POST, block + size);
}

static COLD void free_untiny(void *block)
{
    if (block == NULL) return;
    size_t size;
    kind_t kind = kind_of(block);
    size_t asked = claim(block, kind, &size);
    check_canary(block, asked, size);
    if (kind == LARGE) {
        wipe_end(block, asked, size);
        large_free(block); // large blocks have their own quarantine
        return;
    }
    retire_run(block, asked, size);
}

static void *hand_out_untiny(char *block, size_t size)
{
    if (kind_of(block) == ARENA && UNLIKELY(!page_arena_is_unwritten(block))) hak_die(CANARY_WRITTEN, block);
    hand_out(block, size);
    return block;
}

// ---- entries

static void *out_of_memory(void)
{
    errno = ENOMEM;
    return NULL;
}

void *hardened_alloc_aligned(size_t size, size_t alignment, bool *zeroed)
{
    if (UNLIKELY(size > HAK_MAX_REQUEST - CANARY_POST)) return out_of_memory();
    *zeroed = false;
    if (LIKELY(alignment <= TINY_MIN_ALIGN && size <= TINY_HOT_SIZE - CANARY_POST)) {
        void *ready = alloc_ready(size + CANARY_POST, size);
        if (LIKELY(ready != NULL)) return ready;
    }
    void *block = blocks_alloc(size + CANARY_POST, alignment, zeroed);
    if (UNLIKELY(block == NULL)) return NULL;
    const tiny_slab_t *slab = tiny_registry_find(block);
    if (slab != NULL) return hand_out_tiny(slab, block, size);
    return hand_out_untiny(block, size);
}

// Returns a block with room for `room` bytes, of which `size` were requested: so its only canary lies behind these. A thread
// past its own end gets runs instead of tiny blocks.
ALWAYS_INLINE void *alloc_with_room(size_t room, size_t size)
{
    if (UNLIKELY(room > HAK_MAX_REQUEST - CANARY_POST)) return out_of_memory();
    void *block = blocks_alloc_fast(room + CANARY_POST);
    if (UNLIKELY(block == NULL)) return NULL;
    const tiny_slab_t *slab = tiny_registry_find(block);
    if (LIKELY(slab != NULL)) return hand_out_tiny(slab, block, size);
    return hand_out_untiny(block, size);
}

static COLD void *alloc_unready(size_t size)
{
    return alloc_with_room(size, size);
}

void *hardened_alloc(size_t size)
{
    if (UNLIKELY(size > TINY_HOT_SIZE - CANARY_POST)) return alloc_unready(size);
    void *block = alloc_ready(size + CANARY_POST, size);
    return LIKELY(block != NULL) ? block : alloc_unready(size);
}

// Where a block of `size` bytes that replaces one of `has` bytes gets room to grow further.
static bool wants_room(size_t has, size_t size)
{
    enum { LEAST = 32 << 10 };
    if (size <= has || size > HAK_MAX_REQUEST - CANARY_POST) return false;
    return size > BLOCKS_RUN_MOST || (size >= LEAST && blocks_grow_by_factor(has, size));
}

// Other blocks that grow get a little more memory.
void *hardened_alloc_resized(size_t has, size_t size)
{
    char *large = wants_room(has, size) ? large_alloc_to_grow(size + CANARY_POST) : NULL;
    if (large != NULL) {
        hand_out(large, size);
        return large;
    }
    size_t more = blocks_size_with_headroom(has, size);
    void *block = more > size ? alloc_with_room(more, size) : NULL;
    return block != NULL ? block : hardened_alloc(size);
}

void hardened_free(void *block)
{
    const tiny_slab_t *slab = tiny_registry_find(block);
    if (LIKELY(slab != NULL)) free_tiny(slab, block);
    else free_untiny(block);
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
        return tiny_notes_asked(place_of((void *)(uintptr_t)block, misuse), misuse);
    case ARENA:
        return page_arena_asked(block, misuse);
    case LARGE: {
        size_t memory;
        return large_asked(block, misuse, &memory);
    }
    default:
        hak_die(misuse, block);
    }
}

static void *resize_large(char *block, size_t size, size_t *asked)
{
    size_t has, wanted = size + CANARY_POST;
    *asked = large_asked(block, NO_REALLOC, &has);
    check_canary(block, *asked, has);
    wipe_end(block, *asked, has);
    if (large_memory_for(size) != large_memory_for(*asked) && !large_fits(block, wanted)) {
        char *resized = size > BLOCKS_RUN_MOST ? large_resize(block, wanted) : NULL;
        if (resized == NULL) {
            hand_out(block, *asked); // it stays as it was
            return NULL;
        }
        block = resized;
    }
    hand_out(block, size);
    return block;
}

void *hardened_resize(void *block, size_t size, size_t *asked)
{
    if (kind_of(block) == LARGE && size <= HAK_MAX_REQUEST - CANARY_POST)
        return resize_large(block, size, asked);
    *asked = hardened_size(block, NO_REALLOC);
    if (size > HAK_MAX_REQUEST - CANARY_POST) return NULL;
    size_t has = blocks_size(block, NO_REALLOC);
    check_canary(block, *asked, has);
    if (size + CANARY_POST > has || size + CANARY_POST <= has / 2) return NULL;
    canary_wipe(block, *asked, (char *)block + has);
    hand_out(block, size);
    return block;
}

void hardened_shrink(void *block, size_t size)
{
    size_t asked, has;
    if (kind_of(block) == LARGE) {
        asked = large_asked(block, NO_REALLOC, &has);
        wipe_end(block, asked, has);
    } else {
        asked = hardened_size(block, NO_REALLOC);
        canary_wipe(block, asked, (char *)block + blocks_size(block, NO_REALLOC));
    }
    hand_out(block, size);
}

// ---- the end of the process

// Checks what still waits, of the thread that ends the process: others may be changing theirs. A signal handler may have
// called exit() in the middle of a change; then nothing is checked.
__attribute__((destructor)) static void check_what_waits(void)
{
    if (own() == NULL || tiny_thread.heap == NULL || os_locks_held > 0) return;
    memcheck_unwatched_begin();
    if (atomic_load_explicit(&tiny_thread.heap->in_change, memory_order_relaxed) == 0) drain();
    memcheck_unwatched_end();
}

#endif
