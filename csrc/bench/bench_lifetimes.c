// Lifetimes: most blocks die young, some live long.
//
// A block goes into one of several groups at random and replaces a random block there; the groups have 1, 2, 4, ...
// places, so that a block of a group with n places lives for n blocks of that group on average. It stresses
// fragmentation: long-lived blocks that keep the memory around them from being used in another size.
//
// After: B. Zorn and D. Grunwald, "Empirical measurements of six allocation-intensive C programs" (SIGPLAN Notices
// 1992): most blocks live for a few allocations only.

#include "bench_block.h"

enum { CHUNK = 1024 }; // steps between two looks at the clock

static uint64_t touched = TOUCH_ENDS;
static uint64_t groups;
static const struct bench_option own_options[] = {
    BENCH_OWN_WORD("--touch", &touched, bench_touch_words, BENCH_TOUCH_DOC),
    BENCH_OWN_END,
};

// Groups one after the other: group g has 1 << g places and begins at place (1 << g) - 1.
static uint64_t random_place(uint64_t random)
{
    const uint64_t group_size = UINT64_C(1) << bench_slot_of(random, groups);
    return group_size - 1 + ((random * UINT64_C(0x9e3779b97f4a7c15) >> 40) & (group_size - 1));
}

// A block, allocated and put in the place of another, which is freed. Returns the ops done.
static uint64_t step(struct bench_worker *worker)
{
    const struct bench_options *options = worker->options;
    const size_t size =
        bench_size_of(bench_random(&worker->random), options->min, options->max - options->min + 1);
    unsigned char **place = &worker->slots[random_place(bench_random(&worker->random))];
    const bool is_full = *place != NULL;
    if (is_full) free(bench_take(place, touched, &worker->checksum));
    bench_put(place, malloc(size), size, touched);
    return is_full ? 2 : 1;
}

static void run(struct bench_worker *worker)
{
    const uint64_t ops = worker->ops;
    uint64_t done = 0;
    while (done < ops && !bench_is_over(worker))
        for (int i = 0; i < CHUNK && done < ops; i++) done += step(worker);
    worker->ops = done;
}

static void clear(struct bench_worker *worker)
{
    bench_free_places(worker->slots, worker->options->slots, touched, &worker->checksum);
}

int main(int argc, char **argv)
{
    struct bench_options options = {.ops = 10000000,
                                    .slots = 16383,
                                    .min = 16,
                                    .max = 8192,
                                    .threads = 1,
                                    .seed = 1,
                                    .limit_ms = BENCH_NO_LIMIT,
                                    .own = own_options};
    const struct bench_load load = {.name = "lifetimes", .run = run, .clear = clear};
    bench_parse(argc, argv, "blocks of many lifetimes", &options);
    bench_check_min(&options, touched);
    while (groups < 26 && (UINT64_C(2) << groups) - 1 <= options.slots) groups++;
    return bench_workers(&load, &options);
}
