// Sharing: threads that write to small blocks of their own, which must not lie in one cache line.
//
// Each thread allocates a small block, writes to it many times, frees it and takes the next. If two threads' blocks
// share a cache line, each write fetches it from the other core: the allocator has made threads share what the program
// keeps apart. With `--first own` a thread's blocks are all its own; with `--first given` the main thread allocates the
// first ones side by side and hands them out, so that an allocator which reuses a freed block for the thread that freed
// it passes the sharing on.
//
// After: "cache-thrash" and "cache-scratch" of E. Berger and others, "Hoard: a scalable memory allocator for
// multithreaded applications" (ASPLOS 2000).

#include "bench_block.h"

enum first { FIRST_OWN, FIRST_GIVEN };

static const char *const first_words[] = {"own", "given", NULL};
static uint64_t first = FIRST_OWN, writes = 200;
static unsigned char *given[256];
static const struct bench_option own_options[] = {
    BENCH_OWN_WORD("--first", &first, first_words, "whose the first block of each thread is"),
    BENCH_OWN("--writes", &writes, 1, UINT64_C(1) << 30, "to each block"),
    BENCH_OWN_END,
};

static unsigned char *allocate(size_t size)
{
    unsigned char *block = malloc(size);
    if (block == NULL) bench_die("malloc(%zu) failed", size);
    return block;
}

// Counts to `writes` in the block. No other thread has it, so the count must come out.
static void write_often(unsigned char *block, size_t size)
{
    volatile unsigned char *counter = block + size - 1;
    *counter = 0;
    for (uint64_t i = 0; i < writes; i++) *counter = (unsigned char)(*counter + 1);
    if (*counter != (unsigned char)writes)
        bench_die("block %p was written to by another thread: memory was handed out twice", (void *)block);
}

static void run(struct bench_worker *worker)
{
    const size_t size = worker->options->min;
    const uint64_t blocks = worker->ops / 2;
    unsigned char *block = first == FIRST_GIVEN ? given[worker->index] : allocate(size);
    for (uint64_t i = 1; i < blocks; i++) {
        write_often(block, size);
        worker->checksum += block[size - 1];
        free(block);
        block = allocate(size);
    }
    write_often(block, size);
    worker->checksum += block[size - 1];
    free(block);
    worker->ops = (blocks > 0 ? blocks : 1) * 2;
}

static void nothing_left(struct bench_worker *worker)
{
    (void)worker;
}

int main(int argc, char **argv)
{
    struct bench_options options = {
        .ops = 4000000, .min = 8, .max = 8, .threads = 2, .seed = 1, .own = own_options};
    const struct bench_load load = {.name = "sharing", .run = run, .clear = nothing_left, .is_pinned = true};
    bench_parse(argc, argv, "threads that write to small blocks of their own", &options);
    if (first == FIRST_GIVEN)
        for (uint64_t i = 0; i < options.threads; i++) given[i] = allocate(options.min);
    return bench_workers(&load, &options);
}
