// A program's data may equal the mark of a free block: freeing such blocks takes no longer.

#include "test.h"

enum { BLOCKS = T_THREAD_SANITIZER ? 20000 : 200000, SIZE = 16 };
enum { MOST_TIMES = 20 }; // the limit; a search of each slab's list takes a thousand times as long

static uint64_t **blocks;

static void fill(uint64_t value)
{
    for (size_t i = 0; i < BLOCKS; i++) {
        blocks[i] = T_must_malloc(SIZE);
        blocks[i][0] = blocks[i][1] = value;
    }
    uint64_t random = 11;
    for (size_t i = BLOCKS - 1; i > 0; i--) {
        size_t other = T_random_in(&random, 0, i);
        uint64_t *block = blocks[i];
        blocks[i] = blocks[other];
        blocks[other] = block;
    }
}

static void *free_all(void *unused)
{
    (void)unused;
    for (size_t i = 0; i < BLOCKS; i++) T_free(blocks[i]);
    return NULL;
}

// Returns the best of three rounds, in seconds.
static double seconds_of(uint64_t value, bool elsewhere)
{
    double best = 1e9;
    for (int round = 0; round < 3; round++) {
        fill(value);
        double start = T_seconds();
        if (elsewhere) {
            T_join(T_thread(free_all, NULL));
            T_malloc_trim(0); // the owner collects the blocks
        } else {
            free_all(NULL);
        }
        double took = T_seconds() - start;
        if (took < best) best = took;
        if (best > 5) break;
    }
    return best;
}

// All values begin with the byte that marks a link.
static void compare(bool elsewhere)
{
    static const uint64_t values[] = {(uint64_t)-9, 247, 0x1f7};
    double plain = seconds_of(0, elsewhere);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        double took = seconds_of(values[i], elsewhere);
        T_CHECK(took <= MOST_TIMES * plain + 0.05,
                "blocks that hold %#jx are freed in %.3f s, others in %.3f s", (uintmax_t)values[i], took,
                plain);
    }
}

static void frees_of_lookalikes_take_no_longer(void)
{
    compare(false);
}

static void frees_of_lookalikes_by_another_thread_take_no_longer(void)
{
    compare(true);
}

int main(void)
{
    blocks = T_pages(BLOCKS * sizeof *blocks);
    T_RUN(frees_of_lookalikes_take_no_longer);
    T_RUN(frees_of_lookalikes_by_another_thread_take_no_longer);
    return 0;
}
