// Spawn: threads come, work for a short life, and go.
//
// Each life allocates its slots, replaces blocks in them, frees all and ends; then the next generation starts. With one
// slot and one replacement, only the start and the end of threads are measured. It stresses the setup of a thread's
// caches, their release at its end, and the memory that this leaves behind.
//
// After: the report microsoft/mimalloc#1001, and the servers of P. Larson and M. Krishnan (ISMM 1998), whose threads
// end.

#include "bench_block.h"

static uint64_t touched = TOUCH_ENDS;
static const struct bench_option own_options[] = {
    BENCH_OWN_WORD("--touch", &touched, bench_touch_words, BENCH_TOUCH_DOC),
    BENCH_OWN_END,
};

static void put_block(struct bench_worker *life, unsigned char **place)
{
    const struct bench_options *options = life->options;
    const uint64_t span = options->max - options->min + 1;
    const size_t size = bench_size_of(bench_random(&life->random), options->min, span);
    bench_put(place, malloc(size), size, touched);
}

static void *live(void *argument)
{
    struct bench_worker *life = argument;
    const struct bench_options *options = life->options;
    for (uint64_t slot = 0; slot < options->slots; slot++) put_block(life, &life->slots[slot]);
    for (uint64_t left = options->rounds_of; left > 0; left--) {
        unsigned char **place = &life->slots[bench_slot_of(bench_random(&life->random), options->slots)];
        free(bench_take(place, touched, &life->checksum));
        put_block(life, place);
    }
    bench_free_places(life->slots, options->slots, touched, &life->checksum);
    life->ops += (options->slots + options->rounds_of) * 2;
    return NULL;
}

// Each generation's threads start and end together. Returns what they have done so far.
static uint64_t one_generation(struct bench_worker *lives, const struct bench_options *options)
{
    uint64_t ops = 0;
    for (uint64_t i = 0; i < options->threads; i++) bench_thread(&lives[i].thread, live, &lives[i]);
    for (uint64_t i = 0; i < options->threads; i++) {
        pthread_join(lives[i].thread, NULL);
        ops += lives[i].ops;
    }
    return ops;
}

static struct bench_worker *make_lives(const struct bench_options *options)
{
    struct bench_worker *lives = bench_pages(options->threads * sizeof *lives);
    for (uint64_t i = 0; i < options->threads; i++) {
        bench_worker_init(&lives[i], options, i);
        lives[i].ops = 0;
    }
    return lives;
}

int main(int argc, char **argv)
{
    struct bench_options options = {.ops = 10000000,
                                    .slots = 100,
                                    .min = 16,
                                    .max = 1024,
                                    .threads = 2,
                                    .rounds_of = 1000,
                                    .seed = 1,
                                    .own = own_options};
    bench_parse(argc, argv, "threads that come and go", &options);
    bench_check_min(&options, touched);
    struct bench_worker *lives = make_lives(&options);
    struct bench_result result = {.name = "spawn", .has_after = options.after_ms != 0};

    bench_start(&result.spent);
    while (result.ops < options.ops) result.ops = one_generation(lives, &options);
    bench_stop(&result.spent);

    result.peak_kib = bench_peak_kib();
    for (uint64_t i = 0; i < options.threads; i++) result.checksum += lives[i].checksum;
    if (options.after_ms != 0) result.after_kib = bench_quiet_kib(options.after_ms);
    bench_print(&result);
    return 0;
}
