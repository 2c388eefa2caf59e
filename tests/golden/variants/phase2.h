// phase2: the tiny allocator's fast path. Generated from variants/phase2.yaml; do not edit.
// Phase 2. Unified Cache, then TLS SLL, then the SuperSlab backend; the hit path alone is inlined.
//
// Layers, in the order in which a request meets them:
//   1. Unified Cache (cache)
//   2. TLS SLL (overflow)
//   3. Legacy refill (refill)

// ---- configuration

#ifndef TINY_GEN_CONFIG_H
#define TINY_GEN_CONFIG_H

#define TINY_VARIANT "phase2"
#define TINY_CLASSES 8
#define TINY_CLASS_SIZES 8, 16, 32, 64, 128, 256, 512, 1024
#define TINY_MAX_SIZE 1024
#define TINY_MIN_ALIGN 16

// The class of a request, by its size in steps of 8 bytes.
#define TINY_SIZE_STEP 8
#define TINY_SIZE_INDEX \
    1, 1, 1, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 4, 4, 4, 4, 5, 5, 5, 5, 5, 5, 5, \
    5, 5, 5, 5, 5, 5, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, \
    6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 7, 7, 7, 7, 7, 7, 7, \
    7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, \
    7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, \
    7, 7, 7, 7, 7, 7, 7, 7, 7

// Diagnostic output: 1 is compiled in always.
#define HAKMEM_DEBUG_OUTPUT (!HAKMEM_BUILD_RELEASE)

// X(layer, environment variable, on by default)
#define TINY_TOGGLE_COUNT 0
#define TINY_TOGGLES(X)

// X(option, environment variable, default, least, most)
#define TINY_ENV_OPTION_COUNT 0
#define TINY_ENV_OPTIONS(X)

// Keep the blocks of a refill in a hot magazine (C0-C3) that is looked at before the backend.
#define TINY_HAS_OPTION_HOTMAG 0
#define TINY_OPTION_HOTMAG 0
// Queue what the TLS SLL spills, and let a later slow path of any thread take it home.
#define TINY_HAS_OPTION_BG_SPILL 0
#define TINY_OPTION_BG_SPILL 0
// Take in blocks that other threads freed after this many slow paths, not only when a refill needs
// them; 0 is never.
#define TINY_HAS_OPTION_BG_REMOTE 1
#define TINY_OPTION_BG_REMOTE 64

// X(layer), in the order in which a request meets them
#define TINY_LAYERS 3
#define TINY_LAYER_NAMES(X) \
    X(unified_cache) \
    X(tls_sll) \
    X(legacy_refill)

#endif // TINY_GEN_CONFIG_H

// ---- the front: state, layers, entries

#if defined(TINY_GEN_FRONT) && !defined(TINY_GEN_FRONT_H)
#define TINY_GEN_FRONT_H

// Unified Cache
typedef struct unified_cache_list {
    tiny_block_t *head;
    uint32_t count;
} unified_cache_list_t;

// TLS SLL
typedef struct tls_sll_list {
    tiny_block_t *head;
    uint32_t count;
} tls_sll_list_t;

// A thread's state. `tag` is its heap's, so that one comparison tells its own blocks.
typedef struct tiny_front {
    uint64_t tag;
    unified_cache_list_t unified_cache[8];
    tls_sll_list_t tls_sll[8];
} tiny_front_t;

extern HAK_TLS tiny_front_t tiny_front;

// ---- 1. Unified Cache
// One tcache-style list a class, for every class.

ALWAYS_INLINE unified_cache_list_t *unified_cache_of(unsigned class)
{
    return &tiny_front.unified_cache[class];
}

ALWAYS_INLINE void *unified_cache_pop(unsigned class)
{
    unified_cache_list_t *list = unified_cache_of(class);
    tiny_block_t *block = list->head;
    if (UNLIKELY(block == NULL)) return NULL;
    list->head = block->next;
    list->count--;
    return block;
}

ALWAYS_INLINE size_t unified_cache_held(unsigned class)
{
    return unified_cache_of(class)->count;
}

ALWAYS_INLINE bool unified_cache_push(unsigned class, void *block)
{
    unified_cache_list_t *list = unified_cache_of(class);
    if (UNLIKELY(list->count == 256u)) return false;
    ((tiny_block_t *)block)->next = list->head;
    list->head = block;
    list->count++;
    return true;
}

// ---- 2. TLS SLL
// Generic free list a class; takes whatever the caches above have no room for.

ALWAYS_INLINE tls_sll_list_t *tls_sll_of(unsigned class)
{
    return &tiny_front.tls_sll[class];
}

ALWAYS_INLINE void *tls_sll_pop(unsigned class)
{
    tls_sll_list_t *list = tls_sll_of(class);
    tiny_block_t *block = list->head;
    if (UNLIKELY(block == NULL)) return NULL;
    list->head = block->next;
    list->count--;
    return block;
}

ALWAYS_INLINE size_t tls_sll_held(unsigned class)
{
    return tls_sll_of(class)->count;
}

// 262144 bytes of each class, in blocks.
static const uint32_t tls_sll_limit[TINY_CLASSES] = {32768, 16384, 8192, 4096, 2048, 1024, 512, 256};

static COLD __attribute__((unused)) void tls_sll_spill(unsigned class)
{
    tls_sll_list_t *list = tls_sll_of(class);
    uint32_t kept = list->count / 2;
    tiny_block_t *last = list->head;
    for (uint32_t i = 1; i < kept; i++) last = last->next;
    tiny_chain_t chain = {last->next, NULL, list->count - kept};
    for (chain.tail = chain.head; chain.tail->next != NULL;) chain.tail = chain.tail->next;
    last->next = NULL;
    list->count = kept;
    TINY_COUNT_OUT(tls_sll, spill, class, chain.count);
#if !HAKMEM_BUILD_RELEASE
    if (UNLIKELY(hak_debug_on))
        hak_debug_print("[hakmem:tls_sll.spill] class %u, %u blocks go home\n",
                        class, chain.count);
#endif

    tiny_backend_give_chain(&chain);
}

ALWAYS_INLINE bool tls_sll_push(unsigned class, void *block)
{
    tls_sll_list_t *list = tls_sll_of(class);
    ((tiny_block_t *)block)->next = list->head;
    list->head = block;
    if (UNLIKELY(++list->count > tls_sll_limit[class])) tls_sll_spill(class);
    return true;
}

// Puts a whole chain in front.
ALWAYS_INLINE void tls_sll_push_chain(unsigned class, const tiny_chain_t *chain)
{
    if (chain->count == 0) return;
    tls_sll_list_t *list = tls_sll_of(class);
    chain->tail->next = list->head;
    list->head = chain->head;
    list->count += chain->count;
    TINY_COUNT_IN(tls_sll, class, chain->count);
}

#if HAKMEM_STATS
TINY_COUNTED_STORE(unified_cache)
#define unified_cache_pop unified_cache_counted_pop
#define unified_cache_push unified_cache_counted_push
TINY_COUNTED_STORE(tls_sll)
#define tls_sll_pop tls_sll_counted_pop
#define tls_sll_push tls_sll_counted_push
#endif

// The first cache with room takes the block; false when none has.
ALWAYS_INLINE bool tiny_caches_push(unsigned class, void *block)
{
    if (unified_cache_push(class, block)) {
#if !HAKMEM_BUILD_RELEASE
        if (UNLIKELY(hak_debug_on))
            hak_debug_print("[hakmem:unified_cache.free] class %u, block %p\n",
                            class, block);
#endif

        return true;
    }
    return false;
}

// ---- 3. Legacy refill
// Fills the TLS SLL from the slabs, one batch at a time.

ALWAYS_INLINE void *legacy_refill_take(unsigned class)
{
    tiny_chain_t chain;
    if (tiny_backend_take(class, tiny_batch(class), &chain) == 0) return NULL;
    tiny_block_t *block = chain.head;
    chain.head = block->next;
    chain.count--;
    tls_sll_push_chain(class, &chain);
#if !HAKMEM_BUILD_RELEASE
    if (UNLIKELY(hak_debug_on))
        hak_debug_print("[hakmem:legacy_refill.refill] class %u, %u blocks besides %p\n",
                        class, chain.count, (void *)block);
#endif

    return block;
}

#if HAKMEM_STATS
TINY_COUNTED_REFILL(legacy_refill)
#define legacy_refill_take legacy_refill_counted_take
#endif

// The way past every store: the refills are asked in their turn.
ALWAYS_INLINE void *tiny_refill(unsigned class)
{
    void *block;

    // 3. Legacy refill
    block = legacy_refill_take(class);
    if (block != NULL) return block;

    return tiny_alloc_last_resort(class);
}

// Unified Cache is the hit path; what lies under it is out of line.
#define tiny_first_pop(class) (unified_cache_pop(class))
#define tiny_first_push(class, block) (unified_cache_push(class, block))
void *tiny_alloc_slow(unsigned class) COLD;
void tiny_free_slow(unsigned class, void *block) COLD;

#include "tiny_alloc_ultra.inc.h"

ALWAYS_INLINE void *tiny_alloc_fast(size_t size)
{
    TINY_COUNT_REQUEST(tiny_class_of(size));
    return tiny_ultra_alloc(size);
}

ALWAYS_INLINE bool tiny_free_fast(void *block)
{
    TINY_COUNT_FREE(block);
    return tiny_ultra_free(block);
}

// Everything that the calling thread's layers hold goes home: at thread exit, and when memory is asked back.
void tiny_front_drain(void);

// The layers, for statistics. `held`: blocks of a class that the layer holds for the calling thread.
typedef struct tiny_layer_info {
    const char *name;
    const char *title;
    const char *role;
    const char *storage;
    uint32_t classes;  // a bit a class
    uint32_t capacity; // blocks a class; 0 where it is not counted in blocks
    size_t (*held)(unsigned class);
} tiny_layer_info_t;

extern const tiny_layer_info_t tiny_layer_table[TINY_LAYERS];

#endif // TINY_GEN_FRONT_H

// ---- out of line, in one file of the library

#if defined(TINY_FRONT_IMPLEMENTATION) && !defined(TINY_FRONT_IMPLEMENTED)
#define TINY_FRONT_IMPLEMENTED

// Moves a batch, less the block that is the answer, to the first layer.
static void top_up_from_tls_sll(unsigned class)
{
    TINY_COUNT_AS(top_up);
    for (unsigned left = tiny_batch(class) - 1; left > 0; left--) {
        void *block = tls_sll_pop(class);
        if (block == NULL || tiny_first_push(class, block)) continue;
        tls_sll_push(class, block);
        return;
    }
}

// The first layer has none: the next ones are asked, and the first is topped up from the one that has.
void *tiny_alloc_slow(unsigned class)
{
    void *block;

    // 2. TLS SLL
    block = tls_sll_pop(class);
    if (block != NULL) top_up_from_tls_sll(class);
    if (block != NULL) return block;

    return tiny_refill(class);
}

static void free_to_next(unsigned class, void *block)
{
    if (tls_sll_push(class, block)) return;
    tiny_backend_give(block);
}

// The first layer is full: a batch of it goes to the next ones, and the block has room.
void tiny_free_slow(unsigned class, void *block)
{
    TINY_COUNT_AS(spill);
#if !HAKMEM_BUILD_RELEASE
    if (UNLIKELY(hak_debug_on))
        hak_debug_print("[hakmem:unified_cache.spill] class %u\n",
                        class);
#endif

    for (unsigned left = tiny_batch(class); left > 0; left--) {
        void *moved = tiny_first_pop(class);
        if (moved == NULL) break;
        free_to_next(class, moved);
    }
    if (!tiny_first_push(class, block)) free_to_next(class, block);
}

static void drain_unified_cache(void)
{
    TINY_COUNT_AS(drain);
    for (unsigned class = 0; class <= 7; class++) {
        for (tiny_block_t *block; (block = unified_cache_pop(class)) != NULL;) tiny_backend_give(block);
    }
}

static size_t held_by_unified_cache(unsigned class)
{
    return unified_cache_held(class);
}

static void drain_tls_sll(void)
{
    TINY_COUNT_AS(drain);
    for (unsigned class = 0; class <= 7; class++) {
        for (tiny_block_t *block; (block = tls_sll_pop(class)) != NULL;) tiny_backend_give(block);
    }
}

static size_t held_by_tls_sll(unsigned class)
{
    return tls_sll_held(class);
}

static size_t held_by_refill(unsigned class)
{
    (void)class;
    return 0;
}

void tiny_front_drain(void)
{
    drain_unified_cache();
    drain_tls_sll();
}

const tiny_layer_info_t tiny_layer_table[TINY_LAYERS] = {
    {"unified_cache", "Unified Cache", "cache", "linked_list",
     0xffu, 256, held_by_unified_cache},
    {"tls_sll", "TLS SLL", "overflow", "linked_list",
     0xffu, 0, held_by_tls_sll},
    {"legacy_refill", "Legacy refill", "refill", "none",
     0xffu, 0, held_by_refill},
};

#endif // TINY_FRONT_IMPLEMENTED
