// The end and the beginning of a thread: destructors of thread keys that use malloc, and first operations other than
// malloc.

#include "block.h"

enum { KEYS = 8, THREADS = 200, BLOCKS = 20 };

static pthread_key_t keys[KEYS];
static atomic_int destroyed;

// bundle: what a key points to; its destructor sets the key again until no rounds are left.
struct bundle {
    int key;
    int rounds;
    struct block *blocks[BLOCKS];
};

static void fill_bundle(struct bundle *bundle, int key, int rounds)
{
    bundle->key = key;
    bundle->rounds = rounds;
    for (int i = 0; i < BLOCKS; i++)
        bundle->blocks[i] = block_new((size_t)(16 + i * 60), (uint64_t)(i + key));
}

// Frees all blocks, and allocates as many for the next round of destructors.
static void destroy_bundle(void *argument)
{
    struct bundle *bundle = argument;
    int key = bundle->key, rounds = bundle->rounds - 1;
    for (int i = 0; i < BLOCKS; i++) block_free(bundle->blocks[i]);
    T_free(bundle);
    atomic_fetch_add(&destroyed, 1);
    if (rounds == 0) return;
    bundle = T_must_malloc(sizeof *bundle);
    fill_bundle(bundle, key, rounds);
    T_CHECK(pthread_setspecific(keys[key], bundle) == 0, "pthread_setspecific failed in a destructor");
}

// Some keys are older than the allocator's own, the others are made in main. Destructors run in the order of the keys,
// so these run before and after the allocator's own.
static void make_keys(int first, int last)
{
    for (int key = first; key <= last; key++)
        T_CHECK(pthread_key_create(&keys[key], destroy_bundle) == 0, "no thread key");
}

__attribute__((constructor(101))) static void make_early_keys(void)
{
    make_keys(0, KEYS / 2 - 1);
}

static void *set_keys(void *argument)
{
    int rounds = (int)(intptr_t)argument;
    for (int key = 0; key < KEYS; key++) {
        struct bundle *bundle = T_must_malloc(sizeof *bundle);
        fill_bundle(bundle, key, rounds);
        T_CHECK(pthread_setspecific(keys[key], bundle) == 0, "pthread_setspecific failed");
    }
    return NULL;
}

static void run_destructors(int rounds)
{
    atomic_store(&destroyed, 0);
    for (int i = 0; i < THREADS; i++) T_join(T_thread(set_keys, (void *)(intptr_t)rounds));
    T_CHECK(atomic_load(&destroyed) == THREADS * KEYS * rounds, "%d destructors ran",
            atomic_load(&destroyed));
}

static void destructors_use_malloc_and_free(void)
{
    run_destructors(1);
}

static void destructors_go_on_for_several_rounds(void)
{
    run_destructors(
        T_THREAD_SANITIZER ? 3 : 4); // its runtime needs the last round, and serves no thread afterwards
}

// ---- a thread's first operation ---------------------------------------------------------------------------

static void *first_frees(void *block)
{
    block_free(block);
    return NULL;
}

static void *first_frees_null(void *block)
{
    T_free(NULL);
    block_free(block);
    return NULL;
}

static void *first_measures(void *block)
{
    T_CHECK(T_usable_size(block) >= ((struct block *)block)->size, "the usable size is too small");
    block_free(block);
    return NULL;
}

static void *first_resizes(void *argument)
{
    struct block *block = argument;
    block->mark = 0;
    block = T_realloc(block, 5000);
    T_CHECK(block != NULL, "realloc failed as a thread's first operation");
    block_free(block_write(block, 5000, 9));
    return NULL;
}

static void *first_callocs(void *block)
{
    void *zeroed = T_calloc(7, 9);
    T_CHECK(zeroed != NULL && T_is_zero(zeroed, 63), "calloc failed as a thread's first operation");
    T_free(zeroed);
    block_free(block);
    return NULL;
}

static void *first_aligns(void *block)
{
    void *aligned = T_aligned_alloc(256, 512);
    T_CHECK(aligned != NULL, "aligned_alloc failed as a thread's first operation");
    T_CHECK_ALIGNED(aligned, 256);
    T_free(aligned);
    block_free(block);
    return NULL;
}

static void a_thread_may_begin_with_any_operation(void)
{
    static void *(*const firsts[])(void *) = {first_frees,   first_frees_null, first_measures,
                                              first_resizes, first_callocs,    first_aligns};
    static const size_t sizes[] = {16, 100, 1024, 3000, 70000, 3 << 20};
    for (size_t i = 0; i < sizeof firsts / sizeof firsts[0]; i++)
        for (size_t j = 0; j < sizeof sizes / sizeof sizes[0]; j++)
            for (uint64_t round = 0; round < 10; round++)
                T_join(T_thread(firsts[i], block_new(sizes[j], round)));
}

static void *frees_much(void *argument)
{
    struct block **blocks = argument;
    for (int i = 0; i < 5000; i++) block_free(blocks[i]);
    return NULL;
}

static void a_thread_may_do_nothing_but_free(void)
{
    static struct block *blocks[5000];
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 5000; i++) blocks[i] = block_new((size_t)(16 + i % 300), (uint64_t)i);
        T_join(T_thread(frees_much, blocks));
    }
}

int main(void)
{
    make_keys(KEYS / 2, KEYS - 1);
    T_RUN(destructors_use_malloc_and_free);
    T_RUN(destructors_go_on_for_several_rounds);
    T_RUN(a_thread_may_begin_with_any_operation);
    T_RUN(a_thread_may_do_nothing_but_free);
    return 0;
}
