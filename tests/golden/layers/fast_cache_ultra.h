// one: the tiny allocator's fast path. Generated from variants/one.yaml; do not edit.
// One layer, and what it needs.
//
// Layers, in the order in which a request tries them:
//   1. FastCache (cache)
//   2. TLS SLL (overflow)
//   3. Legacy refill (refill)

// ---- configuration

#ifndef TINY_GEN_CONFIG_H
#define TINY_GEN_CONFIG_H

#define TINY_VARIANT "one"
#define TINY_CLASSES 3
#define TINY_CLASS_SIZES 16, 32, 64
#define TINY_CLASS_INVERSES 68719476737, 34359738369, 17179869185
#define TINY_MAX_SIZE 64
#define TINY_MIN_ALIGN 16

// The class of a request, indexed by its size in steps of 16 bytes.
#define TINY_SIZE_STEP 16
#define TINY_HOT_SIZE 64 // the index ends here
#define TINY_SIZE_INDEX \
    0, 0, 1, 2, 2

// For larger sizes, the class of the requests of each wide step.
#define TINY_WIDE_STEP 64
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

// X(layer), in the order in which a request tries them
#define TINY_LAYERS 3
#define TINY_LAYER_NAMES(X) \
    X(fast_cache) \
    X(tls_sll) \
    X(legacy_refill)

#endif // TINY_GEN_CONFIG_H

// ---- a thread's state

#if defined(TINY_GEN_STATE) && !defined(TINY_GEN_STATE_H)
#define TINY_GEN_STATE_H

// FastCache
typedef struct fast_cache_stack {
    uint32_t count;
    void *slot[4];
} fast_cache_stack_t;

// TLS SLL
typedef struct tls_sll_lists {
    tiny_block_t *head[3];
    int32_t room[3]; // blocks that still fit
} tls_sll_lists_t;

// A thread's state. `tag` is the tag of its heap: one comparison with it recognises the thread's own blocks. `key` marks free
// blocks. The state contains the table of classes, so that an allocation needs one address only.
typedef struct tiny_front {
    fast_cache_stack_t fast_cache[2];
    tls_sll_lists_t tls_sll;
    uint64_t tag;
    uint64_t key;
    uint8_t class_of[TINY_HOT_SIZE / TINY_SIZE_STEP + 1];
} tiny_front_t;

#define TINY_FRONT_INITIAL { \
    .tls_sll = {.room = {256, 128, 64}}, \
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

// ---- 1. FastCache
// An array stack.

ALWAYS_INLINE fast_cache_stack_t *fast_cache_of(size_t class)
{
    return &tiny_front.fast_cache[class];
}

ALWAYS_INLINE void *fast_cache_pop(size_t class)
{
    fast_cache_stack_t *stack = fast_cache_of(class);
    if (UNLIKELY(stack->count == 0)) return NULL;
    return stack->slot[--stack->count];
}

ALWAYS_INLINE bool fast_cache_push(size_t class, void *block)
{
    fast_cache_stack_t *stack = fast_cache_of(class);
    if (UNLIKELY(stack->count == 4u)) return false;
    stack->slot[stack->count] = block;
    HAK_WRITTEN();
    stack->count++;
    return true;
}

ALWAYS_INLINE size_t fast_cache_held(size_t class)
{
    return fast_cache_of(class)->count;
}

ALWAYS_INLINE bool fast_cache_holds(size_t class, const void *wanted)
{
    const fast_cache_stack_t *stack = fast_cache_of(class);
    for (uint32_t i = 0; i < stack->count; i++)
        if (stack->slot[i] == wanted) return true;
    return false;
}

// ---- 2. TLS SLL
// A list that is bounded in bytes.

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
    static const int32_t limit[] = {256, 128, 64};
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
TINY_COUNTED_STORE(fast_cache)
#define fast_cache_pop fast_cache_counted_pop
#define fast_cache_push fast_cache_counted_push
TINY_COUNTED_STORE(tls_sll)
#define tls_sll_pop tls_sll_counted_pop
#define tls_sll_push tls_sll_counted_push
#endif

// Puts the block into the first cache with room; false if none has room.
ALWAYS_INLINE bool tiny_caches_push(size_t class, void *block)
{
    if (class <= 1u && fast_cache_push(class, block)) {
        return true;
    }
    return false;
}

// ---- 3. Legacy refill
// Fills the list.

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

// FastCache is the hit path; the layers below it are out of line.
#define tiny_first_pop(class) (class <= 1u ? fast_cache_pop(class) : NULL)
#define tiny_first_push(class, block) (class <= 1u && fast_cache_push(class, block))
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
        hak_debug_print("[hakmem:fast_cache.full] class %zu\n",
                        class);
#endif

    for (unsigned left = tiny_batch(class); left > 0; left--) {
        void *moved = tiny_first_pop(class);
        if (moved == NULL) break;
        free_to_next(class, moved);
    }
    if (!tiny_first_push(class, block)) free_to_next(class, block);
}

static void drain_fast_cache(void)
{
    TINY_COUNT_AS(drain);
    for (size_t class = 0; class <= 1; class++) {
        for (tiny_block_t *block; (block = fast_cache_pop(class)) != NULL;) tiny_backend_give(block);
    }
}

static size_t held_by_fast_cache(size_t class)
{
    return class <= 1u ? fast_cache_held(class) : 0;
}

static void drain_tls_sll(void)
{
    TINY_COUNT_AS(drain);
    for (size_t class = 0; class <= 2; class++) {
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
    if (class <= 1u && fast_cache_holds(class, block)) return true;
    if (tls_sll_holds(class, block)) return true;
    return false;
}

void tiny_front_drain(void)
{
    drain_fast_cache();
    drain_tls_sll();
}

const tiny_layer_info_t tiny_layer_table[TINY_LAYERS] = {
    {"fast_cache", "FastCache", "cache", "array_stack",
     0x3ull, 4, held_by_fast_cache},
    {"tls_sll", "TLS SLL", "overflow", "linked_list",
     0x7ull, 0, held_by_tls_sll},
    {"legacy_refill", "Legacy refill", "refill", "none",
     0x7ull, 0, held_by_refill},
};

#endif // TINY_FRONT_IMPLEMENTED
