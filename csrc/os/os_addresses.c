// Kept addresses: a sorted list of ranges; adjacent ranges are joined.
#include "os/os_addresses.h"

#include "os/lock.h"

static struct {
    os_lock_t lock;
    _Atomic(os_range_t *) first; // nearly always NULL, which is checked without the lock
    os_range_t *unused;
} kept;

static void set_next(os_range_t *before, os_range_t *range)
{
    if (before != NULL) before->next = range;
    else atomic_store_explicit(&kept.first, range, memory_order_relaxed);
}

static os_range_t *first_range(void)
{
    return atomic_load_explicit(&kept.first, memory_order_relaxed);
}

static void drop(os_range_t *range)
{
    range->next = kept.unused;
    kept.unused = range;
}

// ---- keeping

// The caller holds the lock. Joins the range with its neighbours.
static void add(os_range_t *added)
{
    os_range_t *before = NULL, *behind = first_range();
    for (; behind != NULL && behind->start < added->start; behind = behind->next) before = behind;
    if (behind != NULL && behind->start == added->end) {
        added->end = behind->end;
        added->next = behind->next;
        drop(behind);
    } else {
        added->next = behind;
    }
    if (before == NULL || before->end != added->start) {
        set_next(before, added);
        return;
    }
    before->end = added->end;
    before->next = added->next;
    drop(added);
}

os_range_t *os_addresses_unused_record(void)
{
    os_lock(&kept.lock);
    os_range_t *record = kept.unused;
    if (record != NULL) kept.unused = record->next;
    os_unlock(&kept.lock);
    return record;
}

void os_addresses_keep(os_range_t *record, char *start, size_t size)
{
    record->start = start;
    record->end = start + size;
    os_lock(&kept.lock);
    add(record);
    os_unlock(&kept.lock);
}

// ---- taking

// Returns the first suitable address in the range; NULL if `size` bytes do not fit.
static char *place_in(const os_range_t *range, size_t size, size_t alignment, size_t offset)
{
    char *place = (char *)hak_round_up((uintptr_t)range->start + offset, alignment) - offset;
    bool fits = place >= range->start && place <= range->end && (size_t)(range->end - place) >= size;
    return fits ? place : NULL;
}

// The range keeps the part before `place`; returns the size of the part after the block.
static size_t cut(os_range_t *before, os_range_t *range, char *place, size_t size)
{
    size_t behind = (size_t)(range->end - (place + size));
    range->end = place;
    if (range->end > range->start) return behind;
    set_next(before, range->next);
    drop(range);
    return behind;
}

char *os_addresses_take(size_t size, size_t alignment, size_t offset, size_t *behind)
{
    if (LIKELY(first_range() == NULL)) return NULL;
    char *place = NULL;
    os_lock(&kept.lock);
    for (os_range_t *before = NULL, *range = first_range(); range != NULL;
         before = range, range = range->next) {
        place = place_in(range, size, alignment, offset);
        if (place == NULL) continue;
        *behind = cut(before, range, place, size);
        break;
    }
    os_unlock(&kept.lock);
    return place;
}

void os_addresses_before_fork(void)
{
    os_lock(&kept.lock);
}

void os_addresses_after_fork(void)
{
    os_unlock(&kept.lock);
}
