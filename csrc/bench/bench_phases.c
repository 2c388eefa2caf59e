// Phases: memory grows to some bytes, most of it is freed, and the next phase asks for blocks of another size.
//
// With one range of size it is a load that breathes; with `--doublings`, each phase needs what the one before has
// freed, in other sizes. `--keep` leaves some blocks of each phase, so that what lies between them has to be used
// again. With several threads, phases go round: one thread works at a time, the others wait alive; what a thread has
// freed should serve the next one. It stresses the moving of free memory between classes and threads, fragmentation,
// and thresholds beyond which all goes back to the system only to be fetched again.
//
// After: the ramps and plateaus of P. Wilson and others, "Dynamic storage allocation: a survey and critical review"
// (IWMM 1995); the reports microsoft/mimalloc#11, page faults of a load that breathes, and #633, blocks that are freed
// without having been written to.
//
// phase: allocate, then free, by one thread; with `--freer next` the next thread frees what this one has allocated.

#include "bench_block.h"

#include <semaphore.h>

enum order { ORDER_FORWARD, ORDER_BACKWARD, ORDER_RANDOM };
enum freer { FREER_SELF, FREER_NEXT };

struct turn {
    sem_t go;
} __attribute__((aligned(128)));

// What the thread whose turn it is works on.
static struct {
    unsigned char **places; // blocks of this phase
    uint64_t count;
    unsigned char **kept; // blocks of all phases that stay
    uint64_t kept_count;
    uint64_t ops, phases; // done so far
    uint64_t random;
    bool is_over;
} state;
static struct turn *turns;

static const char *const order_words[] = {"forward", "backward", "random", NULL};
static const char *const freer_words[] = {"self", "next", NULL};
static uint64_t bytes = 16 << 20, doublings = 0, keep = 0, touched = TOUCH_ENDS;
static uint64_t order = ORDER_FORWARD, freer = FREER_SELF;
static const struct bench_option own_options[] = {
    BENCH_OWN("--bytes", &bytes, 1, UINT64_C(1) << 34, "that are allocated in a phase"),
    BENCH_OWN("--doublings", &doublings, 0, 30,
              "largest by smallest size of a phase, as a power of 2; 0 = all sizes"),
    BENCH_OWN("--keep", &keep, 0, 999, "blocks of 1000 that stay until the end"),
    BENCH_OWN_WORD("--order", &order, order_words, "order of the frees of a phase"),
    BENCH_OWN_WORD("--freer", &freer, freer_words, "thread that frees what a thread has allocated"),
    BENCH_OWN_WORD("--touch", &touched, bench_touch_words, BENCH_TOUCH_DOC),
    BENCH_OWN_END,
};

struct range {
    uint64_t min, max;
};

// Sizes of the next phase: from the smallest range to the largest, and again.
static struct range range_of(const struct bench_options *options, uint64_t phase)
{
    if (doublings == 0) return (struct range){options->min, options->max};
    uint64_t ranges = 1;
    while (options->min << (ranges * doublings) < options->max) ranges++;
    const uint64_t low = options->min << (phase % ranges * doublings), high = low << doublings;
    return (struct range){low, high < options->max ? high : options->max};
}

static void grow(const struct bench_options *options)
{
    const struct range range = range_of(options, state.phases);
    const uint64_t span = range.max - range.min + 1;
    uint64_t allocated = 0, count = 0;
    while (allocated < bytes && count < options->slots) {
        const size_t size = bench_size_of(bench_random(&state.random), range.min, span);
        bench_put(&state.places[count++], malloc(size), size, touched);
        allocated += size;
    }
    state.count = count;
    state.ops += count;
}

static uint64_t place_of(uint64_t i, struct bench_order *random_order)
{
    if (order == ORDER_RANDOM) return bench_order_next(random_order);
    return order == ORDER_FORWARD ? i : state.count - 1 - i;
}

static void shrink(uint64_t *checksum)
{
    struct bench_order random_order = bench_order_of(state.count, bench_random(&state.random));
    for (uint64_t i = 0; i < state.count; i++) {
        unsigned char **place = &state.places[place_of(i, &random_order)];
        if (keep != 0 && bench_slot_of(bench_random(&state.random), 1000) < keep) {
            bench_move(place, &state.kept[state.kept_count++], touched);
        } else {
            free(bench_take(place, touched, checksum));
            state.ops++;
        }
    }
    state.count = 0;
}

static void one_phase(struct bench_worker *worker)
{
    if (freer == FREER_NEXT) shrink(&worker->checksum);
    grow(worker->options);
    if (freer == FREER_SELF) shrink(&worker->checksum);
    state.phases++;
}

static void wait_for_turn(uint64_t index)
{
    while (sem_wait(&turns[index].go) != 0 && errno == EINTR) continue;
}

static void run(struct bench_worker *worker)
{
    const struct bench_options *options = worker->options;
    bool is_over = false;
    while (!is_over) {
        wait_for_turn(worker->index);
        if (!state.is_over) one_phase(worker);
        state.is_over |= state.ops >= options->ops || bench_is_over(worker);
        is_over = state.is_over; // everyone learns it in turn
        sem_post(&turns[(worker->index + 1) % options->threads].go);
    }
    worker->ops = 0; // they are counted together
}

static uint64_t kept_room(const struct bench_options *options)
{
    return options->ops + options->slots;
}

static void clear(struct bench_worker *worker)
{
    if (worker->index != 0) return;
    const struct bench_options *options = worker->options;
    worker->ops = state.ops;
    bench_free_places(state.places, state.count, touched, &worker->checksum);
    bench_free_places(state.kept, state.kept_count, touched, &worker->checksum);
    munmap(state.places, options->slots * sizeof *state.places);
    munmap(state.kept, kept_room(options) * sizeof *state.kept);
}

static void make_state(const struct bench_options *options)
{
    state.places = bench_pages(options->slots * sizeof *state.places);
    state.kept = bench_pages(kept_room(options) * sizeof *state.kept);
    state.random = options->seed;
    turns = bench_pages(options->threads * sizeof *turns);
    for (uint64_t i = 0; i < options->threads; i++) sem_init(&turns[i].go, 0, i == 0);
}

int main(int argc, char **argv)
{
    struct bench_options options = {.ops = 10000000,
                                    .slots = 4000000,
                                    .min = 16,
                                    .max = 32768,
                                    .threads = 1,
                                    .seed = 1,
                                    .limit_ms = BENCH_NO_LIMIT,
                                    .own = own_options};
    const struct bench_load load = {.name = "phases", .run = run, .clear = clear};
    bench_parse(argc, argv, "memory that grows and shrinks, phase by phase", &options);
    bench_check_min(&options, touched);
    make_state(&options);
    return bench_workers(&load, &options);
}
