// A program that allocates and frees the same amount again and again keeps its memory, for any amount: no bound on free memory
// lies in its way.

#include "test.h"

#include <sys/resource.h>

enum { MIB = 1 << 20, ROUNDS = 60, FIRST_ROUNDS = 20, SMALLEST = 100, LARGEST = 40000 }; // bytes
enum { MOST_PERCENT = 2 }; // of a burst's pages, which may be taken from the system in each round

static void **blocks;

static size_t faults(void)
{
    struct rusage usage;
    T_CHECK(getrusage(RUSAGE_SELF, &usage) == 0, "getrusage: %s", strerror(errno));
    return (size_t)usage.ru_minflt;
}

// Allocates blocks of random sizes, writes to each of their pages, and frees them in their order.
static void breathe(size_t bytes, uint64_t *random)
{
    size_t count = 0;
    for (size_t size; bytes > LARGEST; bytes -= size) {
        size = SMALLEST + T_random(random) % (LARGEST - SMALLEST);
        char *block = blocks[count++] = T_must_malloc(size);
        for (size_t at = 0; at < size; at += 4096) block[at] = 1;
    }
    for (size_t i = 0; i < count; i++) T_free(blocks[i]);
}

static void check_breathing(size_t bytes)
{
    uint64_t random = 1;
    for (int i = 0; i < FIRST_ROUNDS; i++) breathe(bytes, &random);
    size_t before = faults();
    for (int i = FIRST_ROUNDS; i < ROUNDS; i++) breathe(bytes, &random);
    size_t each = (faults() - before) / (ROUNDS - FIRST_ROUNDS);
    dprintf(STDOUT_FILENO, "    %zu MiB: %zu page faults a round\n", bytes / MIB, each);
    T_CHECK(each <= bytes / 4096 * MOST_PERCENT / 100, "bursts of %zu MiB cause %zu page faults each",
            bytes / MIB, each);
}

static void no_amount_returns_memory_in_each_round(void)
{
    static const size_t amounts[] = {6 * MIB, 14 * MIB, 20 * MIB, 40 * MIB, 70 * MIB};
    for (size_t i = 0; i < sizeof amounts / sizeof amounts[0]; i++) check_breathing(amounts[i]);
}

int main(void)
{
    if (T_SANITIZER) T_not_run("the page faults of a sanitizer's shadow memory are counted, too");
    blocks = T_pages((size_t)70 * MIB / SMALLEST * sizeof *blocks);
    T_RUN(no_amount_returns_memory_in_each_round);
    return 0;
}
