// one: the tiny allocator's fast path. Generated from variants/one.yaml; do not edit.
// One layer, and what it needs.
//
// Layers, in the order in which a request tries them:
//   1. TLS SLL (overflow)
//   2. Legacy refill (refill)

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
#define TINY_LAYERS 2
#define TINY_LAYER_NAMES(X) \
    X(tls_sll) \
    X(legacy_refill)

#endif // TINY_GEN_CONFIG_H

// ---- a thread's state

#if defined(TINY_GEN_STATE) && !defined(TINY_GEN_STATE_H)
#define TINY_GEN_STATE_H

// TLS SLL
typedef struct tls_sll_lists {
    tiny_block_t *head[3];
    int32_t room[3]; // blocks that still fit
} tls_sll_lists_t;

// A thread's state. `tag` is the tag of its heap: one comparison with it recognises the thread's own blocks. `key` marks free
// blocks. The state contains the table of classes, so that an allocation needs one address only.
typedef struct tiny_front {
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

// ---- 1. TLS SLL
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
TINY_COUNTED_STORE(tls_sll)
#define tls_sll_pop tls_sll_counted_pop
#define tls_sll_push tls_sll_counted_push
#endif

// Puts the block into the first cache with room; false if none has room.
ALWAYS_INLINE bool tiny_caches_push(size_t class, void *block)
{
    (void)class, (void)block;
    return false;
}

// ---- 2. Legacy refill
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

    // 2. Legacy refill
    block = legacy_refill_take(class);
    if (block != NULL) return tiny_hand_out(block);

    return tiny_alloc_last_resort(class);
}

// Tries every layer in order; the code of all layers is inlined here.
ALWAYS_INLINE void *tiny_alloc_class(size_t class)
{
    TINY_COUNT_REQUEST(class);
    void *block;

    // 1. TLS SLL
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
    if (tls_sll_holds(class, block)) return true;
    return false;
}

void tiny_front_drain(void)
{
    drain_tls_sll();
}

const tiny_layer_info_t tiny_layer_table[TINY_LAYERS] = {
    {"tls_sll", "TLS SLL", "overflow", "linked_list",
     0x7ull, 0, held_by_tls_sll},
    {"legacy_refill", "Legacy refill", "refill", "none",
     0x7ull, 0, held_by_refill},
};

#endif // TINY_FRONT_IMPLEMENTED
