// Kept addresses: a treap of ranges by address, which also knows the longest range of each subtree. Adjacent ranges are
// joined.
//
// A process at its limit of mappings can have tens of thousands of ranges, so neither keeping nor taking looks at all.
#include "os/os_addresses.h"

#include "os/lock.h"

#define LOOKS 64u // ranges that are long enough but have no aligned place

static struct {
    os_lock_t lock;
    _Atomic(os_range_t *) root; // nearly always NULL, which is checked without the lock
    os_range_t *unused; // linked by `higher`
} kept;

static size_t length(const os_range_t *range)
{
    return (size_t)(range->end - range->start);
}

static void drop(os_range_t *range)
{
    range->higher = kept.unused;
    kept.unused = range;
}

// ---- the treap

// The order of the heap: no matter in which order addresses arrive, the tree is balanced in expectation.
static uint64_t priority(const os_range_t *range)
{
    uint64_t bits = (uint64_t)(uintptr_t)range->end * 0x9e3779b97f4a7c15u;
    return (bits ^ bits >> 29) * 0xbf58476d1ce4e5b9u;
}

static size_t longest_of(const os_range_t *tree, bool only_ready)
{
    if (tree == NULL) return 0;
    return only_ready ? tree->longest_ready : tree->longest;
}

static size_t longest_with(const os_range_t *tree, size_t own, bool only_ready)
{
    size_t below = longest_of(tree->lower, only_ready), above = longest_of(tree->higher, only_ready);
    size_t longest = below > above ? below : above;
    return own > longest ? own : longest;
}

static os_range_t *measured(os_range_t *tree)
{
    tree->longest = longest_with(tree, length(tree), false);
    tree->longest_ready = longest_with(tree, tree->is_ready ? length(tree) : 0, true);
    return tree;
}

// Splits the tree into the ranges below the address and the others.
static void split(os_range_t *tree, const char *address, os_range_t **below, os_range_t **others)
{
    if (tree == NULL) {
        *below = *others = NULL;
    } else if (tree->start < address) {
        split(tree->higher, address, &tree->higher, others);
        *below = measured(tree);
    } else {
        split(tree->lower, address, below, &tree->lower);
        *others = measured(tree);
    }
}

static os_range_t *merge(os_range_t *below, os_range_t *above)
{
    if (below == NULL || above == NULL) return below != NULL ? below : above;
    if (priority(below) > priority(above)) {
        below->higher = merge(below->higher, above);
        return measured(below);
    }
    above->lower = merge(below, above->lower);
    return measured(above);
}

static os_range_t *root(void)
{
    return atomic_load_explicit(&kept.root, memory_order_relaxed);
}

static void set_root(os_range_t *tree)
{
    atomic_store_explicit(&kept.root, tree, memory_order_relaxed);
}

static void insert(os_range_t *range)
{
    os_range_t *below, *others;
    range->lower = range->higher = NULL;
    split(root(), range->start, &below, &others);
    set_root(merge(merge(below, measured(range)), others));
}

static void take_out(const os_range_t *range)
{
    os_range_t *below, *others, *alone;
    split(root(), range->start, &below, &others);
    split(others, range->end, &alone, &others);
    set_root(merge(below, others));
}

// ---- keeping

static os_range_t *range_that_ends_at(const char *end)
{
    os_range_t *range = root();
    while (range != NULL && range->end != end) range = range->end < end ? range->higher : range->lower;
    return range;
}

static os_range_t *range_that_starts_at(const char *start)
{
    os_range_t *range = root();
    while (range != NULL && range->start != start)
        range = range->start < start ? range->higher : range->lower;
    return range;
}

// The caller holds the lock.
static void join_and_insert(os_range_t *range)
{
    os_range_t *before = range_that_ends_at(range->start), *behind = range_that_starts_at(range->end);
    if (before != NULL && before->is_ready == range->is_ready) {
        take_out(before);
        range->start = before->start;
        drop(before);
    }
    if (behind != NULL && behind->is_ready == range->is_ready) {
        take_out(behind);
        range->end = behind->end;
        drop(behind);
    }
    insert(range);
}

os_range_t *os_addresses_unused_record(void)
{
    os_lock(&kept.lock);
    os_range_t *record = kept.unused;
    if (record != NULL) kept.unused = record->higher;
    os_unlock(&kept.lock);
    return record;
}

void os_addresses_keep(os_range_t *range)
{
    os_lock(&kept.lock);
    join_and_insert(range);
    os_unlock(&kept.lock);
}

static bool grow(os_range_t *range, char *start, size_t size, bool is_ready)
{
    if (range == NULL || range->is_ready != is_ready) return false;
    take_out(range);
    if (range->end == start) range->end += size;
    else range->start = start;
    join_and_insert(range);
    return true;
}

bool os_addresses_keep_beside(char *start, size_t size, bool is_ready)
{
    if (root() == NULL) return false;
    os_lock(&kept.lock);
    bool grown = grow(range_that_ends_at(start), start, size, is_ready) ||
                 grow(range_that_starts_at(start + size), start, size, is_ready);
    os_unlock(&kept.lock);
    return grown;
}

// ---- taking

typedef struct request {
    size_t size;
    size_t alignment;
    size_t offset;
    bool only_ready;
    unsigned looks;
} request_t;

// Returns the first suitable address in the range; NULL if the bytes do not fit.
static char *place_in(const os_range_t *range, const request_t *request)
{
    uintptr_t aligned = hak_round_up((uintptr_t)range->start + request->offset, request->alignment);
    char *place = (char *)aligned - request->offset;
    bool fits = place >= range->start && place <= range->end;
    return fits && (size_t)(range->end - place) >= request->size ? place : NULL;
}

// Returns the lowest range that has a place.
static os_range_t *find(os_range_t *tree, request_t *request)
{
    if (longest_of(tree, request->only_ready) < request->size || request->looks == 0) return NULL;
    os_range_t *found = find(tree->lower, request);
    if (found != NULL || request->looks == 0) return found;
    if (length(tree) >= request->size && (tree->is_ready || !request->only_ready)) {
        request->looks--;
        if (place_in(tree, request) != NULL) return tree;
    }
    return find(tree->higher, request);
}

// One part of the range stays in its record: the part behind, or the part in front if aligning left one.
static os_taken_t cut(os_range_t *range, char *place, size_t size)
{
    os_taken_t taken = {.start = place, .is_ready = range->is_ready};
    char *behind = place + size;
    take_out(range);
    if (place > range->start) {
        taken.rest = (size_t)(range->end - behind);
        range->end = place;
    } else {
        range->start = behind;
    }
    if (range->end > range->start) insert(range);
    else drop(range);
    return taken;
}

static os_taken_t take(request_t request)
{
    os_taken_t taken = {.start = NULL};
    if (LIKELY(root() == NULL)) return taken;
    os_lock(&kept.lock);
    os_range_t *range = find(root(), &request);
    if (range != NULL) taken = cut(range, place_in(range, &request), request.size);
    os_unlock(&kept.lock);
    return taken;
}

os_taken_t os_addresses_take(size_t size, size_t alignment, size_t offset)
{
    return take((request_t){size, alignment, offset, false, LOOKS});
}

os_taken_t os_addresses_take_ready(size_t size, size_t alignment, size_t offset)
{
    return take((request_t){size, alignment, offset, true, LOOKS});
}

void os_addresses_before_fork(void)
{
    os_lock(&kept.lock);
}

void os_addresses_after_fork(void)
{
    os_unlock(&kept.lock);
}
