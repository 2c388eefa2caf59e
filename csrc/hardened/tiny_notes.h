// With full checks: the state of tiny blocks, stored apart from them in their page's notes.
//
// note: 0 if the block was never allocated, else freed, or the requested size. So it is known which blocks are allocated
// and where their canaries begin, even if the program wrote beyond a block.
// place: a block of a slab and its note, found once for each operation.
#ifndef TINY_NOTES_H
#define TINY_NOTES_H

#include "hardened/fill.h"
#include "os/os_threads.h"
#include "registry/tiny_registry.h"

#if TINY_CHECKS >= TINY_CHECKS_FULL

// A note: 0 if the block was never allocated; one of these; or the requested size plus 1.
#define TINY_NOTE_FREED UINT16_MAX // and filled as a whole
#define TINY_NOTE_FREED_PART (UINT16_MAX - 1) // and filled in part, see fill.h
_Static_assert(TINY_MAX_SIZE - CANARY_POST + 1 < TINY_NOTE_FREED_PART, "the requested size fits a note");

#define HANDED_OUT_TWICE "corrupted heap: a block was handed out twice"

typedef struct tiny_place {
    char *block;
    char *end; // of the block's memory
    _Atomic(uint16_t) *note;
} tiny_place_t;

// Finds the block; ends the process with the message `misuse` if none of the slab's blocks begins there.
ALWAYS_INLINE tiny_place_t tiny_notes_find(const tiny_slab_t *slab, void *block, const char *misuse)
{
    size_t index = tiny_block_index(slab, block);
    if (UNLIKELY(index == SIZE_MAX)) tiny_die(misuse, block);
    return (tiny_place_t){block, (char *)block + tiny_class_size[slab->class], &slab->asked[index]};
}

// Marks the block as allocated with this requested size.
static inline void tiny_notes_set(tiny_place_t place, size_t asked)
{
    atomic_store_explicit(place.note, (uint16_t)(asked + 1), memory_order_release);
}

static inline bool tiny_note_is_of_free(uint16_t note)
{
    return note == 0 || note >= TINY_NOTE_FREED_PART;
}

// Returns the note, and marks the block as freed. Two threads may free it at the same time; one thread alone does not need the
// locked instruction, which holds up what follows.
ALWAYS_INLINE uint16_t tiny_note_exchange(_Atomic(uint16_t) *at)
{
    if (!os_has_one_thread()) return atomic_exchange(at, TINY_NOTE_FREED);
    uint16_t note = atomic_load_explicit(at, memory_order_relaxed);
    atomic_store_explicit(at, TINY_NOTE_FREED, memory_order_relaxed);
    return note;
}

// Marks the block as freed and returns its requested size. Ends the process if it is not allocated, or if its canary or the
// post before it is damaged.
ALWAYS_INLINE size_t tiny_notes_claim(tiny_place_t place)
{
    // The exchange holds up every load that follows it, but not these.
    __builtin_prefetch(place.block - CANARY_POST);
    __builtin_prefetch(place.end - CANARY_POST, 1);
    uint16_t note = tiny_note_exchange(place.note);
    if (UNLIKELY(tiny_note_is_of_free(note)))
        tiny_die(note == 0 ? "free of a pointer that is no block" : CANARY_DOUBLE_FREE, place.block);
    size_t asked = note - 1u;
    uint64_t secret = tiny_secret_known();
    if (UNLIKELY(!canary_has_word(place.block, canary_word_for(secret, place.block))))
        tiny_die(CANARY_UNDERFLOW, place.block);
    uint64_t word = canary_word_for(secret, place.end);
    if (UNLIKELY(!canary_is_whole_with(word, place.block, asked, place.end)))
        tiny_die(CANARY_OVERFLOW, place.block);
    return asked;
}

// Fills a claimed block as a whole; or in part, but the canary goes in any case, because it depends on the secret.
static inline void tiny_notes_fill(tiny_place_t place)
{
    fill_whole(place.block, place.end - CANARY_POST);
}

static inline void tiny_notes_fill_part(tiny_place_t place, size_t asked)
{
    canary_set_in_free(CANARY_FILL, place.block, asked, place.end);
    fill_part(place.block, place.end - CANARY_POST);
    atomic_store_explicit(place.note, TINY_NOTE_FREED_PART, memory_order_relaxed);
}

// Returns the requested size; ends the process with the message `misuse` if the block is not allocated.
static inline size_t tiny_notes_asked(tiny_place_t place, const char *misuse)
{
    uint16_t note = atomic_load(place.note);
    if (UNLIKELY(tiny_note_is_of_free(note))) tiny_die(misuse, place.block);
    return note - 1u;
}

// True if the fill of a freed block is undamaged from `from` on, which lies at most FILL_BEGINNING behind the start.
static inline bool tiny_notes_fill_is_whole(tiny_place_t place, const char *from, uint16_t note)
{
    const char *post = place.end - CANARY_POST;
    if (LIKELY(note == TINY_NOTE_FREED)) return fill_is_whole(from, post);
    return fill_part_is_whole(place.block, from, post);
}

// False: the post that its owner wrote before it set the note is there.
static inline bool tiny_note_is_of_new(const _Atomic(uint16_t) *note)
{
    return atomic_load_explicit(note, memory_order_acquire) == 0;
}

// Prepares a block that was never allocated. A post that a neighbour needs has been written for it already, and has to be
// undamaged.
static inline void tiny_notes_begin(const tiny_slab_t *slab, tiny_place_t place)
{
    size_t index = (size_t)(place.note - slab->asked);
    if (index > 0 && tiny_note_is_of_new(place.note - 1)) canary_set_post(place.block);
    if (index + 1u == slab->capacity || tiny_note_is_of_new(place.note + 1)) canary_set_post(place.end);
}

// Checks what a block that the layers return holds, except for the link that they wrote and the post; ends the process if
// the block is allocated, or was written to since it was freed.
static inline void tiny_notes_check_free(const tiny_slab_t *slab, tiny_place_t place, uint16_t note)
{
    if (UNLIKELY(note == 0)) tiny_notes_begin(slab, place);
    else if (UNLIKELY(!tiny_note_is_of_free(note))) tiny_die(HANDED_OUT_TWICE, place.block);
    else if (UNLIKELY(!tiny_notes_fill_is_whole(place, place.block + sizeof(tiny_block_t), note)))
        tiny_die(CANARY_WRITTEN, place.block);
}

// Marks a checked block as allocated with this requested size, and writes its canary; ends the process if its post is
// damaged.
ALWAYS_INLINE void tiny_notes_hand_out(tiny_place_t place, size_t asked)
{
    uint64_t word = canary_word_for(tiny_secret_known(), place.end);
    if (UNLIKELY(!canary_has_word(place.end, word))) tiny_die(CANARY_OVERFLOW, place.block);
    *(canary_word_t *)(void *)place.block = CANARY_FILL;
    tiny_notes_set(place, asked);
    canary_set_in_free(word, place.block, asked, place.end);
}

// Called for a slab whose blocks are all free: what lies in it and depends on the secret is overwritten.
static inline void tiny_notes_wipe(const tiny_slab_t *slab)
{
    size_t size = tiny_class_size[slab->class];
    ((canary_word_t *)(void *)slab->start)[-1] = CANARY_FILL;
    for (size_t i = 0; i < slab->capacity; i++) {
        if (tiny_note_is_of_new(&slab->asked[i])) continue;
        canary_word_t *word = (canary_word_t *)(void *)(slab->start + i * size);
        word[-1] = word[0] = word[size / sizeof *word - 1] = CANARY_FILL;
    }
}

#endif
#endif
