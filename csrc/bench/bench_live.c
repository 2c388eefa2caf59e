// Live: very many blocks are allocated, then all are freed in random order; again and again.
//
// It stresses what grows with the number of live blocks: cache misses on metadata, free lists whose blocks are spread
// over memory, tables from address to owner, and the time to find unused memory again.
//
// After: the building up and tearing down of large indexes and trees, such as "binary trees" of the Computer Language
// Benchmarks Game, with an order of frees that does not follow the allocations.

#include "bench_block.h"

static uint64_t touched = TOUCH_ENDS;
static const struct bench_option own_options[] = {
    BENCH_OWN_WORD("--touch", &touched, bench_touch_words, BENCH_TOUCH_DOC),
    BENCH_OWN_END,
};

static void fill(struct bench_worker *worker)
{
    const uint64_t min = worker->options->min, span = worker->options->max - min + 1;
    for (uint64_t slot = 0; slot < worker->options->slots; slot++) {
        const size_t size = bench_size_of(bench_random(&worker->random), min, span);
        bench_put(&worker->slots[slot], malloc(size), size, touched);
    }
}

static void empty_at_random(struct bench_worker *worker)
{
    struct bench_order order = bench_order_of(worker->options->slots, bench_random(&worker->random));
    for (uint64_t left = worker->options->slots; left > 0; left--)
        free(bench_take(&worker->slots[bench_order_next(&order)], touched, &worker->checksum));
}

static void run(struct bench_worker *worker)
{
    const uint64_t ops = worker->options->slots * 2, rounds = worker->ops / ops;
    worker->ops = 0;
    do {
        fill(worker);
        empty_at_random(worker);
        worker->ops += ops;
    } while (worker->ops < rounds * ops && !bench_is_over(worker));
}

static void clear(struct bench_worker *worker)
{
    bench_free_places(worker->slots, worker->options->slots, touched, &worker->checksum);
}

int main(int argc, char **argv)
{
    struct bench_options options = {.ops = 10000000,
                                    .slots = 1000000,
                                    .min = 16,
                                    .max = 256,
                                    .threads = 1,
                                    .seed = 1,
                                    .limit_ms = BENCH_NO_LIMIT,
                                    .own = own_options};
    const struct bench_load load = {.name = "live", .run = run, .clear = clear};
    bench_parse(argc, argv, "many live blocks that are freed in random order", &options);
    bench_check_min(&options, touched);
    return bench_workers(&load, &options);
}
