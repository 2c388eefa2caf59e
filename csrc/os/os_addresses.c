// Kept addresses: a sorted list of ranges; adjacent ranges are joined.
#include "os/os_addresses.h"

#include "os/os.h"

typedef struct range {
    char *start;
    char *end;
    struct range *next;
} range_t;

static struct {
    os_lock_t lock;
    _Atomic(range_t *) first; // nearly always NULL, which is checked without the lock
    range_t *unused;
} kept;

static void set_next(range_t *before, range_t *range)
{
    if (before != NULL) before->next = range;
    else atomic_store_explicit(&kept.first, range, memory_order_relaxed);
}

static range_t *first_range(void)
{
    return atomic_load_explicit(&kept.first, memory_order_relaxed);
}

static void drop(range_t *range)
{
    range->next = kept.unused;
    kept.unused = range;
}

// ---- keeping

// The caller holds the lock. Joins the range with its neighbours.
static void add(range_t *added)
{
    range_t *before = NULL, *behind = first_range();
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

static range_t *unused_record(void)
{
    os_lock(&kept.lock);
    range_t *record = kept.unused;
    if (record != NULL) kept.unused = record->next;
    os_unlock(&kept.lock);
    return record;
}

// A new record may need a mapping, which may use kept addresses, so the record is made without the lock. If no record
// is available, the addresses are lost.
void os_addresses_keep(char *start, size_t size)
{
    range_t *record = unused_record();
    if (record == NULL) record = os_metadata(sizeof *record);
    if (record == NULL) return;
    record->start = start;
    record->end = start + size;
    os_lock(&kept.lock);
    add(record);
    os_unlock(&kept.lock);
}

// ---- taking

// Returns the first suitable address in the range; NULL if `size` bytes do not fit.
static char *place_in(const range_t *range, size_t size, size_t alignment, size_t offset)
{
    char *place = (char *)hak_round_up((uintptr_t)range->start + offset, alignment) - offset;
    bool fits = place >= range->start && place <= range->end && (size_t)(range->end - place) >= size;
    return fits ? place : NULL;
}

// The range keeps the part before `place`; returns the size of the part after the block, which the caller keeps again.
static size_t cut(range_t *before, range_t *range, char *place, size_t size)
{
    size_t behind = (size_t)(range->end - (place + size));
    range->end = place;
    if (range->end > range->start) return behind;
    set_next(before, range->next);
    drop(range);
    return behind;
}

char *os_addresses_take(size_t size, size_t alignment, size_t offset)
{
    if (LIKELY(first_range() == NULL)) return NULL;
    char *place = NULL;
    size_t behind = 0;
    os_lock(&kept.lock);
    for (range_t *before = NULL, *range = first_range(); range != NULL; before = range, range = range->next) {
        place = place_in(range, size, alignment, offset);
        if (place == NULL) continue;
        behind = cut(before, range, place, size);
        break;
    }
    os_unlock(&kept.lock);
    if (behind > 0) os_addresses_keep(place + size, behind);
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
