// Random mixed: each step picks a random slot; a full one is freed, an empty one gets a block of random
// size.
//
// About half of the slots are full at any time. With few slots the time is bound by the mispredicted branch
// "is the slot full?"; with many, by where the allocator has put the blocks.

#include "bench.h"

static void run(struct bench_worker *worker)
{
    const uint64_t slots = worker->options->slots, min = worker->options->min;
    const uint64_t span = worker->options->max - min + 1;
    unsigned char **const table = worker->slots;
    uint64_t state = worker->random, checksum = 0;
    for (uint64_t left = worker->ops; left > 0; left--) {
        uint64_t random = bench_random(&state);
        size_t slot = bench_slot_of(random, slots);
        unsigned char *block = table[slot];
        if (block != NULL) {
            checksum += block[0];
            free(block);
            table[slot] = NULL;
        } else {
            size_t size = bench_size_of(random, min, span);
            block = malloc(size);
            bench_touch(block, size, random);
            table[slot] = block;
        }
    }
    worker->checksum += checksum;
}

int main(int argc, char **argv)
{
    struct bench_options options = {
        .ops = 20000000, .slots = 4096, .min = 16, .max = 256, .threads = 1, .seed = 1};
    const struct bench_load load = {.name = "random_mixed", .run = run};
    bench_parse(argc, argv, "random frees and allocations in a table of slots", &options);
    return bench_workers(&load, &options);
}
