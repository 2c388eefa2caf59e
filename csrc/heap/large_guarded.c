// Guarded extents: their allowance, and those that wait.
#include "heap/large_guarded.h"

#if LARGE_GUARDS

#include "os/os.h"
#include "registry/tiny_registry.h"

// allowance: what may be spent; it grows by `a_ms` each millisecond, up to `most`, with which a process begins.
typedef struct allowance {
    size_t most;
    size_t a_ms;
    size_t spent; // more than `most` after a charge
    uint32_t read_at; // by os_clock_ms
} allowance_t;

#define GUARDED_MOST \
    8192u // blocks in use at a time: two mappings each, a quarter of what Linux allows by default
#define WAITING_MOST 32u

// Guards: pages of the MMU, because a page fault is what most of the time is spent on; the system calls for a block cost as
// much as some pages. Canaries: one page each.
#define PAGES_A_BLOCK 16u
static allowance_t guards = {.most = 1u << 13, .a_ms = 32};
static allowance_t canaries = {.most = 256, .a_ms = 1};

static struct {
    uint32_t in_use;
    uint64_t random; // the state of its random numbers
    unsigned count;
    size_t bytes;
    large_extent_t *waiting[WAITING_MOST];
} guarded;

static bool spend(allowance_t *allowance, size_t cost, uint32_t now)
{
    if (now != allowance->read_at) {
        size_t gained = (uint32_t)(now - allowance->read_at) * allowance->a_ms;
        allowance->read_at = now;
        allowance->spent = gained < allowance->spent ? allowance->spent - gained : 0;
    }
    if (allowance->spent + cost > allowance->most) return false;
    allowance->spent += cost;
    return true;
}

bool large_guarded_allowed(size_t size, uint32_t now)
{
    if (guarded.in_use == GUARDED_MOST || os_mappings_are_scarce()) return false;
    if (!spend(&guards, size / OS_PAGE + PAGES_A_BLOCK, now)) return false;
    guarded.in_use++;
    return true;
}

void large_guarded_charge(size_t more)
{
    guards.spent += more / OS_PAGE + 1;
}

bool large_canary_allowed(uint32_t now)
{
    return spend(&canaries, 1, now);
}

void large_guarded_uncount(void)
{
    guarded.in_use--;
}

// Clears the tag before the addresses are unmapped and others can map them.
static large_extent_t *take_at(unsigned index)
{
    large_extent_t *extent = guarded.waiting[index];
    guarded.waiting[index] = guarded.waiting[--guarded.count];
    guarded.bytes -= extent->size;
    tiny_registry_set(extent->start, 0);
    return extent;
}

large_extent_t *large_guarded_wait(large_extent_t *extent, size_t most)
{
    large_extent_t *gone = NULL;
    while (guarded.count > 0 && (guarded.count == WAITING_MOST || guarded.bytes + extent->size > most)) {
        unsigned index = (unsigned)((uint64_t)tiny_draw(&guarded.random) * guarded.count >> 32);
        large_extent_t *left = take_at(index);
        left->next = gone;
        gone = left;
    }
    guarded.waiting[guarded.count++] = extent;
    guarded.bytes += extent->size;
    return gone;
}

large_extent_t *large_guarded_take_all(void)
{
    large_extent_t *gone = NULL;
    while (guarded.count > 0) {
        large_extent_t *left = take_at(guarded.count - 1);
        left->next = gone;
        gone = left;
    }
    return gone;
}

size_t large_guarded_waiting(void)
{
    return guarded.count;
}

size_t large_guarded_waiting_bytes(void)
{
    return guarded.bytes;
}

#else
typedef int large_guarded_is_compiled_out; // ISO C requires a declaration in every file
#endif
