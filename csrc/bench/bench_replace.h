// The step that bench_replace and bench_larson share: every slot holds a block; free a random one and
// allocate another of random size in its place.

#ifndef BENCH_REPLACE_H
#define BENCH_REPLACE_H

#include "bench.h"

static inline void bench_fill_slots(struct bench_worker *worker)
{
    const struct bench_options *options = worker->options;
    for (uint64_t slot = 0; slot < options->slots; slot++) {
        uint64_t random = bench_random(&worker->random);
        size_t size = bench_size_of(random, options->min, options->max - options->min + 1);
        worker->slots[slot] = malloc(size);
        bench_touch(worker->slots[slot], size, random);
    }
}

static inline void bench_replace_blocks(struct bench_worker *worker, uint64_t count)
{
    const uint64_t slots = worker->options->slots, min = worker->options->min;
    const uint64_t span = worker->options->max - min + 1;
    unsigned char **const table = worker->slots;
    uint64_t state = worker->random, checksum = 0;
    for (; count > 0; count--) {
        uint64_t random = bench_random(&state);
        size_t slot = bench_slot_of(random, slots), size = bench_size_of(random, min, span);
        unsigned char *block = table[slot];
        checksum += block[0];
        free(block);
        block = malloc(size);
        bench_touch(block, size, random);
        table[slot] = block;
    }
    worker->random = state;
    worker->checksum += checksum;
}

#endif
