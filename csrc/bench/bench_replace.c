// Replace: every slot holds a block; each step frees a random one and allocates another of random size in
// its place.
//
// Nothing depends on a coin toss here, so that the cost of malloc and free themselves stands out.

#include "bench_replace.h"

static void run(struct bench_worker *worker)
{
    worker->ops &= ~UINT64_C(1);  // a step is two ops
    bench_replace_blocks(worker, worker->ops / 2);
}

int main(int argc, char **argv)
{
    struct bench_options options = {
        .ops = 40000000, .slots = 1024, .min = 8, .max = 256, .threads = 1, .seed = 1};
    const struct bench_load load = {.name = "replace", .prepare = bench_fill_slots, .run = run};
    bench_parse(argc, argv, "replaces random blocks of a full table", &options);
    return bench_workers(&load, &options);
}
