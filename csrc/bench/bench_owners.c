// Owners: many threads allocate, then others free all of their blocks, mixed.
//
// In each round every owner fills its slots, and all wait for one another; then the freeing threads free the blocks of
// all owners in random order, so that consecutive blocks have different owners. With `--freers 0` the owners free each
// other's blocks. It stresses the return of a block to its owner: the cost must grow neither with the number of owners
// nor with what they hold.
//
// After: the cross-thread deallocation of rpmalloc-benchmark, and the servers of P. Larson and M. Krishnan (ISMM 1998).

#include "bench_block.h"

static uint64_t owners = 32, freers = 1, touched = TOUCH_ENDS;
static unsigned char ***tables; // the slots of each owner
static bool is_last_round; // set by thread 0 between two barriers
static const struct bench_option own_options[] = {
    BENCH_OWN("--owners", &owners, 1, 128, "threads that allocate"),
    BENCH_OWN("--freers", &freers, 0, 128, "threads that only free; 0 = the owners free"),
    BENCH_OWN_WORD("--touch", &touched, bench_touch_words, BENCH_TOUCH_DOC),
    BENCH_OWN_END,
};

static void share_slots(struct bench_worker *worker)
{
    if (worker->index < owners) tables[worker->index] = worker->slots;
}

static void fill(struct bench_worker *worker)
{
    const uint64_t min = worker->options->min, span = worker->options->max - min + 1;
    for (uint64_t slot = 0; slot < worker->options->slots; slot++) {
        const size_t size = bench_size_of(bench_random(&worker->random), min, span);
        bench_put(&worker->slots[slot], malloc(size), size, touched);
    }
}

// The part of each owner's slots that is this thread's to free.
static uint64_t free_part(struct bench_worker *worker, uint64_t part, uint64_t parts)
{
    const uint64_t slots = worker->options->slots;
    const uint64_t first = slots * part / parts, count = (slots * (part + 1) / parts - first) * owners;
    struct bench_order order = bench_order_of(count, bench_random(&worker->random));
    for (uint64_t left = count; left > 0; left--) {
        const uint64_t at = bench_order_next(&order);
        unsigned char **place = &tables[at % owners][first + at / owners];
        free(bench_take(place, touched, &worker->checksum));
    }
    return count;
}

static uint64_t one_round(struct bench_worker *worker)
{
    const bool owns = worker->index < owners;
    uint64_t ops = 0;
    if (owns) {
        fill(worker);
        ops += worker->options->slots;
    }
    pthread_barrier_wait(worker->gate);
    if (freers == 0) ops += free_part(worker, worker->index, owners);
    else if (!owns) ops += free_part(worker, worker->index - owners, freers);
    pthread_barrier_wait(worker->gate);
    return ops;
}

static void run(struct bench_worker *worker)
{
    const uint64_t rounds = worker->options->ops / (2 * owners * worker->options->slots);
    worker->ops = 0;
    for (uint64_t round = 1; !is_last_round; round++) {
        pthread_barrier_wait(worker->gate); // everyone has seen the flag
        if (worker->index == 0) is_last_round = round >= rounds || bench_is_over(worker);
        worker->ops += one_round(worker);
    }
}

static void check_empty(struct bench_worker *worker)
{
    for (uint64_t slot = 0; slot < worker->options->slots; slot++)
        if (worker->slots[slot] != NULL) bench_die("slot %" PRIu64 " was not emptied", slot);
}

int main(int argc, char **argv)
{
    struct bench_options options = {.ops = 10000000,
                                    .slots = 5000,
                                    .min = 16,
                                    .max = 1024,
                                    .seed = 1,
                                    .limit_ms = BENCH_NO_LIMIT,
                                    .own = own_options};
    const struct bench_load load = {
        .name = "owners", .prepare = share_slots, .run = run, .clear = check_empty, .is_pinned = true};
    bench_parse(argc, argv, "threads whose blocks others free, mixed", &options);
    bench_check_min(&options, touched);
    options.threads = owners + freers;
    tables = bench_pages(owners * sizeof *tables);
    return bench_workers(&load, &options);
}
