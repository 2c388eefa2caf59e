// The hit path of the variants with `fast_path: ultra`.
//
// The generated header selects the first layer (tiny_first_pop, tiny_first_push) and prints the code of a miss
// (tiny_alloc_slow, tiny_free_slow: out of line, cold). A hit makes no call and takes no lock; each build counts its
// instructions from the binary: `evidence/asm.json`.
#ifndef TINY_ALLOC_ULTRA_INC_H
#define TINY_ALLOC_ULTRA_INC_H

ALWAYS_INLINE void *tiny_ultra_alloc(size_t size)
{
    size_t class = tiny_front.class_of[(size + TINY_SIZE_STEP - 1) / TINY_SIZE_STEP];
    void *block = tiny_first_pop(class);
    if (UNLIKELY(block == NULL)) return tiny_alloc_slow(size);
    return tiny_hand_out(block);
}

// The same for requests whose class is known.
ALWAYS_INLINE void *tiny_ultra_alloc_class(size_t class)
{
    void *block = tiny_first_pop(class);
    if (UNLIKELY(block == NULL)) return tiny_alloc_slow(tiny_class_size[class]);
    return tiny_hand_out(block);
}

ALWAYS_INLINE void tiny_ultra_free(void *block)
{
    uint64_t class = tiny_own_class(block, tiny_front.tag);
    if (UNLIKELY(class >= TINY_CLASSES)) return tiny_free_other(block);
    if (UNLIKELY(tiny_is_marked(block, tiny_front.key))) return tiny_free_marked(block, class);
    tiny_mark(block, tiny_front.key);
    if (UNLIKELY(!tiny_first_push(class, block))) tiny_free_slow(block, class);
}

#endif
