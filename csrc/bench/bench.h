// What the benchmark programs share: options, random numbers, clock, workers, and the line of result.
//
// Reads the command line. Writes one JSON line to stdout; complaints go to stderr with exit status 2.
// The allocator under test is whichever serves malloc and free (LD_PRELOAD). Nothing here uses it: tables
// come from mmap, so that two allocators differ by the measured blocks only.
//
// op: one malloc or one free.  slot: a place for one block.  worker: a thread with slots of its own.
// What the benchmark itself costs shows with null_malloc.c preloaded.

#ifndef BENCH_H
#define BENCH_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define BENCH_ALWAYS_INLINE static inline __attribute__((always_inline))

struct bench_options {
    uint64_t ops;        // all workers together
    uint64_t slots;      // of each worker
    uint64_t min, max;   // bytes of a block, both included
    uint64_t threads;
    uint64_t rounds_of;  // replacements between two successions; 0 = the program knows no succession
    uint64_t seed;
};

__attribute__((noreturn, format(printf, 1, 2))) static inline void bench_die(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(2);
}

// ---- random numbers -------------------------------------------------------------------------------------

__extension__ typedef unsigned __int128 bench_u128;

// A counter with an odd step, folded by one wide multiplication: a handful of instructions, and no chain of
// dependent multiplications from one number to the next.
BENCH_ALWAYS_INLINE uint64_t bench_random(uint64_t *state)
{
    *state += UINT64_C(0x9e3779b97f4a7c15);
    bench_u128 wide = (bench_u128)*state * (*state ^ UINT64_C(0xd6e8feb86659fd93));
    return (uint64_t)wide ^ (uint64_t)(wide >> 64);
}

// The low half of a random number picks a slot, the high half a size: a multiply and a shift each, and no
// division.
BENCH_ALWAYS_INLINE size_t bench_slot_of(uint64_t random, uint64_t slots)
{
    return (size_t)((random & UINT32_MAX) * slots >> 32);
}

BENCH_ALWAYS_INLINE size_t bench_size_of(uint64_t random, uint64_t min, uint64_t span)
{
    return (size_t)(min + ((random >> 32) * span >> 32));
}

// ---- blocks ---------------------------------------------------------------------------------------------

// Zeroed pages for the tables; they live until the program ends.
static inline void *bench_pages(uint64_t bytes)
{
    void *pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED) bench_die("no memory for a table of %" PRIu64 " bytes", bytes);
    return pages;
}

// The first and the last byte, as a program would touch a block that it has asked for.
BENCH_ALWAYS_INLINE void bench_touch(unsigned char *block, size_t size, uint64_t random)
{
    if (__builtin_expect(block == NULL, 0)) bench_die("malloc(%zu) failed", size);
    block[size - 1] = (unsigned char)random;
    block[0] = (unsigned char)random;
}

// ---- clock and memory -----------------------------------------------------------------------------------

static inline double bench_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

// Highest resident memory of this process so far in KiB, 0 where the kernel does not tell.
static inline uint64_t bench_peak_kib(void)
{
    char text[8192];
    int file = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    if (file < 0) return 0;
    ssize_t length = read(file, text, sizeof text - 1);
    close(file);
    text[length > 0 ? length : 0] = '\0';
    const char *line = strstr(text, "VmHWM:");
    return line == NULL ? 0 : strtoull(line + strlen("VmHWM:"), NULL, 10);
}

static inline void bench_print(const char *name, uint64_t ops, double seconds, uint64_t peak_kib,
                               uint64_t checksum)
{
    double mops = seconds > 0 ? (double)ops / seconds * 1e-6 : 0;
    printf("{\"bench\":\"%s\",\"ops\":%" PRIu64 ",\"seconds\":%.6f,\"mops\":%.3f,\"peak_kib\":%" PRIu64
           ",\"checksum\":%" PRIu64 "}\n",
           name, ops, seconds, mops, peak_kib, checksum);
}

// ---- options --------------------------------------------------------------------------------------------

struct bench_option {
    const char *name;
    size_t offset;
    uint64_t low, high;
    const char *doc;
};

#define BENCH_OPTION(name, field, low, high, doc) \
    {name, offsetof(struct bench_options, field), low, high, doc}

static const struct bench_option bench_table[] = {
    BENCH_OPTION("--ops", ops, 2, UINT64_C(1) << 40, "mallocs and frees of all threads together"),
    BENCH_OPTION("--slots", slots, 1, UINT64_C(1) << 26, "places for blocks, in each thread"),
    BENCH_OPTION("--min", min, 1, UINT64_C(1) << 24, "bytes of the smallest block"),
    BENCH_OPTION("--max", max, 1, UINT64_C(1) << 24, "bytes of the largest block"),
    BENCH_OPTION("--threads", threads, 1, 256, "threads at a time"),
    BENCH_OPTION("--rounds-of", rounds_of, 1, UINT64_C(1) << 40, "replacements in a thread's life"),
    BENCH_OPTION("--seed", seed, 0, UINT64_MAX, "start of the random numbers"),
};
enum { BENCH_OPTIONS = sizeof bench_table / sizeof bench_table[0] };

static inline uint64_t *bench_field(struct bench_options *options, const struct bench_option *option)
{
    return (uint64_t *)(void *)((char *)options + option->offset);
}

static inline bool bench_is_known(const struct bench_options *options, const struct bench_option *option)
{
    return option->offset != offsetof(struct bench_options, rounds_of) || options->rounds_of != 0;
}

__attribute__((noreturn)) static inline void bench_help(const char *program, const char *doc,
                                                        struct bench_options *options)
{
    printf("%s: %s\n", program, doc);
    for (int i = 0; i < BENCH_OPTIONS; i++) {
        if (!bench_is_known(options, &bench_table[i])) continue;
        printf("  %-11s N  %s (%" PRIu64 ")\n", bench_table[i].name, bench_table[i].doc,
               *bench_field(options, &bench_table[i]));
    }
    exit(0);
}

static inline uint64_t bench_number(const struct bench_option *option, const char *text)
{
    char *end = NULL;
    errno = 0;
    uint64_t value = text != NULL ? strtoull(text, &end, 10) : 0;
    bool is_number = text != NULL && *text >= '0' && *text <= '9' && *end == '\0' && errno == 0;
    if (!is_number || value < option->low || value > option->high)
        bench_die("%s takes a number from %" PRIu64 " to %" PRIu64, option->name, option->low, option->high);
    return value;
}

static inline const struct bench_option *bench_find(const struct bench_options *options, const char *name)
{
    for (int i = 0; i < BENCH_OPTIONS; i++) {
        const struct bench_option *option = &bench_table[i];
        if (strcmp(name, option->name) == 0 && bench_is_known(options, option)) return option;
    }
    bench_die("unknown option '%s'; --help lists them", name);
}

// Read the command line over the defaults in `options`.
static inline void bench_parse(int argc, char **argv, const char *doc, struct bench_options *options)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) bench_help(argv[0], doc, options);
        const struct bench_option *option = bench_find(options, argv[i]);
        *bench_field(options, option) = bench_number(option, argv[++i]);
    }
    if (options->min > options->max) bench_die("--min is above --max");
}

// ---- workers --------------------------------------------------------------------------------------------

struct bench_worker {
    const struct bench_options *options;
    const struct bench_load *load;
    pthread_barrier_t *gate;  // all workers start and stop together
    unsigned char **slots;
    uint64_t index;
    uint64_t random;
    uint64_t ops;
    uint64_t checksum;        // of the bytes found in freed blocks: equal for every allocator
    double seconds;           // of the timed part
    uint64_t peak_kib;        // worker 0 only
    pthread_t thread;
} __attribute__((aligned(128)));  // workers must not slow each other through a shared cache line

struct bench_load {
    const char *name;
    void (*prepare)(struct bench_worker *worker);  // not timed
    void (*run)(struct bench_worker *worker);      // timed
};

static inline void bench_worker_init(struct bench_worker *worker, const struct bench_options *options,
                                     uint64_t index)
{
    worker->options = options;
    worker->index = index;
    worker->slots = bench_pages(options->slots * sizeof *worker->slots);
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

static inline void bench_thread(pthread_t *thread, void *(*start)(void *), void *argument)
{
    int error = pthread_create(thread, NULL, start, argument);
    if (error != 0) bench_die("cannot create a thread: %s", strerror(error));
}

static inline void *bench_work(void *argument)
{
    struct bench_worker *worker = argument;
    if (worker->load->prepare != NULL) worker->load->prepare(worker);
    pthread_barrier_wait(worker->gate);
    double start = bench_seconds();
    worker->load->run(worker);
    pthread_barrier_wait(worker->gate);
    worker->seconds = bench_seconds() - start;
    if (worker->index == 0) worker->peak_kib = bench_peak_kib();
    bench_worker_clear(worker);
    return NULL;
}

// Run a load whose threads live as long as the program, and print its line. The calling thread is worker 0,
// so that a run with one thread creates none.
static inline int bench_workers(const struct bench_load *load, const struct bench_options *options)
{
    pthread_barrier_t gate;
    pthread_barrier_init(&gate, NULL, (unsigned)options->threads);
    struct bench_worker *workers = bench_pages(options->threads * sizeof *workers);
    for (uint64_t i = 0; i < options->threads; i++) {
        bench_worker_init(&workers[i], options, i);
        workers[i].load = load;
        workers[i].gate = &gate;
    }
    for (uint64_t i = 1; i < options->threads; i++) bench_thread(&workers[i].thread, bench_work, &workers[i]);
    bench_work(&workers[0]);
    uint64_t ops = workers[0].ops, checksum = workers[0].checksum;
    for (uint64_t i = 1; i < options->threads; i++) {
        pthread_join(workers[i].thread, NULL);
        ops += workers[i].ops;
        checksum += workers[i].checksum;
    }
    bench_print(load->name, ops, workers[0].seconds, workers[0].peak_kib, checksum);
    return 0;
}

#endif
