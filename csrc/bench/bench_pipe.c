// Pipe: threads that only allocate pass blocks to threads that only free.
//
// It stresses frees of others' blocks: each block has to find back to its owner, and a thread that only frees must
// neither collect what the producers need nor pay for each block. With one consumer for several producers, one thread
// frees for many; with more consumers than producers, an owner gets blocks back from many.
//
// After: "xmalloc-test" of C. Lever and D. Boreham, "malloc() performance in a multithreaded Linux environment" (USENIX
// 2000), with a bounded buffer in place of its linked list, so that memory is bounded by the load itself.
//
// pipe: a ring of places between one producer and one consumer, filled and emptied in batches. There are as many as
// the more numerous side has threads; each thread serves its pipes in turn.

#include "bench_block.h"

#include <sched.h>

// Looks at a pipe before a thread leaves its core to others: some microseconds. On a machine that does other work, too,
// leaving costs a time slice.
enum { SPINS = 4000 };

struct pipe {
    unsigned char **places;
    uint64_t filled __attribute__((aligned(128))); // batches so far, written by the producer
    uint64_t emptied __attribute__((aligned(128))); // the same of the consumer
};

static uint64_t producers = 1, consumers = 1, batch = 64, touched = TOUCH_ENDS;
static struct pipe *pipes;
static uint64_t pipe_count, batches; // batches: through each pipe
static const struct bench_option own_options[] = {
    BENCH_OWN("--producers", &producers, 1, 128, "threads that allocate"),
    BENCH_OWN("--consumers", &consumers, 1, 128, "threads that free"),
    BENCH_OWN("--batch", &batch, 1, 4096, "blocks that are passed on at a time"),
    BENCH_OWN_WORD("--touch", &touched, bench_touch_words, BENCH_TOUCH_DOC),
    BENCH_OWN_END,
};

// Wait until `counter`, which another thread advances, is at least `least`.
static void wait_for(const uint64_t *counter, uint64_t least)
{
    for (uint64_t looks = 1; __atomic_load_n(counter, __ATOMIC_ACQUIRE) < least; looks++)
        if (looks % SPINS == 0) sched_yield();
}

static unsigned char **batch_at(const struct pipe *pipe, uint64_t number, uint64_t slots)
{
    return pipe->places + number % (slots / batch) * batch;
}

static void produce(struct bench_worker *worker, struct pipe *pipe, uint64_t number)
{
    const struct bench_options *options = worker->options;
    const uint64_t room = options->slots / batch;
    unsigned char **places = batch_at(pipe, number, options->slots);
    if (number >= room) wait_for(&pipe->emptied, number - room + 1);
    for (uint64_t i = 0; i < batch; i++) {
        uint64_t random = bench_random(&worker->random);
        size_t size = bench_size_of(random, options->min, options->max - options->min + 1);
        bench_put(&places[i], malloc(size), size, touched);
    }
    __atomic_store_n(&pipe->filled, number + 1, __ATOMIC_RELEASE);
}

static void consume(struct bench_worker *worker, struct pipe *pipe, uint64_t number)
{
    unsigned char **places = batch_at(pipe, number, worker->options->slots);
    wait_for(&pipe->filled, number + 1);
    for (uint64_t i = 0; i < batch; i++) free(bench_take(&places[i], touched, &worker->checksum));
    __atomic_store_n(&pipe->emptied, number + 1, __ATOMIC_RELEASE);
}

static void run(struct bench_worker *worker)
{
    const bool produces = worker->index < producers;
    const uint64_t first = produces ? worker->index : worker->index - producers;
    const uint64_t step = produces ? producers : consumers;
    worker->ops = 0;
    for (uint64_t number = 0; number < batches; number++) {
        for (uint64_t i = first; i < pipe_count; i += step) {
            if (produces) produce(worker, &pipes[i], number);
            else consume(worker, &pipes[i], number);
            worker->ops += batch;
        }
    }
}

// Every block has gone through a pipe: nothing is left to free.
static void check_empty(struct bench_worker *worker)
{
    if (worker->index != 0) return;
    for (uint64_t i = 0; i < pipe_count; i++)
        if (pipes[i].emptied != batches) bench_die("pipe %" PRIu64 " was not emptied", i);
}

static void make_pipes(const struct bench_options *options)
{
    pipe_count = producers > consumers ? producers : consumers;
    pipes = bench_pages(pipe_count * sizeof *pipes);
    for (uint64_t i = 0; i < pipe_count; i++)
        pipes[i].places = bench_pages(options->slots * sizeof(unsigned char *));
    batches = options->ops / 2 / pipe_count / batch;
    if (batches == 0) batches = 1;
}

int main(int argc, char **argv)
{
    struct bench_options options = {
        .ops = 10000000, .slots = 4096, .min = 64, .max = 64, .seed = 1, .own = own_options};
    const struct bench_load load = {.name = "pipe", .run = run, .clear = check_empty, .is_pinned = true};
    bench_parse(argc, argv, "threads that allocate pass blocks to threads that free", &options);
    bench_check_min(&options, touched);
    if (options.slots < batch) bench_die("--slots is below --batch: a pipe has room for a batch at least");
    options.threads = producers + consumers;
    make_pipes(&options);
    return bench_workers(&load, &options);
}
