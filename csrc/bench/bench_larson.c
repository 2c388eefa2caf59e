// Larson: a server whose threads pass their work on.
//
// After the load of P. Larson and M. Krishnan, "Memory allocation for long-running server applications"
// (ISMM 1998), with a fixed amount of work in place of their fixed time. Each thread replaces random blocks
// in its slots; after `--rounds-of` replacements it creates a successor, leaves it all its blocks and ends.
// So blocks are often freed by a thread that did not allocate them, and an allocator meets thread after
// thread.
//
// lineage: a row of threads that follow one another over the same slots; `--threads` is their number.

#include "bench_replace.h"

#include <semaphore.h>

struct lineage {
    struct bench_worker worker;
    uint64_t left;       // replacements still to do
    pthread_t previous;  // its successor joins it, so that few threads live at a time
    bool has_previous;
};

static sem_t lineages_done;

static void *live(void *argument);

static void start_successor(struct lineage *lineage)
{
    pthread_t successor;
    bench_thread(&successor, live, lineage);
}

// One thread's life: some replacements, then the succession.
static void *live(void *argument)
{
    struct lineage *lineage = argument;
    const struct bench_options *options = lineage->worker.options;
    uint64_t count = lineage->left < options->rounds_of ? lineage->left : options->rounds_of;
    bench_replace_blocks(&lineage->worker, count);
    lineage->left -= count;

    if (lineage->has_previous) pthread_join(lineage->previous, NULL);
    lineage->previous = pthread_self();
    lineage->has_previous = true;
    if (lineage->left > 0) start_successor(lineage);
    else sem_post(&lineages_done);
    return NULL;
}

static void lineage_init(struct lineage *lineage, const struct bench_options *options, uint64_t index)
{
    bench_worker_init(&lineage->worker, options, index);
    bench_fill_slots(&lineage->worker);
    lineage->worker.ops &= ~UINT64_C(1);  // a replacement is two ops
    lineage->left = lineage->worker.ops / 2;
}

int main(int argc, char **argv)
{
    struct bench_options options = {
        .ops = 40000000, .slots = 1000, .min = 8, .max = 128, .threads = 1, .rounds_of = 100000, .seed = 1};
    bench_parse(argc, argv, "threads that replace random blocks and leave them to a successor", &options);
    sem_init(&lineages_done, 0, 0);
    struct lineage *lineages = bench_pages(options.threads * sizeof *lineages);
    for (uint64_t i = 0; i < options.threads; i++) lineage_init(&lineages[i], &options, i);

    struct bench_result result = {.name = "larson", .has_after = options.after_ms != 0};
    bench_start(&result.spent);
    for (uint64_t i = 0; i < options.threads; i++) start_successor(&lineages[i]);
    for (uint64_t i = 0; i < options.threads; i++)
        while (sem_wait(&lineages_done) != 0 && errno == EINTR) continue;
    bench_stop(&result.spent);

    result.peak_kib = bench_peak_kib();
    for (uint64_t i = 0; i < options.threads; i++) {
        pthread_join(lineages[i].previous, NULL);
        bench_worker_clear(&lineages[i].worker);
        bench_worker_drop_slots(&lineages[i].worker);
        result.ops += lineages[i].worker.ops;
        result.checksum += lineages[i].worker.checksum;
    }
    if (options.after_ms != 0) result.after_kib = bench_quiet_kib(options.after_ms);
    bench_print(&result);
    return 0;
}
