// phase0: the tiny allocator's fast path. Generated from variants/phase0.yaml; do not edit.
// The HAKMEM report's baseline. All eleven layers, each with a runtime toggle, debug output
// compiled in.
//
// Layers, in the order in which a request tries them:
//   1. FastCache (cache)
//   2. SFC (cache)
//   3. Front C23 (cache)
//   4. Unified Cache (cache)
//   5. Ring Cache (cache)
//   6. UltraHot (cache)
//   7. HeapV2 (cache)
//   8. Class5 Hotpath (cache)
//   9. TLS SLL (overflow)
//   10. Front-Direct (refill)
//   11. Legacy refill (refill)

// ---- configuration

#ifndef TINY_GEN_CONFIG_H
#define TINY_GEN_CONFIG_H

#define TINY_VARIANT "phase0"
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
#define HAKMEM_DEBUG_OUTPUT 1

// X(layer, environment variable, on by default)
#define TINY_TOGGLE_COUNT 9
#define TINY_TOGGLES(X) \
    X(fast_cache, "HAKMEM_TINY_FASTCACHE", 1) \
    X(sfc, "HAKMEM_TINY_SFC", 1) \
    X(front_c23, "HAKMEM_TINY_FRONT_C23", 0) \
    X(unified_cache, "HAKMEM_TINY_UNIFIED", 1) \
    X(ring_cache, "HAKMEM_TINY_RING", 1) \
    X(ultra_hot, "HAKMEM_TINY_ULTRA_HOT", 0) \
    X(heap_v2, "HAKMEM_TINY_HEAP_V2", 0) \
    X(class5_hotpath, "HAKMEM_TINY_CLASS5", 0) \
    X(front_direct, "HAKMEM_TINY_FRONT_DIRECT", 0)

// X(option, environment variable, default, least, most)
#define TINY_ENV_OPTION_COUNT 4
#define TINY_ENV_OPTIONS(X) \
    X(hotmag, "HAKMEM_TINY_HOTMAG", 0, 0, 1) \
    X(bg_spill, "HAKMEM_TINY_BG_SPILL", 0, 0, 1) \
    X(bg_remote, "HAKMEM_TINY_BG_REMOTE", 0, 0, 65536) \
    X(decay_ms, "HAKMEM_DECAY_MS", 1000, 0, 86400000)

// Keep only a pointer to the front in the thread-local state, which takes space on each thread's
// stack.
#define TINY_HAS_OPTION_FRONT_APART 1
#define TINY_OPTION_FRONT_APART 1
// Keep the blocks of a refill in a hot magazine (C0-C3) that is tried before the backend.
#define TINY_HAS_OPTION_HOTMAG 1
#define TINY_OPTION_HOTMAG tiny_options.hotmag
// Queue the blocks that the TLS SLL spills; a later slow path of any thread returns them to their
// slabs.
#define TINY_HAS_OPTION_BG_SPILL 1
#define TINY_OPTION_BG_SPILL tiny_options.bg_spill
// Take in blocks that other threads freed at every Nth slow path, not only when a refill needs
// them; with 0, only then.
#define TINY_HAS_OPTION_BG_REMOTE 1
#define TINY_OPTION_BG_REMOTE tiny_options.bg_remote
// Memory that has been free for this many milliseconds is returned to the system, at a slow path of
// any thread.
#define TINY_HAS_OPTION_DECAY_MS 1
#define TINY_OPTION_DECAY_MS tiny_options.decay_ms
// A thread with this many MiB in pages of small blocks gets huge pages for the next ones, where the
// system allows that; with 0 no block, not even a large one, gets them.
#define TINY_HAS_OPTION_HUGE_PAGES 1
#define TINY_OPTION_HUGE_PAGES 8

// X(layer), in the order in which a request tries them
#define TINY_LAYERS 11
#define TINY_LAYER_NAMES(X) \
    X(fast_cache) \
    X(sfc) \
    X(front_c23) \
    X(unified_cache) \
    X(ring_cache) \
    X(ultra_hot) \
    X(heap_v2) \
    X(class5_hotpath) \
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

// Front C23
typedef struct front_c23_stack {
    uint32_t count;
    void *slot[32];
} front_c23_stack_t;

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

// UltraHot
typedef struct ultra_hot_magazine {
    uint32_t count;
    void *round[16];
} ultra_hot_magazine_t;

typedef struct ultra_hot_pair {
    uint32_t loaded; // the index of the magazine in use; the other waits
    ultra_hot_magazine_t magazine[2];
} ultra_hot_pair_t;

// HeapV2
typedef struct heap_v2_magazine {
    uint32_t count;
    void *round[32];
} heap_v2_magazine_t;

typedef struct heap_v2_pair {
    uint32_t loaded; // the index of the magazine in use; the other waits
    heap_v2_magazine_t magazine[2];
} heap_v2_pair_t;

// Class5 Hotpath
typedef struct class5_hotpath_lists {
    tiny_block_t *head[1];
    int32_t room[1]; // blocks that still fit
} class5_hotpath_lists_t;

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
    front_c23_stack_t front_c23[2];
    unified_cache_lists_t unified_cache;
    ring_cache_ring_t ring_cache[4];
    ultra_hot_pair_t ultra_hot[4];
    heap_v2_pair_t heap_v2[4];
    class5_hotpath_lists_t class5_hotpath;
    tls_sll_lists_t tls_sll;
    uint64_t tag;
    uint64_t key;
    uint8_t class_of[TINY_HOT_SIZE / TINY_SIZE_STEP + 1];
} tiny_front_t;

#define TINY_FRONT_INITIAL { \
    .sfc = {.room = {128, 128, 128, 128, 128, 128, 128, 128}}, \
    .unified_cache = {.room = {256, 256, 256, 256, 256, 256, 256, 256}}, \
    .class5_hotpath = {.room = {128}}, \
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

// ---- 3. Front C23
// Ultra-simple front for C2 and C3.

ALWAYS_INLINE front_c23_stack_t *front_c23_of(size_t class)
{
    return &tiny_front.front_c23[class - 2u];
}

ALWAYS_INLINE void *front_c23_pop(size_t class)
{
    front_c23_stack_t *stack = front_c23_of(class);
    if (UNLIKELY(stack->count == 0)) return NULL;
    return stack->slot[--stack->count];
}

ALWAYS_INLINE bool front_c23_push(size_t class, void *block)
{
    front_c23_stack_t *stack = front_c23_of(class);
    if (UNLIKELY(stack->count == 32u)) return false;
    stack->slot[stack->count] = block;
    HAK_WRITTEN();
    stack->count++;
    return true;
}

ALWAYS_INLINE size_t front_c23_held(size_t class)
{
    return front_c23_of(class)->count;
}

ALWAYS_INLINE bool front_c23_holds(size_t class, const void *wanted)
{
    const front_c23_stack_t *stack = front_c23_of(class);
    for (uint32_t i = 0; i < stack->count; i++)
        if (stack->slot[i] == wanted) return true;
    return false;
}

// ---- 4. Unified Cache
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

// ---- 5. Ring Cache
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

// ---- 6. UltraHot
// Magazine pair for C2 to C5.

ALWAYS_INLINE ultra_hot_pair_t *ultra_hot_of(size_t class)
{
    return &tiny_front.ultra_hot[class - 2u];
}

ALWAYS_INLINE void *ultra_hot_pop(size_t class)
{
    ultra_hot_pair_t *pair = ultra_hot_of(class);
    ultra_hot_magazine_t *magazine = &pair->magazine[pair->loaded];
    if (UNLIKELY(magazine->count == 0)) {
        magazine = &pair->magazine[pair->loaded ^ 1];
        if (magazine->count == 0) return NULL;
        pair->loaded ^= 1;
    }
    return magazine->round[--magazine->count];
}

ALWAYS_INLINE bool ultra_hot_push(size_t class, void *block)
{
    ultra_hot_pair_t *pair = ultra_hot_of(class);
    ultra_hot_magazine_t *magazine = &pair->magazine[pair->loaded];
    if (UNLIKELY(magazine->count == 16u)) {
        magazine = &pair->magazine[pair->loaded ^ 1];
        if (magazine->count == 16u) return false;
        pair->loaded ^= 1;
    }
    magazine->round[magazine->count] = block;
    HAK_WRITTEN();
    magazine->count++;
    return true;
}

ALWAYS_INLINE size_t ultra_hot_held(size_t class)
{
    return ultra_hot_of(class)->magazine[0].count + ultra_hot_of(class)->magazine[1].count;
}

ALWAYS_INLINE bool ultra_hot_holds(size_t class, const void *wanted)
{
    const ultra_hot_pair_t *pair = ultra_hot_of(class);
    for (unsigned which = 0; which < 2; which++)
        for (uint32_t i = 0; i < pair->magazine[which].count; i++)
            if (pair->magazine[which].round[i] == wanted) return true;
    return false;
}

// ---- 7. HeapV2
// Magazine pair for C0 to C3.

ALWAYS_INLINE heap_v2_pair_t *heap_v2_of(size_t class)
{
    return &tiny_front.heap_v2[class];
}

ALWAYS_INLINE void *heap_v2_pop(size_t class)
{
    heap_v2_pair_t *pair = heap_v2_of(class);
    heap_v2_magazine_t *magazine = &pair->magazine[pair->loaded];
    if (UNLIKELY(magazine->count == 0)) {
        magazine = &pair->magazine[pair->loaded ^ 1];
        if (magazine->count == 0) return NULL;
        pair->loaded ^= 1;
    }
    return magazine->round[--magazine->count];
}

ALWAYS_INLINE bool heap_v2_push(size_t class, void *block)
{
    heap_v2_pair_t *pair = heap_v2_of(class);
    heap_v2_magazine_t *magazine = &pair->magazine[pair->loaded];
    if (UNLIKELY(magazine->count == 32u)) {
        magazine = &pair->magazine[pair->loaded ^ 1];
        if (magazine->count == 32u) return false;
        pair->loaded ^= 1;
    }
    magazine->round[magazine->count] = block;
    HAK_WRITTEN();
    magazine->count++;
    return true;
}

ALWAYS_INLINE size_t heap_v2_held(size_t class)
{
    return heap_v2_of(class)->magazine[0].count + heap_v2_of(class)->magazine[1].count;
}

ALWAYS_INLINE bool heap_v2_holds(size_t class, const void *wanted)
{
    const heap_v2_pair_t *pair = heap_v2_of(class);
    for (unsigned which = 0; which < 2; which++)
        for (uint32_t i = 0; i < pair->magazine[which].count; i++)
            if (pair->magazine[which].round[i] == wanted) return true;
    return false;
}

// ---- 8. Class5 Hotpath
// A separate list for blocks of 256 bytes.

ALWAYS_INLINE void *class5_hotpath_pop(size_t class)
{
    tiny_block_t *block = tiny_front.class5_hotpath.head[class - 5u];
    if (UNLIKELY(block == NULL)) return NULL;
    tiny_front.class5_hotpath.head[class - 5u] = tiny_next(block);
    tiny_front.class5_hotpath.room[class - 5u]++;
    return block;
}

ALWAYS_INLINE size_t class5_hotpath_held(size_t class)
{
    static const int32_t limit[] = {128};
    return (size_t)(limit[class - 5u] - tiny_front.class5_hotpath.room[class - 5u]);
}

ALWAYS_INLINE bool class5_hotpath_holds(size_t class, const void *wanted)
{
    const tiny_block_t *block = tiny_front.class5_hotpath.head[class - 5u];
    while (block != NULL && block != wanted) block = tiny_next(block);
    return block != NULL;
}

ALWAYS_INLINE bool class5_hotpath_push(size_t class, void *block)
{
    if (UNLIKELY(HAK_COUNT_DOWN(tiny_front.class5_hotpath.room[class - 5u]))) {
        size_t full = HAK_OPAQUE(class); // keeps the address computation off the hit path
        tiny_front.class5_hotpath.room[full - 5u] = 0;
        return false;
    }
    tiny_link(block, tiny_front.class5_hotpath.head[class - 5u]);
    HAK_WRITTEN();
    tiny_front.class5_hotpath.head[class - 5u] = block;
    return true;
}

// ---- 9. TLS SLL
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
    if (UNLIKELY(hak_debug_on))
        hak_debug_print("[hakmem:tls_sll.spill] class %zu, %u blocks returned\n",
                        class, chain.count);

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
TINY_COUNTED_STORE(front_c23)
#define front_c23_pop front_c23_counted_pop
#define front_c23_push front_c23_counted_push
TINY_COUNTED_STORE(unified_cache)
#define unified_cache_pop unified_cache_counted_pop
#define unified_cache_push unified_cache_counted_push
TINY_COUNTED_STORE(ring_cache)
#define ring_cache_pop ring_cache_counted_pop
#define ring_cache_push ring_cache_counted_push
TINY_COUNTED_STORE(ultra_hot)
#define ultra_hot_pop ultra_hot_counted_pop
#define ultra_hot_push ultra_hot_counted_push
TINY_COUNTED_STORE(heap_v2)
#define heap_v2_pop heap_v2_counted_pop
#define heap_v2_push heap_v2_counted_push
TINY_COUNTED_STORE(class5_hotpath)
#define class5_hotpath_pop class5_hotpath_counted_pop
#define class5_hotpath_push class5_hotpath_counted_push
TINY_COUNTED_STORE(tls_sll)
#define tls_sll_pop tls_sll_counted_pop
#define tls_sll_push tls_sll_counted_push
#endif

// Puts the block into the first cache with room; false if none has room.
ALWAYS_INLINE bool tiny_caches_push(size_t class, void *block)
{
    if (tiny_toggles.fast_cache && class <= 3u && fast_cache_push(class, block)) {
        if (UNLIKELY(hak_debug_on))
            hak_debug_print("[hakmem:fast_cache.free] class %zu, block %p\n",
                            class, block);

        return true;
    }
    if (tiny_toggles.sfc && sfc_push(class, block)) {
        if (UNLIKELY(hak_debug_on))
            hak_debug_print("[hakmem:sfc.free] class %zu, block %p\n",
                            class, block);

        return true;
    }
    if (tiny_toggles.front_c23 && class >= 2u && class <= 3u && front_c23_push(class, block)) {
        if (UNLIKELY(hak_debug_on))
            hak_debug_print("[hakmem:front_c23.free] class %zu, block %p\n",
                            class, block);

        return true;
    }
    if (tiny_toggles.unified_cache && unified_cache_push(class, block)) {
        if (UNLIKELY(hak_debug_on))
            hak_debug_print("[hakmem:unified_cache.free] class %zu, block %p\n",
                            class, block);

        return true;
    }
    if (tiny_toggles.ring_cache && ((0x2cu >> class) & 1u) && ring_cache_push(class, block)) {
        if (UNLIKELY(hak_debug_on))
            hak_debug_print("[hakmem:ring_cache.free] class %zu, block %p\n",
                            class, block);

        return true;
    }
    if (tiny_toggles.ultra_hot && class >= 2u && class <= 5u && ultra_hot_push(class, block)) {
        if (UNLIKELY(hak_debug_on))
            hak_debug_print("[hakmem:ultra_hot.free] class %zu, block %p\n",
                            class, block);

        return true;
    }
    if (tiny_toggles.heap_v2 && class <= 3u && heap_v2_push(class, block)) {
        if (UNLIKELY(hak_debug_on))
            hak_debug_print("[hakmem:heap_v2.free] class %zu, block %p\n",
                            class, block);

        return true;
    }
    if (tiny_toggles.class5_hotpath && class == 5u && class5_hotpath_push(class, block)) {
        if (UNLIKELY(hak_debug_on))
            hak_debug_print("[hakmem:class5_hotpath.free] class %zu, block %p\n",
                            class, block);

        return true;
    }
    return false;
}

// ---- 10. Front-Direct
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
    if (UNLIKELY(hak_debug_on))
        hak_debug_print("[hakmem:front_direct.refill] class %zu, %u blocks besides %p\n",
                        class, chain.count - 1, (void *)block);

    return block;
}

// ---- 11. Legacy refill
// Fills the TLS SLL from the slabs, one batch at a time.

ALWAYS_INLINE void *legacy_refill_take(size_t class)
{
    tiny_chain_t chain;
    if (tiny_backend_take(class, tiny_batch(class), &chain) == 0) return NULL;
    tiny_block_t *block = chain.head;
    chain.head = tiny_next(block);
    chain.count--;
    tls_sll_push_chain(class, &chain);
    if (UNLIKELY(hak_debug_on))
        hak_debug_print("[hakmem:legacy_refill.refill] class %zu, %u blocks besides %p\n",
                        class, chain.count, (void *)block);

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

    // 10. Front-Direct
    block = tiny_toggles.front_direct ? front_direct_take(class) : NULL;
    if (block != NULL) return tiny_hand_out(block);

    // 11. Legacy refill
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
        if (UNLIKELY(hak_debug_on))
            hak_debug_print("[hakmem:fast_cache.alloc] class %zu, block %p\n",
                            class, block);

        return tiny_hand_out(block);
    }

    // 2. SFC
    block = tiny_toggles.sfc ? sfc_pop(class) : NULL;
    if (block != NULL) {
        if (UNLIKELY(hak_debug_on))
            hak_debug_print("[hakmem:sfc.alloc] class %zu, block %p\n",
                            class, block);

        return tiny_hand_out(block);
    }

    // 3. Front C23
    block = tiny_toggles.front_c23 && class >= 2u && class <= 3u ? front_c23_pop(class) : NULL;
    if (block != NULL) {
        if (UNLIKELY(hak_debug_on))
            hak_debug_print("[hakmem:front_c23.alloc] class %zu, block %p\n",
                            class, block);

        return tiny_hand_out(block);
    }

    // 4. Unified Cache
    block = tiny_toggles.unified_cache ? unified_cache_pop(class) : NULL;
    if (block != NULL) {
        if (UNLIKELY(hak_debug_on))
            hak_debug_print("[hakmem:unified_cache.alloc] class %zu, block %p\n",
                            class, block);

        return tiny_hand_out(block);
    }

    // 5. Ring Cache
    block = tiny_toggles.ring_cache && ((0x2cu >> class) & 1u) ? ring_cache_pop(class) : NULL;
    if (block != NULL) {
        if (UNLIKELY(hak_debug_on))
            hak_debug_print("[hakmem:ring_cache.alloc] class %zu, block %p\n",
                            class, block);

        return tiny_hand_out(block);
    }

    // 6. UltraHot
    block = tiny_toggles.ultra_hot && class >= 2u && class <= 5u ? ultra_hot_pop(class) : NULL;
    if (block != NULL) {
        if (UNLIKELY(hak_debug_on))
            hak_debug_print("[hakmem:ultra_hot.alloc] class %zu, block %p\n",
                            class, block);

        return tiny_hand_out(block);
    }

    // 7. HeapV2
    block = tiny_toggles.heap_v2 && class <= 3u ? heap_v2_pop(class) : NULL;
    if (block != NULL) {
        if (UNLIKELY(hak_debug_on))
            hak_debug_print("[hakmem:heap_v2.alloc] class %zu, block %p\n",
                            class, block);

        return tiny_hand_out(block);
    }

    // 8. Class5 Hotpath
    block = tiny_toggles.class5_hotpath && class == 5u ? class5_hotpath_pop(class) : NULL;
    if (block != NULL) {
        if (UNLIKELY(hak_debug_on))
            hak_debug_print("[hakmem:class5_hotpath.alloc] class %zu, block %p\n",
                            class, block);

        return tiny_hand_out(block);
    }

    // 9. TLS SLL
    block = tls_sll_pop(class);
    if (block != NULL) {
        if (UNLIKELY(hak_debug_on))
            hak_debug_print("[hakmem:tls_sll.alloc] class %zu, block %p\n",
                            class, block);

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
        if (UNLIKELY(hak_debug_on))
            hak_debug_print("[hakmem:tls_sll.free] class %zu, block %p\n",
                            class, block);

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

static void drain_front_c23(void)
{
    TINY_COUNT_AS(drain);
    for (size_t class = 2; class <= 3; class++) {
        for (tiny_block_t *block; (block = front_c23_pop(class)) != NULL;) tiny_backend_give(block);
    }
}

static size_t held_by_front_c23(size_t class)
{
    return class >= 2u && class <= 3u ? front_c23_held(class) : 0;
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

static void drain_ultra_hot(void)
{
    TINY_COUNT_AS(drain);
    for (size_t class = 2; class <= 5; class++) {
        for (tiny_block_t *block; (block = ultra_hot_pop(class)) != NULL;) tiny_backend_give(block);
    }
}

static size_t held_by_ultra_hot(size_t class)
{
    return class >= 2u && class <= 5u ? ultra_hot_held(class) : 0;
}

static void drain_heap_v2(void)
{
    TINY_COUNT_AS(drain);
    for (size_t class = 0; class <= 3; class++) {
        for (tiny_block_t *block; (block = heap_v2_pop(class)) != NULL;) tiny_backend_give(block);
    }
}

static size_t held_by_heap_v2(size_t class)
{
    return class <= 3u ? heap_v2_held(class) : 0;
}

static void drain_class5_hotpath(void)
{
    TINY_COUNT_AS(drain);
    for (size_t class = 5; class <= 5; class++) {
        for (tiny_block_t *block; (block = class5_hotpath_pop(class)) != NULL;) tiny_backend_give(block);
    }
}

static size_t held_by_class5_hotpath(size_t class)
{
    return class == 5u ? class5_hotpath_held(class) : 0;
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
    if (class >= 2u && class <= 3u && front_c23_holds(class, block)) return true;
    if (unified_cache_holds(class, block)) return true;
    if (((0x2cu >> class) & 1u) && ring_cache_holds(class, block)) return true;
    if (class >= 2u && class <= 5u && ultra_hot_holds(class, block)) return true;
    if (class <= 3u && heap_v2_holds(class, block)) return true;
    if (class == 5u && class5_hotpath_holds(class, block)) return true;
    if (tls_sll_holds(class, block)) return true;
    return false;
}

void tiny_front_drain(void)
{
    drain_fast_cache();
    drain_sfc();
    drain_front_c23();
    drain_unified_cache();
    drain_ring_cache();
    drain_ultra_hot();
    drain_heap_v2();
    drain_class5_hotpath();
    drain_tls_sll();
}

const tiny_layer_info_t tiny_layer_table[TINY_LAYERS] = {
    {"fast_cache", "FastCache", "cache", "array_stack",
     0xfull, 128, held_by_fast_cache},
    {"sfc", "SFC", "cache", "linked_list",
     0xffull, 128, held_by_sfc},
    {"front_c23", "Front C23", "cache", "array_stack",
     0xcull, 32, held_by_front_c23},
    {"unified_cache", "Unified Cache", "cache", "linked_list",
     0xffull, 256, held_by_unified_cache},
    {"ring_cache", "Ring Cache", "cache", "ring",
     0x2cull, 128, held_by_ring_cache},
    {"ultra_hot", "UltraHot", "cache", "magazine",
     0x3cull, 32, held_by_ultra_hot},
    {"heap_v2", "HeapV2", "cache", "magazine",
     0xfull, 64, held_by_heap_v2},
    {"class5_hotpath", "Class5 Hotpath", "cache", "linked_list",
     0x20ull, 128, held_by_class5_hotpath},
    {"tls_sll", "TLS SLL", "overflow", "linked_list",
     0xffull, 0, held_by_tls_sll},
    {"front_direct", "Front-Direct", "refill", "none",
     0xffull, 0, held_by_refill},
    {"legacy_refill", "Legacy refill", "refill", "none",
     0xffull, 0, held_by_refill},
};

#endif // TINY_FRONT_IMPLEMENTED
