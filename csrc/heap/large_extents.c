// Extents of large blocks: size-segregated lists of the free ones, eight per doubling, and one list ordered by age.
#include "os/lock.h"
#include "os/os.h"

#include "heap/large_extents.h"

#include "heap/large_huge_pages.h"
#include "registry/tiny_registry.h"

#define JOINED_MOST ((size_t)1 << 30)
#define LISTS 128u // list_of(JOINED_MOST) is 96
#define LOOKS 16u // extents checked in one list

// Protected by the lock of the large blocks.
static struct {
    large_extent_t *list[LISTS];
    uint64_t occupied[LISTS / 64];
    large_extent_t *oldest;
    large_extent_t *newest;
    large_extent_t *unused; // records
    char *edge; // where the newest mapping begins; the kernel places the next one in front of it, mostly
    size_t count;
    _Atomic(size_t) bytes; // written under the lock
} extents;

static unsigned list_of(size_t size)
{
    size_t pages = size / HAK_PAGE;
    if (pages < 8) return (unsigned)pages;
    unsigned log = 63u - (unsigned)__builtin_clzl(pages);
    return (log - 2) * 8 + (unsigned)(pages >> (log - 3) & 7);
}

// ---- records

// os_metadata rarely maps memory, and never waits for the lock held here.
large_extent_t *large_extent_new_record(void)
{
    large_extent_t *record = extents.unused;
    if (record == NULL) return os_metadata(sizeof *record);
    extents.unused = record->next;
    return record;
}

void large_extent_drop_record(large_extent_t *extent)
{
    extent->next = extents.unused;
    extents.unused = extent;
}

// ---- the registry's records of an extent's first and last page

static char *last_page(const large_extent_t *extent)
{
    return extent->start + ((extent->size - 1) & ~(HAK_PAGE - 1));
}

static void set_page(large_extent_t *extent, const char *page, tiny_tag_t tag)
{
    tiny_registry_record(page)->owner = extent;
    tiny_registry_set(page, tag);
}

void large_extent_publish(large_extent_t *extent)
{
    set_page(extent, extent->start, TINY_TAG(0, TINY_KIND_LARGE));
}

void large_extent_publish_new(large_extent_t *extent)
{
    if (!extent->alone && !large_is_guarded(extent)) extents.edge = extent->start;
    large_extent_publish(extent);
}

void large_extent_forget(const large_extent_t *extent)
{
    tiny_registry_set(extent->start, 0);
}

// ---- free lists; the first and last page of a free extent are tagged, so that its neighbours find it

static void add_by_age(large_extent_t *extent)
{
    large_extent_t *older = extents.newest;
    while (older != NULL && (int32_t)(older->freed_at - extent->freed_at) > 0) older = older->older;
    extent->older = older;
    extent->newer = older != NULL ? older->newer : extents.oldest;
    if (extent->newer != NULL) extent->newer->older = extent;
    else extents.newest = extent;
    if (older != NULL) older->newer = extent;
    else extents.oldest = extent;
}

static void count_bytes(ptrdiff_t change)
{
    atomic_store_explicit(&extents.bytes, large_extents_bytes() + (size_t)change, memory_order_relaxed);
}

static void add_free(large_extent_t *extent)
{
    add_by_age(extent);
    extents.count++;
    count_bytes((ptrdiff_t)extent->size);
    unsigned index = list_of(extent->size);
    extent->previous = NULL;
    extent->next = extents.list[index];
    if (extent->next != NULL) extent->next->previous = extent;
    extents.list[index] = extent;
    extents.occupied[index / 64] |= (uint64_t)1 << index % 64;
    set_page(extent, extent->start, TINY_TAG(0, TINY_KIND_FREE_EXTENT));
    set_page(extent, last_page(extent), TINY_TAG(0, TINY_KIND_FREE_EXTENT));
}

static void remove_free(large_extent_t *extent)
{
    if (extent->older != NULL) extent->older->newer = extent->newer;
    else extents.oldest = extent->newer;
    if (extent->newer != NULL) extent->newer->older = extent->older;
    else extents.newest = extent->older;
    extents.count--;
    count_bytes(-(ptrdiff_t)extent->size);
    tiny_registry_set(extent->start, 0);
    tiny_registry_set(last_page(extent), 0);
    unsigned index = list_of(extent->size);
    if (extent->previous != NULL) extent->previous->next = extent->next;
    else extents.list[index] = extent->next;
    if (extent->next != NULL) extent->next->previous = extent->previous;
    if (extents.list[index] == NULL) extents.occupied[index / 64] &= ~((uint64_t)1 << index % 64);
}

static large_extent_t *free_at(const char *page)
{
    if (tiny_registry_tag(page) != TINY_TAG(0, TINY_KIND_FREE_EXTENT)) return NULL;
    return tiny_registry_record(page)->owner;
}

// ---- taking

// Returns the first aligned address in the extent from which the block fits; NULL if it does not fit.
static char *place_in(const large_extent_t *extent, size_t size, size_t alignment)
{
    size_t skipped = hak_round_up((uintptr_t)extent->start, alignment) - (uintptr_t)extent->start;
    return skipped <= extent->size && extent->size - skipped >= size ? extent->start + skipped : NULL;
}

static large_extent_t *best_of(unsigned index, size_t size, size_t alignment)
{
    large_extent_t *best = NULL, *extent = extents.list[index];
    for (unsigned looks = LOOKS; looks > 0 && extent != NULL; looks--, extent = extent->next)
        if ((best == NULL || extent->size < best->size) && place_in(extent, size, alignment) != NULL)
            best = extent;
    return best;
}

static unsigned next_list(unsigned index)
{
    for (unsigned word = index / 64; word < LISTS / 64; word++) {
        uint64_t occupied = extents.occupied[word];
        if (word == index / 64) occupied &= ~(uint64_t)0 << index % 64;
        if (occupied != 0) return word * 64 + (unsigned)__builtin_ctzll(occupied);
    }
    return LISTS;
}

static large_extent_t *find(size_t size, size_t alignment)
{
    for (unsigned index = next_list(list_of(size)); index < LISTS; index = next_list(index + 1)) {
        large_extent_t *best = best_of(index, size, alignment);
        if (best != NULL || index + 1 == LISTS) return best;
    }
    return NULL;
}

// The extent keeps its first `size` bytes; the rest becomes a free extent of the same age. False: no record is
// available for it.
static bool split(large_extent_t *extent, size_t size, uint32_t freed_at)
{
    large_extent_t *rest = large_extent_new_record();
    if (rest == NULL) return false;
    *rest =
        (large_extent_t){.start = extent->start + size, .size = extent->size - size, .freed_at = freed_at};
    extent->size = size;
    add_free(rest);
    return true;
}

// The part before `place` stays free; if no record is available for it, the extent cannot be used.
static large_extent_t *cut_front(large_extent_t *extent, const char *place)
{
    size_t skipped = (size_t)(place - extent->start);
    if (skipped == 0) return extent;
    large_extent_t *block = large_extent_new_record();
    if (block == NULL) {
        add_free(extent);
        return NULL;
    }
    *block = (large_extent_t){
        .start = extent->start + skipped, .size = extent->size - skipped, .freed_at = extent->freed_at};
    extent->size = skipped;
    add_free(extent);
    return block;
}

large_extent_t *large_extents_take(size_t size, size_t alignment)
{
    if (size > LARGE_ALONE_BYTES) return NULL;
    large_extent_t *extent = find(size, alignment);
    if (extent == NULL) return NULL;
    remove_free(extent);
    extent = cut_front(extent, place_in(extent, size, alignment));
    if (extent != NULL && extent->size > size) split(extent, size, extent->freed_at);
    return extent;
}

large_extent_t *large_extents_take_longest(size_t least)
{
    large_extent_t *longest = NULL;
    for (unsigned word = LISTS / 64; word-- > 0 && longest == NULL;)
        if (extents.occupied[word] != 0)
            longest = extents.list[word * 64 + 63u - (unsigned)__builtin_clzll(extents.occupied[word])];
    if (longest == NULL || longest->size < least) return NULL;
    remove_free(longest);
    return longest;
}

large_extent_t *large_extents_take_edge(size_t size, size_t alignment)
{
    if (size > LARGE_ALONE_BYTES || alignment > HAK_PAGE || extents.edge == NULL) return NULL;
    large_extent_t *extent = free_at(extents.edge);
    if (extent == NULL || extent->start != extents.edge || extent->size >= size) return NULL;
    remove_free(extent);
    return extent;
}

void large_extents_put_back(large_extent_t *extent)
{
    add_free(extent);
}

// ---- giving

// Joins the extent that follows `front` to it; both are on no list. The result has the age of the larger part: so a
// small part that is allocated and freed repeatedly neither keeps the large one cached for ever nor is returned to the
// system together with it each time.
static void join(large_extent_t *front, large_extent_t *behind)
{
    if (behind->size > front->size) front->freed_at = behind->freed_at;
    front->size += behind->size;
    large_extent_drop_record(behind);
}

static large_extent_t *join_neighbours(large_extent_t *extent)
{
    large_extent_t *behind = free_at(extent->start + extent->size);
    if (behind != NULL && behind->size + extent->size <= JOINED_MOST) {
        remove_free(behind);
        join(extent, behind);
    }
    large_extent_t *before = free_at(extent->start - 1);
    if (before == NULL || before->size + extent->size > JOINED_MOST) return extent;
    remove_free(before);
    join(before, extent);
    return before;
}

void large_extents_give(large_extent_t *extent)
{
    extent->has_grown = false;
    add_free(join_neighbours(extent));
}

bool large_extents_cut(large_extent_t *extent, size_t size, uint32_t freed_at)
{
    large_extent_t *rest = large_is_guarded(extent) || extent->alone ? NULL : large_extent_new_record();
    if (rest == NULL) return false;
    *rest =
        (large_extent_t){.start = extent->start + size, .size = extent->size - size, .freed_at = freed_at};
    extent->size = size;
    large_extents_give(rest);
    return true;
}

bool large_extents_grow(large_extent_t *extent, size_t size)
{
    if (large_is_guarded(extent) || extent->alone || size > LARGE_ALONE_BYTES) return false;
    large_extent_t *behind = free_at(extent->start + extent->size);
    size_t more = size - extent->size;
    if (behind == NULL || behind->size < more) return false;
    remove_free(behind);
    extent->size += behind->size;
    if (extent->size > size) split(extent, size, behind->freed_at);
    large_extent_drop_record(behind);
    return true;
}

// ---- returning memory to the system

// If the extent is larger than `most`, only its end is returned to the system.
static large_extent_t *take_end(large_extent_t *extent, size_t most)
{
    if (extent->size <= most) return extent;
    size_t kept = extent->size - hak_round_up(most, HAK_PAGE);
    uint32_t freed_at = extent->freed_at;
    if (kept == 0 || !split(extent, kept, freed_at)) return extent;
    large_extent_t *end = free_at(extent->start + kept);
    remove_free(end);
    add_free(extent);
    return end;
}

large_extent_t *large_extents_surplus(size_t keep, size_t most, uint32_t now, uint32_t delay)
{
    large_extent_t *list = NULL;
    while (extents.oldest != NULL && most > 0) {
        large_extent_t *extent = extents.oldest;
        bool is_old = now - extent->freed_at >= delay;
        bool is_too_much = large_extents_bytes() > keep;
        if (!is_old && !is_too_much) break;
        size_t beyond = large_extents_bytes() > keep ? large_extents_bytes() - keep : 0;
        size_t allowed = is_old || beyond > most ? most : beyond;
        remove_free(extent);
        extent = take_end(extent, allowed);
        most -= extent->size < most ? extent->size : most;
        extent->next = list;
        list = extent;
    }
    return list;
}

size_t large_extents_count(void)
{
    return extents.count;
}

size_t large_extents_bytes(void)
{
    return atomic_load_explicit(&extents.bytes, memory_order_relaxed);
}

// ---- mappings

bool large_extent_must_be_alone(size_t size)
{
    return size > LARGE_ALONE_BYTES;
}

bool large_extent_reserve(const char *start, size_t size)
{
    return tiny_registry_reserve(start, large_extent_must_be_alone(size) ? HAK_PAGE : size);
}

static char *with_records(char *start, size_t size, size_t guard)
{
    if (start == NULL || large_extent_reserve(start, size)) return start;
    os_unmap_guarded(start, size, guard);
    return NULL;
}

static char *map_reserved(size_t size, size_t alignment, size_t guard)
{
    return with_records(os_map_guarded(size, alignment, guard), size, guard);
}

static char *map_hidden(size_t size)
{
    return with_records(os_map_hidden(size, HAK_PAGE, CANARY_GUARD), size, CANARY_GUARD);
}

char *large_extent_map_target(bool guarded, size_t size, size_t *reserved)
{
    char *start = NULL;
    if (guarded && *reserved > 0) start = map_hidden(size + *reserved);
    if (start != NULL) return start;
    *reserved = 0;
    return guarded ? map_hidden(size) : map_reserved(size, HAK_PAGE, 0);
}

bool large_extent_map(large_extent_t *extent, size_t size, size_t alignment, bool guarded)
{
    char *start = map_reserved(size, alignment, guarded ? CANARY_GUARD : 0);
    if (start == NULL) return false;
    *extent = (large_extent_t){
        .start = start, .size = size, .guarded = guarded, .alone = large_extent_must_be_alone(size)};
    if (!guarded) large_huge_pages_mapped(start, size);
    return true;
}

bool large_extent_map_before(large_extent_t *extent, size_t size)
{
    size_t more = size - extent->size;
    char *start = extent->start - more;
    if ((uintptr_t)extent->start <= more || !os_map_at(start, more)) return false;
    if (!large_extent_reserve(start, more)) {
        os_unmap_guarded(start, more, 0);
        return false;
    }
    large_huge_pages_mapped(start, more);
    extent->start = start;
    extent->size = size;
    return true;
}

void large_extents_unmap(large_extent_t *list, os_lock_t *lock)
{
    if (list == NULL) return;
    large_extent_t *last = list;
    for (large_extent_t *extent = list; extent != NULL; extent = extent->next) {
        os_unmap_guarded(extent->start, extent->size, large_guard_of(extent));
        last = extent;
    }
    os_lock(lock);
    last->next = extents.unused;
    extents.unused = list;
    os_unlock(lock);
}
