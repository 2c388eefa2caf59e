// phase3: the tiny allocator's fast path. Generated from variants/phase3.yaml; do not edit.
// Phase 3. Phase 2, with its modules compiled separately.
//
// Layers, in the order in which a request tries them:
//   1. Unified Cache (cache)
//   2. TLS SLL (overflow)
//   3. Legacy refill (refill)

// ---- configuration

#ifndef TINY_GEN_CONFIG_H
#define TINY_GEN_CONFIG_H

#define TINY_VARIANT "phase3"
#define TINY_CLASSES 8
#define TINY_CLASS_SIZES 8, 16, 32, 64, 128, 256, 512, 1024
#define TINY_CLASS_INVERSES 137438953473, 68719476737, 34359738369, 17179869185, 8589934593, 4294967297, 2147483649, 1073741825
#define TINY_MAX_SIZE 1024
#define TINY_MIN_ALIGN 16

// The class of a request, indexed by its size in steps of 16 bytes.
#define TINY_SIZE_STEP 16
#define TINY_HOT_SIZE 1024 // the index ends here
#define TINY_SIZE_INDEX \
    1, 1, 2, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 5, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, \
    6, 6, 6, 6, 6, 6, 6, 6, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, \
    7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7

// For larger sizes, the class of the requests of each wide step.
#define TINY_WIDE_STEP 1024
#define TINY_WIDE_INDEX \
    0

// Checks on freed blocks: 0 none, 1 basic, 2 full.
#define TINY_CHECKS 1

// 1 if links also serve as marks, because all of the thread's lists are packed words.
#define TINY_MARK_IN_LINK 0

// Diagnostic output: 1 if it is compiled in.
#define HAKMEM_DEBUG_OUTPUT (!HAKMEM_BUILD_RELEASE)

// X(layer, environment variable, on by default)
#define TINY_TOGGLE_COUNT 0
#define TINY_TOGGLES(X)

// X(option, environment variable, default, least, most)
#define TINY_ENV_OPTION_COUNT 0
#define TINY_ENV_OPTIONS(X)

// Keep only a pointer to the front in the thread-local state, which takes space on each thread's
// stack.
#define TINY_HAS_OPTION_FRONT_APART 0
#define TINY_OPTION_FRONT_APART 0
// Keep the blocks of a refill in a hot magazine (C0-C3) that is tried before the backend.
#define TINY_HAS_OPTION_HOTMAG 0
#define TINY_OPTION_HOTMAG 0
// Queue the blocks that the TLS SLL spills; a later slow path of any thread returns them to their
// slabs.
#define TINY_HAS_OPTION_BG_SPILL 0
#define TINY_OPTION_BG_SPILL 0
// Take in blocks that other threads freed at every Nth slow path, not only when a refill needs
// them; with 0, only then.
#define TINY_HAS_OPTION_BG_REMOTE 1
#define TINY_OPTION_BG_REMOTE 64
// Memory that has been free for this many milliseconds is returned to the system, at a slow path of
// any thread.
#define TINY_HAS_OPTION_DECAY_MS 1
#define TINY_OPTION_DECAY_MS 1000
// A thread with this many MiB in pages of small blocks gets huge pages for the next ones, where the
// system allows that; with 0 no block, not even a large one, gets them.
#define TINY_HAS_OPTION_HUGE_PAGES 1
#define TINY_OPTION_HUGE_PAGES 8

// X(layer), in the order in which a request tries them
#define TINY_LAYERS 3
#define TINY_LAYER_NAMES(X) \
    X(unified_cache) \
    X(tls_sll) \
    X(legacy_refill)

#endif // TINY_GEN_CONFIG_H

// ---- a thread's state

#if defined(TINY_GEN_STATE) && !defined(TINY_GEN_STATE_H)
#define TINY_GEN_STATE_H

// Unified Cache
typedef struct unified_cache_lists {
    tiny_block_t *head[8];
    int32_t room[8]; // blocks that still fit
} unified_cache_lists_t;

// TLS SLL
typedef struct tls_sll_lists {
    tiny_block_t *head[8];
    int32_t room[8]; // blocks that still fit
} tls_sll_lists_t;

// A thread's state. `tag` is the tag of its heap: one comparison with it recognises the thread's own blocks. `key` marks free
// blocks. The state contains the table of classes, so that an allocation needs one address only.
typedef struct tiny_front {
    unified_cache_lists_t unified_cache;
    tls_sll_lists_t tls_sll;
    uint64_t tag;
    uint64_t key;
    uint8_t class_of[TINY_HOT_SIZE / TINY_SIZE_STEP + 1];
} tiny_front_t;

#define TINY_FRONT_INITIAL { \
    .unified_cache = {.room = {256, 256, 256, 256, 256, 256, 256, 256}}, \
    .tls_sll = {.room = {32768, 16384, 8192, 4096, 2048, 1024, 512, 256}}, \
    .tag = TINY_NO_TAG, .class_of = {TINY_SIZE_INDEX}}
#if TINY_OPTION_FRONT_APART
// Threads without a heap share one empty front. No block is put into it, because such a thread owns no block.
extern HAK_TLS tiny_front_t *tiny_front_apart;
#define tiny_front (*tiny_front_apart)
#else
extern HAK_TLS tiny_front_t tiny_front;
#endif

// True if a layer of the calling thread holds the block. May check every block of the class.
bool tiny_front_holds(size_t class, const void *block) COLD;

// Returns all blocks in the calling thread's layers to the slabs: at thread exit, and when memory has to be released.
void tiny_front_drain(void);

// The layers, for statistics. `held` returns the number of blocks of a class in the calling thread's layer.
typedef struct tiny_layer_info {
    const char *name;
    const char *title;
    const char *role;
    const char *storage;
    uint64_t classes;  // one bit per class
    uint32_t capacity; // blocks per class; 0 if it is not counted in blocks
    size_t (*held)(size_t class);
} tiny_layer_info_t;

extern const tiny_layer_info_t tiny_layer_table[TINY_LAYERS];

#endif // TINY_GEN_STATE_H

// ---- the front: layers, entries

#if defined(TINY_GEN_FRONT) && !defined(TINY_GEN_FRONT_H)
#define TINY_GEN_FRONT_H

// ---- 1. Unified Cache
// One tcache-style list for each class.

ALWAYS_INLINE void *unified_cache_pop(size_t class)
{
    tiny_block_t *block = tiny_front.unified_cache.head[class];
    if (UNLIKELY(block == NULL)) return NULL;
    tiny_front.unified_cache.head[class] = tiny_next(block);
    tiny_front.unified_cache.room[class]++;
    return block;
}

ALWAYS_INLINE size_t unified_cache_held(size_t class)
{
    static const int32_t limit[] = {256, 256, 256, 256, 256, 256, 256, 256};
    return (size_t)(limit[class] - tiny_front.unified_cache.room[class]);
}

ALWAYS_INLINE bool unified_cache_holds(size_t class, const void *wanted)
{
    const tiny_block_t *block = tiny_front.unified_cache.head[class];
    while (block != NULL && block != wanted) block = tiny_next(block);
    return block != NULL;
}

ALWAYS_INLINE bool unified_cache_push(size_t class, void *block)
{
    if (UNLIKELY(HAK_COUNT_DOWN(tiny_front.unified_cache.room[class]))) {
        size_t full = HAK_OPAQUE(class); // keeps the address computation off the hit path
        tiny_front.unified_cache.room[full] = 0;
        return false;
    }
    tiny_link(block, tiny_front.unified_cache.head[class]);
    HAK_WRITTEN();
    tiny_front.unified_cache.head[class] = block;
    return true;
}

// ---- 2. TLS SLL
// A generic free list for each class; takes the blocks that the caches above have no room for.

ALWAYS_INLINE void *tls_sll_pop(size_t class)
{
    tiny_block_t *block = tiny_front.tls_sll.head[class];
    if (UNLIKELY(block == NULL)) return NULL;
    tiny_front.tls_sll.head[class] = tiny_next(block);
    tiny_front.tls_sll.room[class]++;
    return block;
}

ALWAYS_INLINE size_t tls_sll_held(size_t class)
{
    static const int32_t limit[] = {32768, 16384, 8192, 4096, 2048, 1024, 512, 256};
    return (size_t)(limit[class] - tiny_front.tls_sll.room[class]);
}

ALWAYS_INLINE bool tls_sll_holds(size_t class, const void *wanted)
{
    const tiny_block_t *block = tiny_front.tls_sll.head[class];
    while (block != NULL && block != wanted) block = tiny_next(block);
    return block != NULL;
}

static COLD __attribute__((unused)) void tls_sll_spill(size_t class)
{
    size_t held = tls_sll_held(class), kept = held / 2;
    tiny_block_t *last = tiny_front.tls_sll.head[class];
    for (size_t i = 1; i < kept; i++) last = tiny_next(last);
    tiny_chain_t chain = {tiny_next(last), NULL, (unsigned)(held - kept)};
    chain.tail = tiny_last(chain.head);
    tiny_link(last, NULL);
    tiny_front.tls_sll.room[class] += (int32_t)chain.count;
    TINY_COUNT_OUT(tls_sll, spill, class, chain.count);
#if !HAKMEM_BUILD_RELEASE
    if (UNLIKELY(hak_debug_on))
        hak_debug_print("[hakmem:tls_sll.spill] class %zu, %u blocks returned\n",
                        class, chain.count);
#endif

    tiny_backend_give_chain(&chain);
}

ALWAYS_INLINE bool tls_sll_push(size_t class, void *block)
{
    tiny_link(block, tiny_front.tls_sll.head[class]);
    HAK_WRITTEN();
    tiny_front.tls_sll.head[class] = block;
    if (UNLIKELY(HAK_COUNT_DOWN(tiny_front.tls_sll.room[class]))) tls_sll_spill(class);
    return true;
}

// Adds a whole chain at the front.
ALWAYS_INLINE void tls_sll_push_chain(size_t class, const tiny_chain_t *chain)
{
    if (chain->count == 0) return;
    tiny_link(chain->tail, tiny_front.tls_sll.head[class]);
    HAK_WRITTEN();
    tiny_front.tls_sll.head[class] = chain->head;
    tiny_front.tls_sll.room[class] -= (int32_t)chain->count;
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

// Puts the block into the first cache with room; false if none has room.
ALWAYS_INLINE bool tiny_caches_push(size_t class, void *block)
{
    if (unified_cache_push(class, block)) {
        return true;
    }
    return false;
}

// ---- 3. Legacy refill
// Fills the TLS SLL from the slabs, one batch at a time.

ALWAYS_INLINE void *legacy_refill_take(size_t class)
{
    tiny_chain_t chain;
    if (tiny_backend_take(class, tiny_batch(class), &chain) == 0) return NULL;
    tiny_block_t *block = chain.head;
    chain.head = tiny_next(block);
    chain.count--;
    tls_sll_push_chain(class, &chain);
#if !HAKMEM_BUILD_RELEASE
    if (UNLIKELY(hak_debug_on))
        hak_debug_print("[hakmem:legacy_refill.refill] class %zu, %u blocks besides %p\n",
                        class, chain.count, (void *)block);
#endif

    return block;
}

#if HAKMEM_STATS
TINY_COUNTED_REFILL(legacy_refill)
#define legacy_refill_take legacy_refill_counted_take
#endif

// Serves a request that every store has missed: tries the refills in order.
ALWAYS_INLINE void *tiny_refill(size_t class)
{
    void *block;

    // 3. Legacy refill
    block = legacy_refill_take(class);
    if (block != NULL) return tiny_hand_out(block);

    return tiny_alloc_last_resort(class);
}

// Unified Cache is the hit path; the layers below it are out of line.
#define tiny_first_pop(class) (unified_cache_pop(class))
#define tiny_first_push(class, block) (unified_cache_push(class, block))
void *tiny_alloc_slow(size_t size) COLD;
void tiny_free_slow(void *block, size_t class) COLD;

#include "front/tiny_alloc_ultra.inc.h"

ALWAYS_INLINE void *tiny_alloc_fast(size_t size)
{
    TINY_COUNT_REQUEST(tiny_class_of(size));
    return tiny_ultra_alloc(size);
}

ALWAYS_INLINE void *tiny_alloc_class(size_t class)
{
    TINY_COUNT_REQUEST(class);
    return tiny_ultra_alloc_class(class);
}

ALWAYS_INLINE void tiny_free_fast(void *block)
{
    TINY_COUNT_FREE(block);
    tiny_ultra_free(block);
}

#endif // TINY_GEN_FRONT_H

// ---- out of line: compiled in one file of the library

#if defined(TINY_FRONT_IMPLEMENTATION) && !defined(TINY_FRONT_IMPLEMENTED)
#define TINY_FRONT_IMPLEMENTED

// Moves a batch, without the block that serves the request, to the first layer.
static void top_up_from_tls_sll(size_t class)
{
    TINY_COUNT_AS(top_up);
    for (unsigned left = tiny_batch(class) - 1; left > 0; left--) {
        void *block = tls_sll_pop(class);
        if (block == NULL || tiny_first_push(class, block)) continue;
        tls_sll_push(class, block);
        return;
    }
}

// The first layer is empty: tries the next layers, and tops up the first one from the layer that serves the request.
void *tiny_alloc_slow(size_t size)
{
    size_t class = tiny_class_of(size);

    // 2. TLS SLL
    void *block = tls_sll_pop(class);
    if (block != NULL) top_up_from_tls_sll(class);
    if (block != NULL) return tiny_hand_out(block);

    return tiny_refill(class);
}

static void free_to_next(size_t class, void *block)
{
    if (tls_sll_push(class, block)) return;
    tiny_backend_give(block);
}

// The first layer is full: moves a batch of its blocks to the next layers, then adds the block.
void tiny_free_slow(void *block, size_t class)
{
    TINY_COUNT_AS(spill);
#if !HAKMEM_BUILD_RELEASE
    if (UNLIKELY(hak_debug_on))
        hak_debug_print("[hakmem:unified_cache.full] class %zu\n",
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
    for (size_t class = 0; class <= 7; class++) {
        for (tiny_block_t *block; (block = unified_cache_pop(class)) != NULL;) tiny_backend_give(block);
    }
}

static size_t held_by_unified_cache(size_t class)
{
    return unified_cache_held(class);
}

static void drain_tls_sll(void)
{
    TINY_COUNT_AS(drain);
    for (size_t class = 0; class <= 7; class++) {
        for (tiny_block_t *block; (block = tls_sll_pop(class)) != NULL;) tiny_backend_give(block);
    }
}

static size_t held_by_tls_sll(size_t class)
{
    return tls_sll_held(class);
}

static size_t held_by_refill(size_t class)
{
    (void)class;
    return 0;
}

bool tiny_front_holds(size_t class, const void *block)
{
    if (unified_cache_holds(class, block)) return true;
    if (tls_sll_holds(class, block)) return true;
    return false;
}

void tiny_front_drain(void)
{
    drain_unified_cache();
    drain_tls_sll();
}

const tiny_layer_info_t tiny_layer_table[TINY_LAYERS] = {
    {"unified_cache", "Unified Cache", "cache", "linked_list",
     0xffull, 256, held_by_unified_cache},
    {"tls_sll", "TLS SLL", "overflow", "linked_list",
     0xffull, 0, held_by_tls_sll},
    {"legacy_refill", "Legacy refill", "refill", "none",
     0xffull, 0, held_by_refill},
};

#endif // TINY_FRONT_IMPLEMENTED
