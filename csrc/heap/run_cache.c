// Run cache: one stack of runs per size.
#include "heap/run_cache.h"

#include "os/os.h"

#define SIZES PAGE_ARENA_SIZES
#define DEPTH 16u
#define WORDS ((SIZES + 63) / 64)

// A cache holds at most half of the units that its thread has taken and not freed, within these bounds:
#define LEAST_BYTES ((ptrdiff_t)1 << 20)
#define MOST_BYTES ((ptrdiff_t)32 << 20)

#define REFILL_BYTES ((size_t)128 << 10) // fetched in one hold of the arena's lock
#define REFILL_RUNS 4u
#define LARGER_SIZES 2u // a run up to two sizes larger, by at most a quarter, is used too

struct run_cache {
    ptrdiff_t out; // units that the thread has taken minus those that it has freed
    ptrdiff_t parked; // units
    unsigned looks; // checks since the cache was last used
    unsigned next_to_leave; // the size whose runs leave next
    uint64_t filled[WORDS]; // one bit per size that has runs
    uint8_t count[SIZES];
    void *run[SIZES][DEPTH];
};

run_cache_t *run_cache_make(void)
{
    return os_metadata(sizeof(run_cache_t));
}

// ---- stacks

static void *pop(run_cache_t *cache, unsigned size)
{
    if (--cache->count[size] == 0) cache->filled[size / 64] &= ~((uint64_t)1 << size % 64);
    return cache->run[size][cache->count[size]];
}

static void push(run_cache_t *cache, unsigned size, void *run)
{
    cache->filled[size / 64] |= (uint64_t)1 << size % 64;
    cache->run[size][cache->count[size]++] = run;
}

// Returns the smallest usable size from `size` on that has a run; SIZES if there is none.
static unsigned filled_from(const run_cache_t *cache, unsigned size)
{
    for (unsigned larger = size; larger <= size + LARGER_SIZES && larger < SIZES; larger++)
        if (cache->filled[larger / 64] >> larger % 64 & 1) return larger;
    return SIZES;
}

// ---- leaving

// Returns the older half of a stack to the arena. True: the arena holds more than its bound.
static bool let_go(run_cache_t *cache, unsigned size)
{
    unsigned count = cache->count[size], leaving = (count + 1) / 2;
    cache->parked -= (ptrdiff_t)(leaving * page_arena_units_of(size));
    bool surplus = page_arena_free_parked(cache->run[size], leaving);
    for (unsigned i = leaving; i < count; i++) cache->run[size][i - leaving] = cache->run[size][i];
    cache->count[size] = (uint8_t)(count - leaving);
    if (count == leaving) cache->filled[size / 64] &= ~((uint64_t)1 << size % 64);
    return surplus;
}

static ptrdiff_t most_units(const run_cache_t *cache)
{
    ptrdiff_t bytes = cache->out / 2 * (ptrdiff_t)PAGE_ARENA_UNIT;
    return (bytes < LEAST_BYTES  ? LEAST_BYTES
            : bytes > MOST_BYTES ? MOST_BYTES
                                 : bytes) /
           (ptrdiff_t)PAGE_ARENA_UNIT;
}

// Sizes take turns.
static bool keep_bound(run_cache_t *cache)
{
    bool surplus = false;
    for (ptrdiff_t most = most_units(cache); cache->parked > most;) {
        unsigned size = cache->next_to_leave++ % SIZES;
        if (cache->count[size] > 0) surplus = let_go(cache, size);
    }
    return surplus;
}

void run_cache_empty(run_cache_t *cache)
{
    if (cache == NULL || cache->parked == 0) return;
    for (unsigned size = 0; size < SIZES; size++)
        while (cache->count[size] > 0) let_go(cache, size);
}

void run_cache_look(run_cache_t *cache)
{
    if (cache != NULL && ++cache->looks >= RUN_CACHE_PATIENCE) run_cache_empty(cache);
}

size_t run_cache_bytes(const run_cache_t *cache)
{
    return cache != NULL ? (size_t)cache->parked * PAGE_ARENA_UNIT : 0;
}

// ---- taking and giving

// Takes one run, and a few more of the size if it is small.
static void *refill(run_cache_t *cache, unsigned size, bool *zeroed)
{
    void *runs[REFILL_RUNS];
    size_t units = page_arena_units_of(size), want = REFILL_BYTES / (units * PAGE_ARENA_UNIT);
    if (want < 1) want = 1;
    if (want > REFILL_RUNS) want = REFILL_RUNS;
    unsigned taken = page_arena_alloc_parked(units, (unsigned)want, runs, zeroed);
    if (taken == 0) return NULL;
    for (unsigned i = taken; i-- > 1;) push(cache, size, runs[i]);
    cache->parked += (ptrdiff_t)(taken - 1) * (ptrdiff_t)units;
    return runs[0];
}

void *run_cache_take(run_cache_t *cache, size_t bytes, bool *zeroed)
{
    unsigned size = page_arena_list_that_fits((bytes + PAGE_ARENA_UNIT - 1) / PAGE_ARENA_UNIT);
    unsigned filled = filled_from(cache, size);
    void *run;
    *zeroed = false;
    if (filled < SIZES) {
        run = pop(cache, filled);
        cache->parked -= (ptrdiff_t)page_arena_units_of(filled);
        size = filled;
    } else {
        run = refill(cache, size, zeroed);
        if (run == NULL) return NULL;
    }
    cache->looks = 0;
    cache->out += (ptrdiff_t)page_arena_units_of(size);
    page_arena_unpark(run);
    return run;
}

// A resized run belongs to the largest size that it can serve.
bool run_cache_give(run_cache_t *cache, void *run)
{
    unsigned size = page_arena_list_of(page_arena_park(run));
    ptrdiff_t units = (ptrdiff_t)page_arena_units_of(size);
    cache->looks = 0;
    cache->out = cache->out > units ? cache->out - units : 0;
    bool surplus = cache->count[size] == DEPTH && let_go(cache, size);
    push(cache, size, run);
    cache->parked += units;
    return keep_bound(cache) || surplus;
}
