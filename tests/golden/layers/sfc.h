// one: the tiny allocator's fast path. Generated from variants/one.yaml; do not edit.
// One layer, and what it needs.
//
// Layers, in the order in which a request meets them:
//   1. SFC (cache)
//   2. TLS SLL (overflow)
//   3. Legacy refill (refill)

// ---- configuration

#ifndef TINY_GEN_CONFIG_H
#define TINY_GEN_CONFIG_H

#define TINY_VARIANT "one"
#define TINY_CLASSES 3
#define TINY_CLASS_SIZES 16, 32, 64
#define TINY_MAX_SIZE 64
#define TINY_MIN_ALIGN 16

// The class of a request, by its size in steps of 8 bytes.
#define TINY_SIZE_STEP 8
#define TINY_SIZE_INDEX \
    0, 0, 0, 1, 1, 2, 2, 2, 2

// Diagnostic output: 1 is compiled in always.
#define HAKMEM_DEBUG_OUTPUT (!HAKMEM_BUILD_RELEASE)

// X(layer, environment variable, on by default)
#define TINY_TOGGLE_COUNT 0
#define TINY_TOGGLES(X)

// X(option, environment variable, default, least, most)
#define TINY_ENV_OPTION_COUNT 0
#define TINY_ENV_OPTIONS(X)

// X(layer), in the order in which a request meets them
#define TINY_LAYERS 3
#define TINY_LAYER_NAMES(X) \
    X(sfc) \
    X(tls_sll) \
    X(legacy_refill)

#endif // TINY_GEN_CONFIG_H

// ---- the front: state, layers, entries

#if defined(TINY_GEN_FRONT) && !defined(TINY_GEN_FRONT_H)
#define TINY_GEN_FRONT_H

// SFC
typedef struct sfc_list {
    tiny_block_t *head;
    uint32_t count;
} sfc_list_t;

// TLS SLL
typedef struct tls_sll_list {
    tiny_block_t *head;
    uint32_t count;
} tls_sll_list_t;

// A thread's state. `tag` is its heap's, so that one comparison tells its own blocks.
typedef struct tiny_front {
    uint64_t tag;
    sfc_list_t sfc[3];
    tls_sll_list_t tls_sll[3];
} tiny_front_t;

extern HAK_TLS tiny_front_t tiny_front;

// ---- 1. SFC
// A counted list.

ALWAYS_INLINE sfc_list_t *sfc_of(unsigned class)
{
    return &tiny_front.sfc[class];
}

ALWAYS_INLINE void *sfc_pop(unsigned class)
{
    sfc_list_t *list = sfc_of(class);
    tiny_block_t *block = list->head;
    if (UNLIKELY(block == NULL)) return NULL;
    list->head = block->next;
    list->count--;
    return block;
}

ALWAYS_INLINE size_t sfc_held(unsigned class)
{
    return sfc_of(class)->count;
}

ALWAYS_INLINE bool sfc_push(unsigned class, void *block)
{
    sfc_list_t *list = sfc_of(class);
    if (UNLIKELY(list->count == 4u)) return false;
    ((tiny_block_t *)block)->next = list->head;
    list->head = block;
    list->count++;
    return true;
}

// ---- 2. TLS SLL
// A list that is bounded in bytes.

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

// 4096 bytes of each class, in blocks.
static const uint32_t tls_sll_limit[TINY_CLASSES] = {256, 128, 64};

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
TINY_COUNTED_STORE(sfc)
#define sfc_pop sfc_counted_pop
#define sfc_push sfc_counted_push
TINY_COUNTED_STORE(tls_sll)
#define tls_sll_pop tls_sll_counted_pop
#define tls_sll_push tls_sll_counted_push
#endif

// The first cache with room takes the block; false when none has.
ALWAYS_INLINE bool tiny_caches_push(unsigned class, void *block)
{
    if (sfc_push(class, block)) {
#if !HAKMEM_BUILD_RELEASE
        if (UNLIKELY(hak_debug_on))
            hak_debug_print("[hakmem:sfc.free] class %u, block %p\n",
                            class, block);
#endif

        return true;
    }
    return false;
}

// ---- 3. Legacy refill
// Fills the list.

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

// Every layer is tried in its turn, and every layer's code is inlined here.
ALWAYS_INLINE void *tiny_alloc_fast(size_t size)
{
    unsigned class = tiny_class_of(size);
    TINY_COUNT_REQUEST(class);
    void *block;

    // 1. SFC
    block = sfc_pop(class);
    if (block != NULL) {
#if !HAKMEM_BUILD_RELEASE
        if (UNLIKELY(hak_debug_on))
            hak_debug_print("[hakmem:sfc.alloc] class %u, block %p\n",
                            class, block);
#endif

        return block;
    }

    // 2. TLS SLL
    block = tls_sll_pop(class);
    if (block != NULL) {
#if !HAKMEM_BUILD_RELEASE
        if (UNLIKELY(hak_debug_on))
            hak_debug_print("[hakmem:tls_sll.alloc] class %u, block %p\n",
                            class, block);
#endif

        return block;
    }

    return tiny_refill(class);
}

// False: the block is not of this thread's heap, and nothing was done.
ALWAYS_INLINE bool tiny_free_fast(void *block)
{
    TINY_COUNT_FREE(block);
    uint64_t own = tiny_own_class(block, tiny_front.tag);
    if (UNLIKELY(own >= TINY_CLASSES)) return false;
    unsigned class = (unsigned)own;
    if (tiny_caches_push(class, block)) return true;
    if (tls_sll_push(class, block)) {
#if !HAKMEM_BUILD_RELEASE
        if (UNLIKELY(hak_debug_on))
            hak_debug_print("[hakmem:tls_sll.free] class %u, block %p\n",
                            class, block);
#endif

        return true;
    }
    tiny_backend_give(block);
    return true;
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

static void drain_sfc(void)
{
    TINY_COUNT_AS(drain);
    for (unsigned class = 0; class <= 2; class++) {
        for (tiny_block_t *block; (block = sfc_pop(class)) != NULL;) tiny_backend_give(block);
    }
}

static size_t held_by_sfc(unsigned class)
{
    return sfc_held(class);
}

static void drain_tls_sll(void)
{
    TINY_COUNT_AS(drain);
    for (unsigned class = 0; class <= 2; class++) {
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
    drain_sfc();
    drain_tls_sll();
}

const tiny_layer_info_t tiny_layer_table[TINY_LAYERS] = {
    {"sfc", "SFC", "cache", "linked_list",
     0x7u, 4, held_by_sfc},
    {"tls_sll", "TLS SLL", "overflow", "linked_list",
     0x7u, 0, held_by_tls_sll},
    {"legacy_refill", "Legacy refill", "refill", "none",
     0x7u, 0, held_by_refill},
};

#endif // TINY_FRONT_IMPLEMENTED
