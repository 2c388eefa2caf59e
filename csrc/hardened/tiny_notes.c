// Notes of tiny blocks, for variants with full checks.
#include "hardened/tiny_notes.h"

#if TINY_CHECKS >= TINY_CHECKS_FULL

#include "hardened/canary.h"

#define LINKS sizeof(tiny_block_t) // bytes of a free block that the lists write

// A tiny block's note: 0 if it was never allocated, FREED, or the requested size plus 1.
#define FREED UINT16_MAX
_Static_assert(TINY_MAX_SIZE - CANARY_POST + 1 < FREED, "the requested size fits a note");

typedef _Atomic(uint16_t) note_t;

static note_t *note_of(const void *block, const char *misuse)
{
    const tiny_slab_t *slab = tiny_registry_slab(block);
    size_t index = tiny_block_index(slab, block);
    if (UNLIKELY(index == SIZE_MAX)) tiny_die(misuse, block);
    return &slab->asked[index];
}

size_t tiny_notes_claim(void *block, size_t *size)
{
    note_t *note = note_of(block, "free of a pointer into a block");
    uint16_t asked = atomic_exchange(note, FREED);
    if (UNLIKELY(asked == FREED)) tiny_die(CANARY_DOUBLE_FREE, block);
    if (UNLIKELY(asked == 0)) tiny_die("free of a pointer that is no block", block);
    if (UNLIKELY(!canary_has_post(block))) tiny_die(CANARY_UNDERFLOW, block);
    *size = tiny_class_size[tiny_registry_slab(block)->class];
    return asked - 1u;
}

size_t tiny_notes_asked(const void *block, const char *misuse)
{
    uint16_t asked = atomic_load(note_of(block, misuse));
    if (UNLIKELY(asked == 0 || asked == FREED)) tiny_die(misuse, block);
    return asked - 1u;
}

size_t tiny_notes_set(char *block, size_t asked)
{
    const tiny_slab_t *slab = tiny_registry_slab(block);
    atomic_store_explicit(&slab->asked[tiny_block_index(slab, block)], (uint16_t)(asked + 1),
                          memory_order_release);
    return tiny_class_size[slab->class];
}

// Checks a block that the layers return. A fresh block has no fill yet, and its slab's earlier contents may reveal the
// secret.
void tiny_notes_check_free(char *block)
{
    const tiny_slab_t *slab = tiny_registry_slab(block);
    char *end = block + tiny_class_size[slab->class];
    uint16_t asked = atomic_load(&slab->asked[tiny_block_index(slab, block)]);
    if (UNLIKELY(asked != 0 && asked != FREED))
        tiny_die("corrupted heap: a block was handed out twice", block);
    if (asked == FREED && UNLIKELY(!canary_is_filled(block + LINKS, end - CANARY_POST)))
        tiny_die(CANARY_WRITTEN, block);
    if (UNLIKELY(!canary_has_post(end))) tiny_die(CANARY_OVERFLOW, block);
    canary_fill(block, asked == FREED ? block + LINKS : end - CANARY_POST);
}

#else
typedef int tiny_notes_are_compiled_out; // ISO C requires a declaration in every file
#endif
