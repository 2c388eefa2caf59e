// Large blocks: mappings aligned to a page of the registry, so that the first page's record names them.
#include "large.h"

#include "canary.h"
#include "os.h"
#include "tiny_registry.h"

#if TINY_CHECKS >= TINY_CHECKS_FULL
// Freed mappings are not for use again: they wait, without memory and beyond anyone's touch, until others push them out.
#define CACHE_HIDES true
#define CACHED_MAPPINGS 32u
#define CACHED_BYTES ((size_t)64 << 20)
#define GRAIN OS_PAGE // the guard follows at once
#else
#define CACHE_HIDES false
#define CACHED_MAPPINGS 8u
#define CACHED_BYTES ((size_t)32 << 20)
#define GRAIN HAK_PAGE
#endif

typedef struct large_mapping {
    char *start;
    size_t size;
    size_t asked; // with every check: bytes asked for, and one more; 0 when the block is not out
    uint32_t freed_at;          // of a cached one, by os_clock_ms
    struct large_mapping *next; // of the unused records
} large_mapping_t;

static struct {
    os_lock_t lock;
    large_mapping_t *cached[CACHED_MAPPINGS]; // oldest first
    unsigned cached_count;
    size_t cached_bytes;
    size_t blocks; // in use
    size_t bytes;
    large_mapping_t *unused;
} large;

static large_mapping_t *new_record(void)
{
    large_mapping_t *record = large.unused;
    if (record == NULL) return os_metadata(sizeof *record);
    large.unused = record->next;
    return record;
}

static void drop_record(large_mapping_t *record)
{
    record->next = large.unused;
    large.unused = record;
}

static void publish(large_mapping_t *mapping)
{
    tiny_registry_record(mapping->start)->owner = mapping;
    tiny_registry_set(mapping->start, TINY_TAG(0, TINY_KIND_LARGE));
}

// ---- the cache; under the lock

static large_mapping_t *uncache(unsigned index)
{
    large_mapping_t *mapping = large.cached[index];
    large.cached_bytes -= mapping->size;
    large.cached_count--;
    for (unsigned i = index; i < large.cached_count; i++) large.cached[i] = large.cached[i + 1];
    return mapping;
}

// The smallest that fits, if it wastes no more than an eighth.
static large_mapping_t *take_cached(size_t size)
{
    if (CACHE_HIDES) return NULL;
    unsigned best = CACHED_MAPPINGS;
    for (unsigned i = 0; i < large.cached_count; i++) {
        size_t cached = large.cached[i]->size;
        if (cached < size || cached > size + size / 8) continue;
        if (best == CACHED_MAPPINGS || cached < large.cached[best]->size) best = i;
    }
    return best < CACHED_MAPPINGS ? uncache(best) : NULL;
}

static void unmap_mapping(large_mapping_t *mapping)
{
    tiny_registry_set(mapping->start, 0); // before the addresses are free for others to map and to tag
    os_unmap_guarded(mapping->start, mapping->size, CANARY_GUARD);
    drop_record(mapping);
}

static void cache(large_mapping_t *mapping)
{
    if (mapping->size > CACHED_BYTES / 2 || (CACHE_HIDES && !os_hide(mapping->start, mapping->size))) {
        unmap_mapping(mapping);
        return;
    }
    while (large.cached_count == CACHED_MAPPINGS || large.cached_bytes + mapping->size > CACHED_BYTES)
        unmap_mapping(uncache(0));
    mapping->freed_at = os_clock_ms();
    large.cached[large.cached_count++] = mapping;
    large.cached_bytes += mapping->size;
}

// ---- blocks

static large_mapping_t *map_new(size_t size, size_t alignment)
{
    large_mapping_t *mapping = new_record();
    if (mapping == NULL) return NULL;
    char *start = os_map_guarded(size, alignment, CANARY_GUARD);
    if (start == NULL || !tiny_registry_reserve(start, HAK_PAGE)) {
        if (start != NULL) os_unmap_guarded(start, size, CANARY_GUARD);
        drop_record(mapping);
        return NULL;
    }
    mapping->start = start;
    mapping->size = size;
    return mapping;
}

void *large_alloc(size_t size, size_t alignment, bool *zeroed)
{
    size = hak_round_up(size, GRAIN);
    if (alignment < HAK_PAGE) alignment = HAK_PAGE;
    os_lock(&large.lock);
    large_mapping_t *mapping = alignment == HAK_PAGE ? take_cached(size) : NULL;
    *zeroed = mapping == NULL;
    if (mapping == NULL) mapping = map_new(size, alignment);
    if (mapping != NULL) {
        publish(mapping);
        large.blocks++;
        large.bytes += mapping->size;
    }
    os_unlock(&large.lock);
    return mapping != NULL ? mapping->start : NULL;
}

// Under the lock; another thread may have freed the block since its tag was looked at.
static large_mapping_t *mapping_of(const void *block, const char *misuse)
{
    if (((uintptr_t)block & (HAK_PAGE - 1)) != 0 ||
        tiny_registry_tag(block) != TINY_TAG(0, TINY_KIND_LARGE)) {
        os_unlock(&large.lock); // a handler of SIGABRT may allocate
        hak_die(misuse, block);
    }
    return tiny_registry_record(block)->owner;
}

void large_free(void *block)
{
    os_lock(&large.lock);
    large_mapping_t *mapping = mapping_of(block, "double free, or free of a pointer into a block");
    if (!CACHE_HIDES) tiny_registry_set(block, 0);
    large.blocks--;
    large.bytes -= mapping->size;
    cache(mapping);
    os_unlock(&large.lock);
}

size_t large_usable_size(const void *block)
{
    os_lock(&large.lock);
    size_t size = mapping_of(block, "size asked of a pointer that is no block")->size;
    os_unlock(&large.lock);
    return size;
}

// What is left of a mapping that has moved away.
static void unmap_guards(char *start, size_t size)
{
    if (CANARY_GUARD == 0) return;
    os_unmap(start - CANARY_GUARD, CANARY_GUARD);
    os_unmap(start + size, CANARY_GUARD);
}

static bool move_mapping(large_mapping_t *mapping, size_t size)
{
    char *start = os_map_guarded(size, HAK_PAGE, CANARY_GUARD);
    if (start == NULL) return false;
    if (!tiny_registry_reserve(start, HAK_PAGE)) {
        os_unmap_guarded(start, size, CANARY_GUARD);
        return false;
    }
    tiny_registry_set(mapping->start, 0); // before the addresses are free for others to map and to tag
    if (!os_move(mapping->start, mapping->size, start, size)) {
        // The target stays: a kernel may have unmapped it, and then it is someone else's by now.
        publish(mapping);
        return false;
    }
    unmap_guards(mapping->start, mapping->size);
    mapping->start = start;
    return true;
}

void *large_resize(void *block, size_t size)
{
    size = hak_round_up(size, GRAIN);
    os_lock(&large.lock);
    large_mapping_t *mapping = mapping_of(block, "realloc of a pointer that is no block");
    bool movable = CANARY_GUARD > 0; // where a guard follows, there is no room to grow, and none may open up
    bool resized = size == mapping->size ||
                   (CANARY_GUARD == 0 && os_resize(block, mapping->size, size, &movable)) ||
                   (movable && move_mapping(mapping, size));
    if (resized) {
        large.bytes += size - mapping->size;
        mapping->size = size;
        publish(mapping);
    }
    char *start = mapping->start;
    os_unlock(&large.lock);
    return resized ? start : NULL;
}

#if TINY_CHECKS >= TINY_CHECKS_FULL

size_t large_note(void *block, size_t asked)
{
    os_lock(&large.lock);
    large_mapping_t *mapping = mapping_of(block, "a large block is lost");
    mapping->asked = asked + 1;
    size_t size = mapping->size;
    canary_set_post(mapping->start + size);
    os_unlock(&large.lock);
    return size;
}

static large_mapping_t *mapping_out(const void *block, const char *no_block, const char *free)
{
    large_mapping_t *mapping = mapping_of(block, no_block);
    if (UNLIKELY(mapping->asked == 0)) {
        os_unlock(&large.lock);
        hak_die_of_size(free, block, mapping->size);
    }
    return mapping;
}

size_t large_asked(const void *block, const char *misuse)
{
    os_lock(&large.lock);
    size_t asked = mapping_out(block, misuse, misuse)->asked - 1;
    os_unlock(&large.lock);
    return asked;
}

size_t large_claim(const void *block, size_t *size)
{
    os_lock(&large.lock);
    large_mapping_t *mapping =
        mapping_out(block, "double free, or free of a pointer into a block", CANARY_DOUBLE_FREE);
    size_t asked = mapping->asked - 1;
    mapping->asked = 0;
    *size = mapping->size;
    os_unlock(&large.lock);
    return asked;
}

#endif

// Those that wait to be pushed out hold no memory: they go when everything has to, whatever their age.
bool large_return(uint32_t now, uint32_t delay)
{
    bool any = false;
    if (CACHE_HIDES && delay > 0) return false;
    os_lock(&large.lock);
    while (large.cached_count > 0 && now - large.cached[0]->freed_at >= delay) {
        unmap_mapping(uncache(0));
        any = true;
    }
    os_unlock(&large.lock);
    return any;
}

large_usage_t large_usage(void)
{
    os_lock(&large.lock);
    large_usage_t usage = {large.blocks, large.bytes, large.cached_count, large.cached_bytes};
    os_unlock(&large.lock);
    return usage;
}

void large_before_fork(void)
{
    os_lock(&large.lock);
}

void large_after_fork(void)
{
    os_unlock(&large.lock);
}
