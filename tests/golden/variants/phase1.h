// phase1: the tiny allocator's fast path. Generated from variants/phase1.yaml; do not edit.
// Phase 1. Removes four layers that lost their A/B test, and the HotMag and background variables;
// debug output is guarded.
//
// Layers, in the order in which a request tries them:
//   1. FastCache (cache)
//   2. SFC (cache)
//   3. Unified Cache (cache)
//   4. Ring Cache (cache)
//   5. TLS SLL (overflow)
//   6. Front-Direct (refill)
//   7. Legacy refill (refill)

// ---- configuration

#ifndef TINY_GEN_CONFIG_H
#define TINY_GEN_CONFIG_H

#define TINY_VARIANT "phase1"
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
#define TINY_TOGGLE_COUNT 5
#define TINY_TOGGLES(X) \
    X(fast_cache, "HAKMEM_TINY_FASTCACHE", 1) \
    X(sfc, "HAKMEM_TINY_SFC", 1) \
    X(unified_cache, "HAKMEM_TINY_UNIFIED", 1) \
    X(ring_cache, "HAKMEM_TINY_RING", 1) \
    X(front_direct, "HAKMEM_TINY_FRONT_DIRECT", 0)

// X(option, environment variable, default, least, most)
#define TINY_ENV_OPTION_COUNT 1
#define TINY_ENV_OPTIONS(X) \
    X(decay_ms, "HAKMEM_DECAY_MS", 1000, 0, 86400000)

// Keep only a pointer to the front in the thread-local state, which takes space on each thread's
// stack.
#define TINY_HAS_OPTION_FRONT_APART 1
#define TINY_OPTION_FRONT_APART 1
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
#define TINY_OPTION_DECAY_MS tiny_options.decay_ms
// A thread with this many MiB in pages of small blocks gets huge pages for the next ones, where the
// system allows that; with 0 no block, not even a large one, gets them.
#define TINY_HAS_OPTION_HUGE_PAGES 1
#define TINY_OPTION_HUGE_PAGES 8

// X(layer), in the order in which a request tries them
#define TINY_LAYERS 7
#define TINY_LAYER_NAMES(X) \
    X(fast_cache) \
    X(sfc) \
    X(unified_cache) \
    X(ring_cache) \
    X(tls_sll) \
    X(front_direct) \
    X(legacy_refill)

#endif // TINY_GEN_CONFIG_H

// ---- a thread's state

#if defined(TINY_GEN_STATE) && !defined(TINY_GEN_STATE_H)
#define TINY_GEN_STATE_H

// FastCache
typedef struct fast_cache_stack {
    uint32_t count;
    void *slot[128];
} fast_cache_stack_t;

// SFC
typedef struct sfc_lists {
    tiny_block_t *head[8];
    int32_t room[8]; // blocks that still fit
} sfc_lists_t;

// Unified Cache
typedef struct unified_cache_lists {
    tiny_block_t *head[8];
    int32_t room[8]; // blocks that still fit
} unified_cache_lists_t;

// Ring Cache
typedef struct ring_cache_ring {
    uint32_t taken; // both only increase, and wrap
    uint32_t added;
    void *slot[128];
} ring_cache_ring_t;

// TLS SLL
typedef struct tls_sll_lists {
    tiny_block_t *head[8];
    int32_t room[8]; // blocks that still fit
} tls_sll_lists_t;

// A thread's state. `tag` is the tag of its heap: one comparison with it recognises the thread's own blocks. `key` marks free
// blocks. The state contains the table of classes, so that an allocation needs one address only.
typedef struct tiny_front {
    fast_cache_stack_t fast_cache[4];
    sfc_lists_t sfc;
    unified_cache_lists_t unified_cache;
    ring_cache_ring_t ring_cache[4];
    tls_sll_lists_t tls_sll;
    uint64_t tag;
    uint64_t key;
    uint8_t class_of[TINY_HOT_SIZE / TINY_SIZE_STEP + 1];
} tiny_front_t;

#define TINY_FRONT_INITIAL { \
    .sfc = {.room = {128, 128, 128, 128, 128, 128, 128, 128}}, \
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

// ---- 1. FastCache
// Array stack for the four smallest classes.

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
    if (UNLIKELY(stack->count == 128u)) return false;
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

// ---- 2. SFC
// Super Front Cache, a counted list for every class.

ALWAYS_INLINE void *sfc_pop(size_t class)
{
    tiny_block_t *block = tiny_front.sfc.head[class];
    if (UNLIKELY(block == NULL)) return NULL;
    tiny_front.sfc.head[class] = tiny_next(block);
    tiny_front.sfc.room[class]++;
    return block;
}

ALWAYS_INLINE size_t sfc_held(size_t class)
{
    static const int32_t limit[] = {128, 128, 128, 128, 128, 128, 128, 128};
    return (size_t)(limit[class] - tiny_front.sfc.room[class]);
}

ALWAYS_INLINE bool sfc_holds(size_t class, const void *wanted)
{
    const tiny_block_t *block = tiny_front.sfc.head[class];
    while (block != NULL && block != wanted) block = tiny_next(block);
    return block != NULL;
}

ALWAYS_INLINE bool sfc_push(size_t class, void *block)
{
    if (UNLIKELY(HAK_COUNT_DOWN(tiny_front.sfc.room[class]))) {
        size_t full = HAK_OPAQUE(class); // keeps the address computation off the hit path
        tiny_front.sfc.room[full] = 0;
        return false;
    }
    tiny_link(block, tiny_front.sfc.head[class]);
    HAK_WRITTEN();
    tiny_front.sfc.head[class] = block;
    return true;
}

// ---- 3. Unified Cache
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

// ---- 4. Ring Cache
// First-in, first-out array cache for C2, C3 and C5.

ALWAYS_INLINE ring_cache_ring_t *ring_cache_of(size_t class)
{
    return &tiny_front.ring_cache[class - 2u];
}

ALWAYS_INLINE void *ring_cache_pop(size_t class)
{
    ring_cache_ring_t *ring = ring_cache_of(class);
    if (UNLIKELY(ring->taken == ring->added)) return NULL;
    return ring->slot[ring->taken++ & 127u];
}

ALWAYS_INLINE bool ring_cache_push(size_t class, void *block)
{
    ring_cache_ring_t *ring = ring_cache_of(class);
    if (UNLIKELY(ring->added - ring->taken == 128u)) return false;
    ring->slot[ring->added & 127u] = block;
    HAK_WRITTEN();
    ring->added++;
    return true;
}

ALWAYS_INLINE size_t ring_cache_held(size_t class)
{
    return ring_cache_of(class)->added - ring_cache_of(class)->taken;
}

ALWAYS_INLINE bool ring_cache_holds(size_t class, const void *wanted)
{
    const ring_cache_ring_t *ring = ring_cache_of(class);
    for (uint32_t i = ring->taken; i != ring->added; i++)
        if (ring->slot[i & 127u] == wanted) return true;
    return false;
}

// ---- 5. TLS SLL
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
TINY_COUNTED_STORE(fast_cache)
#define fast_cache_pop fast_cache_counted_pop
#define fast_cache_push fast_cache_counted_push
TINY_COUNTED_STORE(sfc)
#define sfc_pop sfc_counted_pop
#define sfc_push sfc_counted_push
TINY_COUNTED_STORE(unified_cache)
#define unified_cache_pop unified_cache_counted_pop
#define unified_cache_push unified_cache_counted_push
TINY_COUNTED_STORE(ring_cache)
#define ring_cache_pop ring_cache_counted_pop
#define ring_cache_push ring_cache_counted_push
TINY_COUNTED_STORE(tls_sll)
#define tls_sll_pop tls_sll_counted_pop
#define tls_sll_push tls_sll_counted_push
#endif

// Puts the block into the first cache with room; false if none has room.
ALWAYS_INLINE bool tiny_caches_push(size_t class, void *block)
{
    if (tiny_toggles.fast_cache && class <= 3u && fast_cache_push(class, block)) {
#if !HAKMEM_BUILD_RELEASE
        if (UNLIKELY(hak_debug_on))
            hak_debug_print("[hakmem:fast_cache.free] class %zu, block %p\n",
                            class, block);
#endif

        return true;
    }
    if (tiny_toggles.sfc && sfc_push(class, block)) {
#if !HAKMEM_BUILD_RELEASE
        if (UNLIKELY(hak_debug_on))
            hak_debug_print("[hakmem:sfc.free] class %zu, block %p\n",
                            class, block);
#endif

        return true;
    }
    if (tiny_toggles.unified_cache && unified_cache_push(class, block)) {
#if !HAKMEM_BUILD_RELEASE
        if (UNLIKELY(hak_debug_on))
            hak_debug_print("[hakmem:unified_cache.free] class %zu, block %p\n",
                            class, block);
#endif

        return true;
    }
    if (tiny_toggles.ring_cache && ((0x2cu >> class) & 1u) && ring_cache_push(class, block)) {
#if !HAKMEM_BUILD_RELEASE
        if (UNLIKELY(hak_debug_on))
            hak_debug_print("[hakmem:ring_cache.free] class %zu, block %p\n",
                            class, block);
#endif

        return true;
    }
    return false;
}

// ---- 6. Front-Direct
// Experimental refill that fills the topmost cache directly from the slabs and bypasses the TLS
// SLL.

ALWAYS_INLINE void *front_direct_take(size_t class)
{
    tiny_chain_t chain;
    if (tiny_backend_take(class, tiny_batch(class), &chain) == 0) return NULL;
    tiny_block_t *block = chain.head, *next = tiny_next(block);
    for (unsigned left = chain.count - 1; left > 0; left--) {
        tiny_block_t *extra = next;
        next = tiny_next(extra);
        if (!tiny_caches_push(class, extra)) tiny_backend_give(extra);
    }
#if !HAKMEM_BUILD_RELEASE
    if (UNLIKELY(hak_debug_on))
        hak_debug_print("[hakmem:front_direct.refill] class %zu, %u blocks besides %p\n",
                        class, chain.count - 1, (void *)block);
#endif

    return block;
}

// ---- 7. Legacy refill
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
TINY_COUNTED_REFILL(front_direct)
#define front_direct_take front_direct_counted_take
TINY_COUNTED_REFILL(legacy_refill)
#define legacy_refill_take legacy_refill_counted_take
#endif

// Serves a request that every store has missed: tries the refills in order.
ALWAYS_INLINE void *tiny_refill(size_t class)
{
    void *block;

    // 6. Front-Direct
    block = tiny_toggles.front_direct ? front_direct_take(class) : NULL;
    if (block != NULL) return tiny_hand_out(block);

    // 7. Legacy refill
    block = legacy_refill_take(class);
    if (block != NULL) return tiny_hand_out(block);

    return tiny_alloc_last_resort(class);
}

// Tries every layer in order; the code of all layers is inlined here.
ALWAYS_INLINE void *tiny_alloc_class(size_t class)
{
    TINY_COUNT_REQUEST(class);
    void *block;

    // 1. FastCache
    block = tiny_toggles.fast_cache && class <= 3u ? fast_cache_pop(class) : NULL;
    if (block != NULL) {
#if !HAKMEM_BUILD_RELEASE
        if (UNLIKELY(hak_debug_on))
            hak_debug_print("[hakmem:fast_cache.alloc] class %zu, block %p\n",
                            class, block);
#endif

        return tiny_hand_out(block);
    }

    // 2. SFC
    block = tiny_toggles.sfc ? sfc_pop(class) : NULL;
    if (block != NULL) {
#if !HAKMEM_BUILD_RELEASE
        if (UNLIKELY(hak_debug_on))
            hak_debug_print("[hakmem:sfc.alloc] class %zu, block %p\n",
                            class, block);
#endif

        return tiny_hand_out(block);
    }

    // 3. Unified Cache
    block = tiny_toggles.unified_cache ? unified_cache_pop(class) : NULL;
    if (block != NULL) {
#if !HAKMEM_BUILD_RELEASE
        if (UNLIKELY(hak_debug_on))
            hak_debug_print("[hakmem:unified_cache.alloc] class %zu, block %p\n",
                            class, block);
#endif

        return tiny_hand_out(block);
    }

    // 4. Ring Cache
    block = tiny_toggles.ring_cache && ((0x2cu >> class) & 1u) ? ring_cache_pop(class) : NULL;
    if (block != NULL) {
#if !HAKMEM_BUILD_RELEASE
        if (UNLIKELY(hak_debug_on))
            hak_debug_print("[hakmem:ring_cache.alloc] class %zu, block %p\n",
                            class, block);
#endif

        return tiny_hand_out(block);
    }

    // 5. TLS SLL
    block = tls_sll_pop(class);
    if (block != NULL) {
#if !HAKMEM_BUILD_RELEASE
        if (UNLIKELY(hak_debug_on))
            hak_debug_print("[hakmem:tls_sll.alloc] class %zu, block %p\n",
                            class, block);
#endif

        return tiny_hand_out(block);
    }

    return tiny_refill(class);
}

ALWAYS_INLINE void *tiny_alloc_fast(size_t size)
{
    return tiny_alloc_class(tiny_front.class_of[(size + TINY_SIZE_STEP - 1) / TINY_SIZE_STEP]);
}

ALWAYS_INLINE void tiny_free_fast(void *block)
{
    TINY_COUNT_FREE(block);
    uint64_t own = tiny_own_class(block, tiny_front.tag);
    if (UNLIKELY(own >= TINY_CLASSES)) return tiny_free_other(block);
    size_t class = own;
    if (UNLIKELY(tiny_is_marked(block, tiny_front.key))) return tiny_free_marked(block, class);
    tiny_mark(block, tiny_front.key);
    if (tiny_caches_push(class, block)) return;
    if (tls_sll_push(class, block)) {
#if !HAKMEM_BUILD_RELEASE
        if (UNLIKELY(hak_debug_on))
            hak_debug_print("[hakmem:tls_sll.free] class %zu, block %p\n",
                            class, block);
#endif

        return;
    }
    tiny_backend_give(block);
}

#endif // TINY_GEN_FRONT_H

// ---- out of line: compiled in one file of the library

#if defined(TINY_FRONT_IMPLEMENTATION) && !defined(TINY_FRONT_IMPLEMENTED)
#define TINY_FRONT_IMPLEMENTED

static void drain_fast_cache(void)
{
    TINY_COUNT_AS(drain);
    for (size_t class = 0; class <= 3; class++) {
        for (tiny_block_t *block; (block = fast_cache_pop(class)) != NULL;) tiny_backend_give(block);
    }
}

static size_t held_by_fast_cache(size_t class)
{
    return class <= 3u ? fast_cache_held(class) : 0;
}

static void drain_sfc(void)
{
    TINY_COUNT_AS(drain);
    for (size_t class = 0; class <= 7; class++) {
        for (tiny_block_t *block; (block = sfc_pop(class)) != NULL;) tiny_backend_give(block);
    }
}

static size_t held_by_sfc(size_t class)
{
    return sfc_held(class);
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

static void drain_ring_cache(void)
{
    TINY_COUNT_AS(drain);
    for (size_t class = 2; class <= 5; class++) {
        if (!(((0x2cu >> class) & 1u))) continue;
        for (tiny_block_t *block; (block = ring_cache_pop(class)) != NULL;) tiny_backend_give(block);
    }
}

static size_t held_by_ring_cache(size_t class)
{
    return ((0x2cu >> class) & 1u) ? ring_cache_held(class) : 0;
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
    if (class <= 3u && fast_cache_holds(class, block)) return true;
    if (sfc_holds(class, block)) return true;
    if (unified_cache_holds(class, block)) return true;
    if (((0x2cu >> class) & 1u) && ring_cache_holds(class, block)) return true;
    if (tls_sll_holds(class, block)) return true;
    return false;
}

void tiny_front_drain(void)
{
    drain_fast_cache();
    drain_sfc();
    drain_unified_cache();
    drain_ring_cache();
    drain_tls_sll();
}

const tiny_layer_info_t tiny_layer_table[TINY_LAYERS] = {
    {"fast_cache", "FastCache", "cache", "array_stack",
     0xfull, 128, held_by_fast_cache},
    {"sfc", "SFC", "cache", "linked_list",
     0xffull, 128, held_by_sfc},
    {"unified_cache", "Unified Cache", "cache", "linked_list",
     0xffull, 256, held_by_unified_cache},
    {"ring_cache", "Ring Cache", "cache", "ring",
     0x2cull, 128, held_by_ring_cache},
    {"tls_sll", "TLS SLL", "overflow", "linked_list",
     0xffull, 0, held_by_tls_sll},
    {"front_direct", "Front-Direct", "refill", "none",
     0xffull, 0, held_by_refill},
    {"legacy_refill", "Legacy refill", "refill", "none",
     0xffull, 0, held_by_refill},
};

#endif // TINY_FRONT_IMPLEMENTED
