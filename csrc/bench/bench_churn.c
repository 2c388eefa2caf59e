// Churn: every slot holds a block; each step frees a random one and puts another of random size in its place.
//
// One program for all ranges of size, for one and many threads, for malloc, calloc and aligned blocks, and for blocks
// that are written little or not at all. With `--table shared` all threads use one table, so that a block is mostly
// freed by another thread than the one that allocated it. It stresses reuse: splitting and joining above the small
// classes, what is cached by thread and given back too early, page faults of large blocks. bench_replace is the same for
// small blocks, without the checks.
//
// After: the steady state of P. Larson and M. Krishnan, "Memory allocation for long-running server applications" (ISMM
// 1998); for 5 to 25 MiB the report microsoft/mimalloc#447, a program that replaces large buffers; for a shared table
// microsoft/mimalloc#177, threads that delete each other's events.

#include "bench_block.h"

enum { CHUNK = 128 }; // steps between two looks at the clock
enum kind { KIND_MALLOC, KIND_CALLOC, KIND_ALIGNED };
enum table { TABLE_OWN, TABLE_SHARED };

static const char *const kind_words[] = {"malloc", "calloc", "aligned", NULL};
static const char *const table_words[] = {"own", "shared", NULL};
static uint64_t kind = KIND_MALLOC, align = 64, touched = TOUCH_ENDS, table = TABLE_OWN;
static unsigned char **shared; // worker 0's slots, where all use one table
static const struct bench_option own_options[] = {
    BENCH_OWN_WORD("--kind", &kind, kind_words, "function that allocates"),
    BENCH_OWN("--align", &align, sizeof(void *), UINT64_C(1) << 24,
              "alignment for --kind aligned, a power of 2"),
    BENCH_OWN_WORD("--table", &table, table_words, "whose slots a thread uses"),
    BENCH_OWN_WORD("--touch", &touched, bench_touch_words, BENCH_TOUCH_DOC),
    BENCH_OWN_END,
};

static unsigned char *allocate_aligned(size_t size)
{
    void *block = NULL;
    if (posix_memalign(&block, align, size) != 0) return NULL;
    if ((uintptr_t)block % align != 0) bench_die("block %p is not aligned to %" PRIu64, block, align);
    return block;
}

static bool is_zero(const unsigned char *block, size_t size)
{
    return block[0] == 0 && block[size / 4] == 0 && block[size / 2] == 0 && block[size - 1] == 0;
}

static unsigned char *allocate_zeroed(size_t size)
{
    unsigned char *block = calloc(1, size);
    if (block != NULL && !is_zero(block, size)) bench_die("calloc(1, %zu) is not zeroed", size);
    return block;
}

BENCH_ALWAYS_INLINE unsigned char *allocate(size_t size)
{
    if (kind == KIND_MALLOC) return malloc(size);
    return kind == KIND_CALLOC ? allocate_zeroed(size) : allocate_aligned(size);
}

static void fill(struct bench_worker *worker)
{
    const struct bench_options *options = worker->options;
    if (table == TABLE_SHARED && worker->index != 0) return;
    if (table == TABLE_SHARED) shared = worker->slots;
    for (uint64_t slot = 0; slot < options->slots; slot++) {
        uint64_t random = bench_random(&worker->random);
        size_t size = bench_size_of(random, options->min, options->max - options->min + 1);
        bench_put(&worker->slots[slot], allocate(size), size, touched);
    }
}

static void replace(struct bench_worker *worker, uint64_t steps)
{
    const uint64_t slots = worker->options->slots, min = worker->options->min;
    const uint64_t span = worker->options->max - min + 1;
    uint64_t state = worker->random, checksum = 0;
    for (; steps > 0; steps--) {
        uint64_t random = bench_random(&state);
        size_t size = bench_size_of(random, min, span);
        unsigned char **place = &worker->slots[bench_slot_of(random, slots)];
        free(bench_take(place, touched, &checksum));
        bench_put(place, allocate(size), size, touched);
    }
    worker->random = state;
    worker->checksum += checksum;
}

static void replace_shared(struct bench_worker *worker, uint64_t steps)
{
    const struct bench_options *options = worker->options;
    for (; steps > 0; steps--) {
        uint64_t random = bench_random(&worker->random);
        size_t size = bench_size_of(random, options->min, options->max - options->min + 1);
        unsigned char **place = &shared[bench_slot_of(random, options->slots)];
        unsigned char *block = allocate(size);
        bench_write(block, size, bench_mark_of(place), touched);
        block = __atomic_exchange_n(place, block, __ATOMIC_ACQ_REL);
        free(bench_verify(block, bench_mark_of(place), touched, &worker->checksum));
    }
}

static void run(struct bench_worker *worker)
{
    const uint64_t steps = worker->ops / 2; // a step is two ops
    uint64_t done = 0;
    while (done < steps && !bench_is_over(worker)) {
        const uint64_t left = steps - done, chunk = left < CHUNK ? left : CHUNK;
        if (table == TABLE_SHARED) replace_shared(worker, chunk);
        else replace(worker, chunk);
        done += chunk;
    }
    worker->ops = done * 2;
}

static void clear(struct bench_worker *worker)
{
    bench_free_places(worker->slots, worker->options->slots, touched, &worker->checksum);
}

int main(int argc, char **argv)
{
    struct bench_options options = {.ops = 20000000,
                                    .slots = 1000,
                                    .min = 16,
                                    .max = 1024,
                                    .threads = 1,
                                    .seed = 1,
                                    .limit_ms = BENCH_NO_LIMIT,
                                    .own = own_options};
    const struct bench_load load = {.name = "churn", .prepare = fill, .run = run, .clear = clear};
    bench_parse(argc, argv, "replaces random blocks by malloc, calloc or posix_memalign", &options);
    bench_check_min(&options, touched);
    if ((align & (align - 1)) != 0) bench_die("--align takes a power of 2");
    return bench_workers(&load, &options);
}
