// What the benchmark programs share: options, random numbers, clocks, workers, and the line of result.
//
// The allocator under test is the one that serves malloc and free (LD_PRELOAD); the line of result names it.
// What the benchmark itself costs shows with null_malloc.c preloaded.
//
// op: one malloc or one free.  slot: a place for one block.  worker: a thread with slots of its own.

#ifndef BENCH_H
#define BENCH_H

#include "bench_base.h"
#include "bench_options.h"
#include "bench_report.h"

#include <pthread.h>
#include <sched.h>

// Touches the first and the last byte, as a program does with a new block.
BENCH_ALWAYS_INLINE void bench_touch(unsigned char *block, size_t size, uint64_t random)
{
    if (__builtin_expect(block == NULL, 0)) bench_die("malloc(%zu) failed", size);
    block[size - 1] = (unsigned char)random;
    block[0] = (unsigned char)random;
}

struct bench_worker {
    const struct bench_options *options;
    const struct bench_load *load;
    pthread_barrier_t *gate; // all workers start and stop together
    unsigned char **slots;
    uint64_t index;
    uint64_t random;
    uint64_t ops;
    uint64_t checksum; // of the bytes found in freed blocks: equal for every allocator
    struct bench_clock ready, done; // when it came to the gate, and when its run ended
    double deadline; // of --limit-ms
    uint64_t peak_kib; // worker 0 only
    uint64_t after_kib; // worker 0 only
    pthread_t thread;
} __attribute__((aligned(128))); // workers must not slow each other through a shared cache line

struct bench_load {
    const char *name;
    void (*prepare)(struct bench_worker *worker); // not timed
    void (*run)(struct bench_worker *worker); // timed
    void (*clear)(struct bench_worker *worker); // frees what is left, not timed; NULL = bench_worker_clear
    bool is_pinned; // each worker to a core, where threads work hand in hand
};

static inline void bench_worker_init(struct bench_worker *worker, const struct bench_options *options,
                                     uint64_t index)
{
    worker->options = options;
    worker->index = index;
    if (options->slots != 0) worker->slots = bench_pages(options->slots * sizeof *worker->slots);
    worker->random = options->seed + (index << 48);
    worker->ops = options->ops / options->threads + (index < options->ops % options->threads);
}

// Give back what is left in the slots; its bytes count too, so that no block goes unchecked.
static inline void bench_worker_clear(struct bench_worker *worker)
{
    for (uint64_t i = 0; i < worker->options->slots; i++) {
        unsigned char *block = worker->slots[i];
        if (block == NULL) continue;
        worker->checksum += block[0];
        free(block);
        worker->slots[i] = NULL;
    }
}

// Whether a run has taken the time that it may take. Slow allocators then do less of the same; since speed is ops by
// time, their figure stays right, and the run short. Called between steps that take much longer than it does.
static inline bool bench_is_over(const struct bench_worker *worker)
{
    return bench_seconds() > worker->deadline;
}

// The table of slots is the benchmark's: it must not count as memory that the allocator has kept.
static inline void bench_worker_drop_slots(struct bench_worker *worker)
{
    if (worker->slots != NULL) munmap(worker->slots, worker->options->slots * sizeof *worker->slots);
    worker->slots = NULL;
}

static inline void bench_thread(pthread_t *thread, void *(*start)(void *), void *argument)
{
    int error = pthread_create(thread, NULL, start, argument);
    if (error != 0) bench_die("cannot create a thread: %s", strerror(error));
}

// Keep the calling thread to one core, the next one for the next worker. Two threads that wait for each other are
// otherwise at times both on one core, where they take turns, and at times on two; that is half or twice the speed.
// Where the system refuses, the load runs as it may.
static inline void bench_pin(uint64_t index)
{
    cpu_set_t allowed, one;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
    uint64_t skip = index % (uint64_t)CPU_COUNT(&allowed);
    for (int core = 0; core < CPU_SETSIZE; core++) {
        if (!CPU_ISSET(core, &allowed) || skip-- != 0) continue;
        CPU_ZERO(&one);
        CPU_SET(core, &one);
        sched_setaffinity(0, sizeof one, &one);
        return;
    }
}

// All workers wait, alive and idle like a server's pool of threads, until the memory that is left was read.
static inline void bench_read_after(struct bench_worker *worker)
{
    bench_worker_drop_slots(worker);
    pthread_barrier_wait(worker->gate);
    if (worker->index == 0) worker->after_kib = bench_quiet_kib(worker->options->after_ms);
    pthread_barrier_wait(worker->gate);
}

static inline void *bench_work(void *argument)
{
    struct bench_worker *worker = argument;
    const struct bench_load *load = worker->load;
    if (load->is_pinned) bench_pin(worker->index);
    if (load->prepare != NULL) load->prepare(worker);
    worker->ready = bench_now();
    pthread_barrier_wait(worker->gate);
    worker->deadline = bench_seconds() + (double)worker->options->limit_ms * 1e-3;
    load->run(worker);
    worker->done = bench_now();
    pthread_barrier_wait(worker->gate);
    if (worker->index == 0) worker->peak_kib = bench_peak_kib();
    if (load->clear != NULL) load->clear(worker);
    else bench_worker_clear(worker);
    if (worker->options->after_ms != 0) bench_read_after(worker);
    return NULL;
}

// Start a worker for each thread but the first, which the calling thread is; so a run with one thread creates none.
static inline void bench_run_workers(struct bench_worker *workers, const struct bench_load *load,
                                     const struct bench_options *options)
{
    pthread_barrier_t gate;
    pthread_barrier_init(&gate, NULL, (unsigned)options->threads);
    for (uint64_t i = 0; i < options->threads; i++) {
        bench_worker_init(&workers[i], options, i);
        workers[i].load = load;
        workers[i].gate = &gate;
    }
    for (uint64_t i = 1; i < options->threads; i++) bench_thread(&workers[i].thread, bench_work, &workers[i]);
    bench_work(&workers[0]);
    for (uint64_t i = 1; i < options->threads; i++) pthread_join(workers[i].thread, NULL);
}

static inline double bench_later(double a, double b)
{
    return a > b ? a : b;
}

// The gate opens when the last worker has come, and the work ends with the last one's. No single worker can time that:
// of more threads than cores, some go through the open gate when others have long done their work.
static inline struct bench_clock bench_spent(const struct bench_worker *workers, uint64_t count)
{
    struct bench_clock ready = workers[0].ready, done = workers[0].done;
    for (uint64_t i = 1; i < count; i++) {
        ready.wall = bench_later(ready.wall, workers[i].ready.wall);
        ready.cpu = bench_later(ready.cpu, workers[i].ready.cpu);
        done.wall = bench_later(done.wall, workers[i].done.wall);
        done.cpu = bench_later(done.cpu, workers[i].done.cpu);
    }
    return (struct bench_clock){done.wall - ready.wall, done.cpu - ready.cpu};
}

// Run a load whose threads live as long as the program, and print its line.
static inline int bench_workers(const struct bench_load *load, const struct bench_options *options)
{
    struct bench_worker *workers = bench_pages(options->threads * sizeof *workers);
    bench_run_workers(workers, load, options);
    struct bench_result result = {.name = load->name,
                                  .spent = bench_spent(workers, options->threads),
                                  .peak_kib = workers[0].peak_kib,
                                  .has_after = options->after_ms != 0,
                                  .after_kib = workers[0].after_kib};
    for (uint64_t i = 0; i < options->threads; i++) {
        result.ops += workers[i].ops;
        result.checksum += workers[i].checksum;
    }
    bench_print(&result);
    return 0;
}

#endif
