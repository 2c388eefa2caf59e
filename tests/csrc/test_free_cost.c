// The cost of a free depends neither on what the program wrote into the block nor on how much the block's owner holds.
//
// Times are compared within one run, the best of several rounds each. The bounds are far above normal times, and far
// below the cost of searching a list.

#include "test.h"

enum { BLOCKS = 500, SIZE = 256, ROUNDS = 40 };

typedef void write_to(unsigned char *block);

static void write_nothing(unsigned char *block)
{
    (void)block;
}

static void write_all(unsigned char *block)
{
    memset(block, 0x55, SIZE);
}

static void write_first_bytes(unsigned char *block)
{
    memset(block, 0xf7, 8);
}

// A value that looks like the end of a list with room.
static void write_small_number(unsigned char *block)
{
    uint64_t number = 0x40f7;
    memcpy(block, &number, sizeof number);
}

// Returns the seconds for the frees of a round: all blocks, in the order of their allocation.
static double round_of(write_to *write)
{
    static unsigned char *blocks[BLOCKS];
    for (int i = 0; i < BLOCKS; i++) write(blocks[i] = T_must_malloc(SIZE));
    double start = T_seconds();
    for (int i = 0; i < BLOCKS; i++) T_free(blocks[i]);
    return T_seconds() - start;
}

static double best_of(write_to *write)
{
    double best = 1e9;
    for (int round = 0; round < ROUNDS; round++) {
        double seconds = round_of(write);
        if (seconds < best) best = seconds;
    }
    return best;
}

static void the_contents_of_a_block_do_not_matter(void)
{
    static const struct {
        const char *name;
        write_to *write;
    } kinds[] = {
        {"nothing", write_nothing}, {"0xf7", write_first_bytes}, {"a small number", write_small_number}};
    double written = best_of(write_all);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        double seconds = best_of(kinds[i].write);
        if (T_SANITIZER) continue;
        T_CHECK(seconds < 8 * written + 20e-6,
                "frees of blocks with %s written take %.0f ns each, of others %.0f", kinds[i].name,
                seconds / BLOCKS * 1e9, written / BLOCKS * 1e9);
    }
}

// ---- blocks of a thread that has ended

struct job {
    void **blocks;
    size_t count;
};

static void *allocate_all(void *argument)
{
    struct job *job = argument;
    for (size_t i = 0; i < job->count; i++) job->blocks[i] = T_must_malloc(64);
    return NULL;
}

// Returns the seconds per free, in an order in which each block lies in another slab than the one before.
static double frees_of_ended_owner(size_t count)
{
    struct job job = {T_pages(count * sizeof(void *)), count};
    T_join(T_thread(allocate_all, &job));
    size_t step = count / 7 * 3 + 1;
    while (count % 2 == 0 && step % 2 == 0) step++;
    double start = T_seconds();
    for (size_t i = 0, at = 0; i < count; i++, at = (at + step) % count) {
        T_free(job.blocks[at]);
        job.blocks[at] = NULL;
    }
    double seconds = T_seconds() - start;
    for (size_t i = 0; i < count; i++) T_free(job.blocks[i]); // blocks that the order skipped
    return seconds / (double)count;
}

// With sixteen times as many blocks, a free may cost a few cache misses more.
static void how_much_an_ended_owner_left_does_not_matter(void)
{
    enum { FEW = 30000, MANY = 16 * FEW };
    double few = frees_of_ended_owner(FEW), many = frees_of_ended_owner(MANY);
    for (int again = 0; again < 2 && many > 8 * few; again++) {
        few = frees_of_ended_owner(FEW);
        many = frees_of_ended_owner(MANY);
    }
    if (T_SANITIZER) return;
    T_CHECK(many < 8 * few + 200e-9, "a free takes %.0f ns of %d blocks, and %.0f ns of %d", few * 1e9, FEW,
            many * 1e9, MANY);
}

int main(void)
{
    T_RUN(the_contents_of_a_block_do_not_matter);
    T_RUN(how_much_an_ended_owner_left_does_not_matter);
    return 0;
}
