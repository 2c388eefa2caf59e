// Realloc: blocks that grow in turn, by a fixed step or by doubling, until all are large; then all are freed.
//
// By a step it is a reader that appends line by line to several buffers; by doubling, a vector. It stresses growth in
// place: whether room is left behind a block, whether a block that has moved before gets room to grow, and whether
// large ones move by remapping pages instead of copying bytes.
//
// After: the report microsoft/mimalloc#153, realloc by one element at a time; growth as of std::vector.

#include "bench_block.h"

static uint64_t step = 0, touched = TOUCH_ENDS;
static const struct bench_option own_options[] = {
    BENCH_OWN("--step", &step, 0, UINT64_C(1) << 24, "bytes that a block grows by at a time; 0 = it doubles"),
    BENCH_OWN_WORD("--touch", &touched, bench_touch_words, BENCH_TOUCH_DOC),
    BENCH_OWN_END,
};

static size_t next_size(const struct bench_options *options, size_t size)
{
    const size_t larger = step == 0 ? size * 2 : size + step;
    return larger < options->max ? larger : options->max;
}

static uint64_t growths(const struct bench_options *options)
{
    uint64_t count = 0;
    for (size_t size = options->min; size < options->max; size = next_size(options, size)) count++;
    return count;
}

static void start_all(struct bench_worker *worker)
{
    const size_t size = worker->options->min;
    for (uint64_t i = 0; i < worker->options->slots; i++)
        bench_put(&worker->slots[i], malloc(size), size, touched);
}

// All pages of the old part were written before; so the new part's are left to do.
static void touch_new_pages(unsigned char *block, size_t old, size_t size)
{
    for (size_t at = (old + BENCH_PAGE - 1) & ~(size_t)(BENCH_PAGE - 1); at < size; at += BENCH_PAGE)
        block[at] = (unsigned char)at;
}

// What was written at both ends of the old block must have come along.
static void grow(unsigned char **place, size_t size, uint64_t *checksum)
{
    unsigned char *block = realloc(*place, size);
    if (block == NULL) bench_die("realloc to %zu bytes failed", size);
    *place = block;
    if (touched == TOUCH_NONE) return;
    const uint64_t before = *checksum;
    bench_take(place, touched, checksum);
    if (touched == TOUCH_PAGES) touch_new_pages(block, *checksum - before, size);
    bench_label_block(block, size, bench_mark_of(place), touched);
    *place = block;
}

static void free_all(struct bench_worker *worker)
{
    bench_free_places(worker->slots, worker->options->slots, touched, &worker->checksum);
}

static void grow_all(struct bench_worker *worker)
{
    const struct bench_options *options = worker->options;
    for (size_t size = options->min; size < options->max;) {
        size = next_size(options, size);
        for (uint64_t i = 0; i < options->slots; i++) grow(&worker->slots[i], size, &worker->checksum);
    }
}

static void run(struct bench_worker *worker)
{
    const struct bench_options *options = worker->options;
    const uint64_t ops = options->slots * (growths(options) + 2); // one malloc and one free a block, too
    const uint64_t rounds = worker->ops / ops;
    worker->ops = 0;
    do {
        start_all(worker);
        grow_all(worker);
        free_all(worker);
        worker->ops += ops;
    } while (worker->ops < rounds * ops && !bench_is_over(worker));
}

int main(int argc, char **argv)
{
    struct bench_options options = {.ops = 5000000,
                                    .slots = 8,
                                    .min = 16,
                                    .max = 204800,
                                    .threads = 1,
                                    .seed = 1,
                                    .limit_ms = BENCH_NO_LIMIT,
                                    .own = own_options};
    const struct bench_load load = {.name = "realloc", .run = run, .clear = free_all};
    bench_parse(argc, argv, "blocks that grow in turn by realloc", &options);
    bench_check_min(&options, touched);
    return bench_workers(&load, &options);
}
