// hakmem: the tiny allocator's fast path. Generated from variants/hakmem.yaml; do not edit.
// The fastest variant. One bounded list for each class over the slabs, about four classes per
// doubling of size up to 4 KiB and seven above, up to 64 KiB; basic checks.
//
// Layers, in the order in which a request tries them:
//   1. Thread List (cache)
//   2. Front-Direct (refill)

// ---- configuration

#ifndef TINY_GEN_CONFIG_H
#define TINY_GEN_CONFIG_H

#define TINY_VARIANT "hakmem"
#define TINY_CLASSES 56
#define TINY_CLASS_SIZES 16, 32, 48, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 640, 768, 896, 1024, 1088, 1280, 1536, 1792, 2048, 2560, 3072, 3584, 4096, 4416, 4608, 5248, 5888, 6656, 7424, 8192, 9216, 10240, 11264, 12288, 13824, 15360, 16384, 18432, 20480, 22528, 24576, 27648, 30720, 32768, 36864, 40960, 46080, 51200, 57344, 65536
#define TINY_CLASS_INVERSES 68719476737, 34359738369, 22906492246, 17179869185, 13743895348, 11453246123, 9817068106, 8589934593, 6871947674, 5726623062, 4908534053, 4294967297, 3435973837, 2863311531, 2454267027, 2147483649, 1717986919, 1431655766, 1227133514, 1073741825, 1010580541, 858993460, 715827883, 613566757, 536870913, 429496730, 357913942, 306783379, 268435457, 248983612, 238609295, 209510600, 186737709, 165191050, 148102321, 134217729, 119304648, 107374183, 97612894, 89478486, 79536432, 71582789, 67108865, 59652324, 53687092, 48806447, 44739243, 39768216, 35791395, 33554433, 29826162, 26843546, 23860930, 21474837, 19173962, 16777217
#define TINY_MAX_SIZE 65536
#define TINY_MIN_ALIGN 16

// The class of a request, indexed by its size in steps of 16 bytes.
#define TINY_SIZE_STEP 16
#define TINY_HOT_SIZE 4096 // the index ends here
#define TINY_SIZE_INDEX \
    0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 12, 12, 13, 13, 13, \
    13, 14, 14, 14, 14, 15, 15, 15, 15, 16, 16, 16, 16, 16, 16, 16, 16, 17, 17, 17, 17, 17, 17, 17, \
    17, 18, 18, 18, 18, 18, 18, 18, 18, 19, 19, 19, 19, 19, 19, 19, 19, 20, 20, 20, 20, 21, 21, 21, \
    21, 21, 21, 21, 21, 21, 21, 21, 21, 22, 22, 22, 22, 22, 22, 22, 22, 22, 22, 22, 22, 22, 22, 22, \
    22, 23, 23, 23, 23, 23, 23, 23, 23, 23, 23, 23, 23, 23, 23, 23, 23, 24, 24, 24, 24, 24, 24, 24, \
    24, 24, 24, 24, 24, 24, 24, 24, 24, 25, 25, 25, 25, 25, 25, 25, 25, 25, 25, 25, 25, 25, 25, 25, \
    25, 25, 25, 25, 25, 25, 25, 25, 25, 25, 25, 25, 25, 25, 25, 25, 25, 26, 26, 26, 26, 26, 26, 26, \
    26, 26, 26, 26, 26, 26, 26, 26, 26, 26, 26, 26, 26, 26, 26, 26, 26, 26, 26, 26, 26, 26, 26, 26, \
    26, 27, 27, 27, 27, 27, 27, 27, 27, 27, 27, 27, 27, 27, 27, 27, 27, 27, 27, 27, 27, 27, 27, 27, \
    27, 27, 27, 27, 27, 27, 27, 27, 27, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, \
    28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28

// For larger sizes, the class of the requests of each wide step.
#define TINY_WIDE_STEP 64
#define TINY_WIDE_INDEX \
    29, 29, 29, 29, 29, 30, 30, 30, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 32, 32, 32, 32, 32, 32, \
    32, 32, 32, 32, 33, 33, 33, 33, 33, 33, 33, 33, 33, 33, 33, 33, 34, 34, 34, 34, 34, 34, 34, 34, \
    34, 34, 34, 34, 35, 35, 35, 35, 35, 35, 35, 35, 35, 35, 35, 35, 36, 36, 36, 36, 36, 36, 36, 36, \
    36, 36, 36, 36, 36, 36, 36, 36, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, \
    38, 38, 38, 38, 38, 38, 38, 38, 38, 38, 38, 38, 38, 38, 38, 38, 39, 39, 39, 39, 39, 39, 39, 39, \
    39, 39, 39, 39, 39, 39, 39, 39, 40, 40, 40, 40, 40, 40, 40, 40, 40, 40, 40, 40, 40, 40, 40, 40, \
    40, 40, 40, 40, 40, 40, 40, 40, 41, 41, 41, 41, 41, 41, 41, 41, 41, 41, 41, 41, 41, 41, 41, 41, \
    41, 41, 41, 41, 41, 41, 41, 41, 42, 42, 42, 42, 42, 42, 42, 42, 42, 42, 42, 42, 42, 42, 42, 42, \
    43, 43, 43, 43, 43, 43, 43, 43, 43, 43, 43, 43, 43, 43, 43, 43, 43, 43, 43, 43, 43, 43, 43, 43, \
    43, 43, 43, 43, 43, 43, 43, 43, 44, 44, 44, 44, 44, 44, 44, 44, 44, 44, 44, 44, 44, 44, 44, 44, \
    44, 44, 44, 44, 44, 44, 44, 44, 44, 44, 44, 44, 44, 44, 44, 44, 45, 45, 45, 45, 45, 45, 45, 45, \
    45, 45, 45, 45, 45, 45, 45, 45, 45, 45, 45, 45, 45, 45, 45, 45, 45, 45, 45, 45, 45, 45, 45, 45, \
    46, 46, 46, 46, 46, 46, 46, 46, 46, 46, 46, 46, 46, 46, 46, 46, 46, 46, 46, 46, 46, 46, 46, 46, \
    46, 46, 46, 46, 46, 46, 46, 46, 47, 47, 47, 47, 47, 47, 47, 47, 47, 47, 47, 47, 47, 47, 47, 47, \
    47, 47, 47, 47, 47, 47, 47, 47, 47, 47, 47, 47, 47, 47, 47, 47, 47, 47, 47, 47, 47, 47, 47, 47, \
    47, 47, 47, 47, 47, 47, 47, 47, 48, 48, 48, 48, 48, 48, 48, 48, 48, 48, 48, 48, 48, 48, 48, 48, \
    48, 48, 48, 48, 48, 48, 48, 48, 48, 48, 48, 48, 48, 48, 48, 48, 48, 48, 48, 48, 48, 48, 48, 48, \
    48, 48, 48, 48, 48, 48, 48, 48, 49, 49, 49, 49, 49, 49, 49, 49, 49, 49, 49, 49, 49, 49, 49, 49, \
    49, 49, 49, 49, 49, 49, 49, 49, 49, 49, 49, 49, 49, 49, 49, 49, 50, 50, 50, 50, 50, 50, 50, 50, \
    50, 50, 50, 50, 50, 50, 50, 50, 50, 50, 50, 50, 50, 50, 50, 50, 50, 50, 50, 50, 50, 50, 50, 50, \
    50, 50, 50, 50, 50, 50, 50, 50, 50, 50, 50, 50, 50, 50, 50, 50, 50, 50, 50, 50, 50, 50, 50, 50, \
    50, 50, 50, 50, 50, 50, 50, 50, 51, 51, 51, 51, 51, 51, 51, 51, 51, 51, 51, 51, 51, 51, 51, 51, \
    51, 51, 51, 51, 51, 51, 51, 51, 51, 51, 51, 51, 51, 51, 51, 51, 51, 51, 51, 51, 51, 51, 51, 51, \
    51, 51, 51, 51, 51, 51, 51, 51, 51, 51, 51, 51, 51, 51, 51, 51, 51, 51, 51, 51, 51, 51, 51, 51, \
    52, 52, 52, 52, 52, 52, 52, 52, 52, 52, 52, 52, 52, 52, 52, 52, 52, 52, 52, 52, 52, 52, 52, 52, \
    52, 52, 52, 52, 52, 52, 52, 52, 52, 52, 52, 52, 52, 52, 52, 52, 52, 52, 52, 52, 52, 52, 52, 52, \
    52, 52, 52, 52, 52, 52, 52, 52, 52, 52, 52, 52, 52, 52, 52, 52, 52, 52, 52, 52, 52, 52, 52, 52, \
    52, 52, 52, 52, 52, 52, 52, 52, 53, 53, 53, 53, 53, 53, 53, 53, 53, 53, 53, 53, 53, 53, 53, 53, \
    53, 53, 53, 53, 53, 53, 53, 53, 53, 53, 53, 53, 53, 53, 53, 53, 53, 53, 53, 53, 53, 53, 53, 53, \
    53, 53, 53, 53, 53, 53, 53, 53, 53, 53, 53, 53, 53, 53, 53, 53, 53, 53, 53, 53, 53, 53, 53, 53, \
    53, 53, 53, 53, 53, 53, 53, 53, 53, 53, 53, 53, 53, 53, 53, 53, 54, 54, 54, 54, 54, 54, 54, 54, \
    54, 54, 54, 54, 54, 54, 54, 54, 54, 54, 54, 54, 54, 54, 54, 54, 54, 54, 54, 54, 54, 54, 54, 54, \
    54, 54, 54, 54, 54, 54, 54, 54, 54, 54, 54, 54, 54, 54, 54, 54, 54, 54, 54, 54, 54, 54, 54, 54, \
    54, 54, 54, 54, 54, 54, 54, 54, 54, 54, 54, 54, 54, 54, 54, 54, 54, 54, 54, 54, 54, 54, 54, 54, \
    54, 54, 54, 54, 54, 54, 54, 54, 54, 54, 54, 54, 54, 54, 54, 54, 55, 55, 55, 55, 55, 55, 55, 55, \
    55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, \
    55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, \
    55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, \
    55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, \
    55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55

// Checks on freed blocks: 0 none, 1 basic, 2 full.
#define TINY_CHECKS 1

// 1 if links also serve as marks, because all of the thread's lists are packed words.
#define TINY_MARK_IN_LINK 1

// Diagnostic output: 1 if it is compiled in.
#define HAKMEM_DEBUG_OUTPUT (!HAKMEM_BUILD_RELEASE)

// X(layer, environment variable, on by default)
#define TINY_TOGGLE_COUNT 0
#define TINY_TOGGLES(X)

// X(option, environment variable, default, least, most)
#define TINY_ENV_OPTION_COUNT 2
#define TINY_ENV_OPTIONS(X) \
    X(decay_ms, "HAKMEM_DECAY_MS", 1000, 0, 86400000) \
    X(huge_pages, "HAKMEM_HUGE_PAGES", 8, 0, 1048576)

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
#define TINY_HAS_OPTION_BG_REMOTE 0
#define TINY_OPTION_BG_REMOTE 0
// Memory that has been free for this many milliseconds is returned to the system, at a slow path of
// any thread.
#define TINY_HAS_OPTION_DECAY_MS 1
#define TINY_OPTION_DECAY_MS tiny_options.decay_ms
// A thread with this many MiB in pages of small blocks gets huge pages for the next ones, where the
// system allows that; with 0 no block, not even a large one, gets them.
#define TINY_HAS_OPTION_HUGE_PAGES 1
#define TINY_OPTION_HUGE_PAGES tiny_options.huge_pages

// X(layer), in the order in which a request tries them
#define TINY_LAYERS 2
#define TINY_LAYER_NAMES(X) \
    X(thread_list) \
    X(front_direct)

#endif // TINY_GEN_CONFIG_H

// ---- a thread's state

#if defined(TINY_GEN_STATE) && !defined(TINY_GEN_STATE_H)
#define TINY_GEN_STATE_H

// Thread List
typedef struct thread_list_lists {
    uint64_t packed[56];
    uint8_t limit[56]; // blocks; changed only while the list is empty
    uint32_t misses; // counted to choose the list that is checked for disuse
    uint32_t seen[56]; // part of each packed word when it was last checked
} thread_list_lists_t;

// A thread's state. `tag` is the tag of its heap: one comparison with it recognises the thread's own blocks. `key` marks free
// blocks. The state contains the table of classes, so that an allocation needs one address only.
typedef struct tiny_front {
    thread_list_lists_t thread_list;
    uint64_t tag;
    uint64_t key;
    uint8_t class_of[TINY_HOT_SIZE / TINY_SIZE_STEP + 1];
} tiny_front_t;

#define TINY_FRONT_INITIAL { \
    .thread_list = {.packed = {TINY_PACKED_EMPTY(255), TINY_PACKED_EMPTY(255), TINY_PACKED_EMPTY(170), TINY_PACKED_EMPTY(128), TINY_PACKED_EMPTY(102), TINY_PACKED_EMPTY(85), TINY_PACKED_EMPTY(73), TINY_PACKED_EMPTY(64), TINY_PACKED_EMPTY(51), TINY_PACKED_EMPTY(42), TINY_PACKED_EMPTY(36), TINY_PACKED_EMPTY(32), TINY_PACKED_EMPTY(25), TINY_PACKED_EMPTY(21), TINY_PACKED_EMPTY(18), TINY_PACKED_EMPTY(16), TINY_PACKED_EMPTY(12), TINY_PACKED_EMPTY(10), TINY_PACKED_EMPTY(9), TINY_PACKED_EMPTY(8), TINY_PACKED_EMPTY(7), TINY_PACKED_EMPTY(6), TINY_PACKED_EMPTY(5), TINY_PACKED_EMPTY(4), TINY_PACKED_EMPTY(4), TINY_PACKED_EMPTY(3), TINY_PACKED_EMPTY(2), TINY_PACKED_EMPTY(2), TINY_PACKED_EMPTY(2), TINY_PACKED_EMPTY(2), TINY_PACKED_EMPTY(2), TINY_PACKED_EMPTY(2), TINY_PACKED_EMPTY(2), TINY_PACKED_EMPTY(2), TINY_PACKED_EMPTY(2), TINY_PACKED_EMPTY(2), TINY_PACKED_EMPTY(2), TINY_PACKED_EMPTY(2), TINY_PACKED_EMPTY(2), TINY_PACKED_EMPTY(2), TINY_PACKED_EMPTY(2), TINY_PACKED_EMPTY(2), TINY_PACKED_EMPTY(2), TINY_PACKED_EMPTY(2), TINY_PACKED_EMPTY(2), TINY_PACKED_EMPTY(2), TINY_PACKED_EMPTY(2), TINY_PACKED_EMPTY(2), TINY_PACKED_EMPTY(2), TINY_PACKED_EMPTY(2), TINY_PACKED_EMPTY(2), TINY_PACKED_EMPTY(2), TINY_PACKED_EMPTY(2), TINY_PACKED_EMPTY(2), TINY_PACKED_EMPTY(2), TINY_PACKED_EMPTY(2)}, \
                      .limit = {255, 255, 170, 128, 102, 85, 73, 64, 51, 42, 36, 32, 25, 21, 18, 16, 12, 10, 9, 8, 7, 6, 5, 4, 4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2} }, \
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

// ---- 1. Thread List
// One list for each class, packed into one word and bounded in blocks and bytes; a full list
// returns blocks to the slabs.

ALWAYS_INLINE void *thread_list_pop(size_t class)
{
    tiny_block_t *block = tiny_packed_first(tiny_front.thread_list.packed[class]);
    if (UNLIKELY(block == NULL)) return NULL;
    tiny_front.thread_list.packed[class] = tiny_packed_next(block);
    return block;
}

// False: the list has no room for the block.
ALWAYS_INLINE bool thread_list_push(size_t class, void *block)
{
    return tiny_packed_push(&tiny_front.thread_list.packed[class], block);
}

static inline size_t thread_list_held(size_t class)
{
    return tiny_front.thread_list.limit[class] - tiny_packed_room(tiny_front.thread_list.packed[class]);
}

static inline bool thread_list_holds(size_t class, const void *wanted)
{
    // The link of a block in the list holds the room before its push, which gives the block's position. The next block must
    // be at its own position, too. These two tests reject nearly every block that is not in the list.
    uint64_t packed = tiny_front.thread_list.packed[class], link = ((const tiny_block_t *)wanted)->link;
    uint32_t room = tiny_packed_room(packed), before = tiny_packed_room(link);
    const tiny_block_t *next = tiny_packed_first(link);
    if (before <= room || (next == NULL && before != tiny_front.thread_list.limit[class]) || (next != NULL && tiny_own_class(next, tiny_front.tag) != class)) return false;
    if (next != NULL && (uint16_t)next->link != (uint16_t)TINY_PACKED_EMPTY(before + 1)) return false;
    const tiny_block_t *block = tiny_packed_first(packed);
    for (uint32_t above = before - room - 1; above > 0 && block != NULL; above--) block = tiny_packed_first(tiny_packed_next(block));
    return block == wanted;
}

// Returns the number of blocks that a full list gives back: a batch of those that were freed last, whose memory is still
// in the processor's caches.
static inline unsigned thread_list_spills(size_t class)
{
    enum { BLOCKS = 32 };
    unsigned half = (unsigned)thread_list_held(class) / 2 + 1, batch = tiny_batch(class);
    if (batch < BLOCKS) batch = BLOCKS;
    return batch < half ? batch : half;
}

// Returns up to `count` blocks of a list to the slabs, in the list's order; returns their number.
static inline unsigned thread_list_give(size_t class, unsigned count)
{
    unsigned given = 0;
    tiny_backend_begin(); // a forked child finds each block either in the list or in its slab
    for (tiny_row_t row; given < count; given += row.count) {
        row.count = 0;
        tiny_packed_take(&tiny_front.thread_list.packed[class], count - given < TINY_ROW_MOST ? count - given : TINY_ROW_MOST, &row);
        if (row.count == 0) break;
        tiny_backend_give_row(&row);
    }
    tiny_backend_end();
    return given;
}

// Returns the number of blocks that a refill of an empty list fetches: more for a list that has widened, but few large
// ones, so that a list fills with what the program frees rather than with what it may never need.
static inline unsigned thread_list_wants(size_t class)
{
    enum { BLOCKS = 32, BYTES = 65536 };
    unsigned half = tiny_front.thread_list.limit[class] / 2, batch = tiny_batch(class);
    unsigned most = (unsigned)(BYTES * tiny_class_inverse[class] >> TINY_INVERSE_BITS);
    if (most > BLOCKS) most = BLOCKS;
    if (half > most) half = most;
    return half > batch ? half : batch;
}

// Adds the blocks of a row, except its first one, for requests in the row's order.
static inline void thread_list_fill(size_t class, const tiny_row_t *row)
{
    unsigned left = tiny_packed_fill(&tiny_front.thread_list.packed[class], &row->block[1], row->count - 1);
    TINY_COUNT_IN(thread_list, class, row->count - 1 - left);
    for (; left > 0; left--) tiny_backend_give(row->block[left]);
}

// Doubles the limit of an empty list, if the bytes that all of the thread's lists share allow it.
static inline void thread_list_widen(size_t class)
{
    static const uint8_t most[] = {255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 237, 227, 199, 178, 157, 141, 128, 113, 102, 93, 85, 75, 68, 64, 56, 51, 46, 42, 37, 34, 32, 28, 25, 22, 20, 18, 16};
    uint8_t *limit = &tiny_front.thread_list.limit[class];
    uint64_t *packed = &tiny_front.thread_list.packed[class];
    unsigned wider = *limit * 2u < most[class] ? *limit * 2u : most[class];
    if (wider == *limit || *packed != TINY_PACKED_EMPTY(*limit)) return;
    if (!tiny_backend_may_hold((wider - *limit) * (size_t)tiny_class_size[class])) return;
    *limit = (uint8_t)wider;
    *packed = TINY_PACKED_EMPTY(wider);
}

// Resets the limit of a list to its initial value if the list is empty.
static inline void thread_list_narrow(size_t class)
{
    static const uint8_t first[] = {255, 255, 170, 128, 102, 85, 73, 64, 51, 42, 36, 32, 25, 21, 18, 16, 12, 10, 9, 8, 7, 6, 5, 4, 4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2};
    uint8_t *limit = &tiny_front.thread_list.limit[class];
    uint64_t *packed = &tiny_front.thread_list.packed[class];
    if (*packed != TINY_PACKED_EMPTY(*limit)) return;
    tiny_backend_holds_less((size_t)(*limit - first[class]) * tiny_class_size[class]);
    *limit = first[class];
    *packed = TINY_PACKED_EMPTY(*limit);
}

// If a list has not changed since its last check, it is not in use: its blocks are returned to the slabs, where other
// classes and threads can use the memory.
static inline void thread_list_check(size_t i)
{
    thread_list_lists_t *lists = &tiny_front.thread_list;
    size_t class = i;
    uint32_t now = (uint32_t)(lists->packed[i] >> 8);
    bool used = now != lists->seen[i];
    lists->seen[i] = now;
    if (LIKELY(used)) return;
    unsigned moved = thread_list_give(class, TINY_PACKED_MOST);
    TINY_COUNT_OUT(thread_list, spill, class, moved);
    (void)moved;
    thread_list_narrow(class);
}

// Lists are checked in turn: one every few misses, and several for each page by which the heap's memory has grown, because
// what lies in unused lists could have served.
static inline void thread_list_check_next(void)
{
    enum { LISTS = sizeof tiny_front.thread_list.limit, MISSES = 8, CHECKS_A_PAGE = 8 };
    uint32_t *misses = &tiny_front.thread_list.misses;
    if (++*misses % MISSES == 0) thread_list_check(*misses / MISSES % LISTS);
    for (unsigned checks = tiny_backend_grown() * CHECKS_A_PAGE; UNLIKELY(checks > 0); checks--) {
        *misses += MISSES;
        thread_list_check(*misses / MISSES % LISTS);
    }
}

#if HAKMEM_STATS
TINY_COUNTED_STORE(thread_list)
#define thread_list_pop thread_list_counted_pop
#define thread_list_push thread_list_counted_push
#endif

// Puts the block into the first cache with room; false if none has room.
ALWAYS_INLINE bool tiny_caches_push(size_t class, void *block)
{
    if (thread_list_push(class, block)) {
        return true;
    }
    return false;
}

// ---- 2. Front-Direct
// Experimental refill that fills the topmost cache directly from the slabs and bypasses the TLS
// SLL.

ALWAYS_INLINE void *front_direct_take(size_t class)
{
    tiny_row_t row;
    if (tiny_backend_take_row(class, thread_list_wants(class), &row) == 0) return NULL;
    thread_list_fill(class, &row);
#if !HAKMEM_BUILD_RELEASE
    if (UNLIKELY(hak_debug_on))
        hak_debug_print("[hakmem:front_direct.refill] class %zu, %u blocks besides %p\n",
                        class, row.count - 1, (void *)row.block[0]);
#endif

    return row.block[0];
}

#if HAKMEM_STATS
TINY_COUNTED_REFILL(front_direct)
#define front_direct_take front_direct_counted_take
#endif

// Serves a request that every store has missed: tries the refills in order.
ALWAYS_INLINE void *tiny_refill(size_t class)
{
    void *block;

    // 2. Front-Direct
    block = front_direct_take(class);
    if (block != NULL) return tiny_hand_out(block);

    return tiny_alloc_last_resort(class);
}

// Thread List is the hit path; the layers below it are out of line.
#define tiny_first_pop(class) (thread_list_pop(class))
#define tiny_first_push(class, block) (thread_list_push(class, block))
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

// The first layer is empty: tries the next layers, and tops up the first one from the layer that serves the request.
void *tiny_alloc_slow(size_t size)
{
    size_t class = tiny_class_of(size);
    thread_list_widen(class);
    thread_list_check_next();

    return tiny_refill(class);
}

// The first layer is full: returns half of its blocks to the slabs, then adds the block.
void tiny_free_slow(void *block, size_t class)
{
    TINY_COUNT_AS(spill);
#if !HAKMEM_BUILD_RELEASE
    if (UNLIKELY(hak_debug_on))
        hak_debug_print("[hakmem:thread_list.full] class %zu\n",
                        class);
#endif

    unsigned moved = thread_list_give(class, (unsigned)thread_list_spills(class));
    TINY_COUNT_OUT(thread_list, spill, class, moved);
    (void)moved;
    thread_list_check_next();
    if (!tiny_first_push(class, block)) tiny_backend_give(block);
}

static void drain_thread_list(void)
{
    TINY_COUNT_AS(drain);
    for (size_t class = 0; class <= 55; class++) {
        unsigned moved = thread_list_give(class, TINY_PACKED_MOST);
        TINY_COUNT_OUT(thread_list, drain, class, moved);
        (void)moved;
    }
}

static size_t held_by_thread_list(size_t class)
{
    return thread_list_held(class);
}

static size_t held_by_refill(size_t class)
{
    (void)class;
    return 0;
}

bool tiny_front_holds(size_t class, const void *block)
{
    if (thread_list_holds(class, block)) return true;
    return false;
}

void tiny_front_drain(void)
{
    drain_thread_list();
    for (size_t class = 0; class <= 55; class++) thread_list_narrow(class);
}

const tiny_layer_info_t tiny_layer_table[TINY_LAYERS] = {
    {"thread_list", "Thread List", "cache", "packed_list",
     0xffffffffffffffull, 0, held_by_thread_list},
    {"front_direct", "Front-Direct", "refill", "none",
     0xffffffffffffffull, 0, held_by_refill},
};

#endif // TINY_FRONT_IMPLEMENTED
