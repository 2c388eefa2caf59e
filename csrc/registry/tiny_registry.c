// Registry: two levels of tables over the address space, and the tag map as a cache in front of them.
#include "registry/tiny_registry.h"

#include "os/die.h"
#include "os/lock.h"
#include "os/os.h"

_Atomic(uint64_t) tiny_tag_map[(size_t)1 << TINY_TAG_MAP_BITS];

_Atomic(tiny_leaf_t *) tiny_registry_root[TINY_ROOT_ENTRIES];
static os_lock_t root_lock;

static tiny_leaf_t *leaf_of(uintptr_t address)
{
    size_t index = address >> TINY_LEAF_SHIFT;
    if (UNLIKELY(index >= TINY_ROOT_ENTRIES)) return NULL;
    return atomic_load_explicit(&tiny_registry_root[index], memory_order_acquire);
}

tiny_tag_t tiny_registry_tag(const void *address)
{
    tiny_leaf_t *leaf = leaf_of((uintptr_t)address);
    if (leaf == NULL) return 0;
    return atomic_load_explicit(&leaf->tag[tiny_leaf_slot((uintptr_t)address)], memory_order_acquire);
}

tiny_slab_t *tiny_registry_record(const void *address)
{
    size_t slot = tiny_leaf_slot((uintptr_t)address);
    tiny_leaf_t *leaf = leaf_of((uintptr_t)address);
    return &atomic_load_explicit(&leaf->records[slot / TINY_ROW_PAGES],
                                 memory_order_acquire)[slot % TINY_ROW_PAGES];
}

static void *map_table(size_t size)
{
    return os_map(hak_round_up(size, OS_PAGE), OS_PAGE);
}

// The caller holds the lock.
static bool make_leaf(size_t index)
{
    if (atomic_load_explicit(&tiny_registry_root[index], memory_order_relaxed) != NULL) return true;
    tiny_leaf_t *leaf = map_table(sizeof *leaf);
    atomic_store_explicit(&tiny_registry_root[index], leaf, memory_order_release);
    return leaf != NULL;
}

static bool make_row(tiny_leaf_t *leaf, size_t row)
{
    if (atomic_load_explicit(&leaf->records[row], memory_order_relaxed) != NULL) return true;
    tiny_slab_t *records = map_table(TINY_ROW_PAGES * sizeof *records);
    atomic_store_explicit(&leaf->records[row], records, memory_order_release);
    return records != NULL;
}

static bool has_row(uintptr_t address)
{
    tiny_leaf_t *leaf = leaf_of(address);
    return leaf != NULL && atomic_load_explicit(&leaf->records[tiny_leaf_slot(address) / TINY_ROW_PAGES],
                                                memory_order_acquire) != NULL;
}

// Makes the address's leaf and row of records.
static bool reserve_row(uintptr_t address)
{
    if (address >> TINY_LEAF_SHIFT >= TINY_ROOT_ENTRIES) return false;
    if (has_row(address)) return true;
    os_lock(&root_lock);
    bool made = make_leaf(address >> TINY_LEAF_SHIFT) &&
                make_row(leaf_of(address), tiny_leaf_slot(address) / TINY_ROW_PAGES);
    os_unlock(&root_lock);
    return made;
}

// The previous owner of the pages set their tags to 0 before it unmapped them. This load of the tags orders its reads
// of the records before the new owner's writes. The kernel orders an unmap before the next map of the same addresses,
// but C does not know that.
static void follow_last_owner(uintptr_t start, size_t size)
{
    for (uintptr_t address = start; address < start + size; address += HAK_PAGE)
        (void)atomic_load_explicit(&leaf_of(address)->tag[tiny_leaf_slot(address)], memory_order_acquire);
}

bool tiny_registry_reserve(const void *start, size_t size)
{
    const uintptr_t row = TINY_ROW_PAGES * HAK_PAGE;
    uintptr_t end = (uintptr_t)start + size;
    for (uintptr_t address = (uintptr_t)start & ~(row - 1); address < end; address += row)
        if (!reserve_row(address)) return false;
    follow_last_owner((uintptr_t)start, size);
    return true;
}

static _Atomic(uint64_t) *map_slot(uintptr_t address)
{
    return &tiny_tag_map[address >> HAK_PAGE_SHIFT & TINY_TAG_MAP_MASK];
}

static uint64_t map_entry(uintptr_t address, tiny_tag_t tag)
{
    return TINY_OWN_TAG(TINY_TAG_OWNER(tag)) | ((uint32_t)(address >> HAK_PAGE_SHIFT) ^ TINY_TAG_KIND(tag));
}

// The slot may hold another page's entry by now, which must stay.
static void forget_in_map(uintptr_t address, tiny_tag_t tag)
{
    uint64_t entry = map_entry(address, tag);
    atomic_compare_exchange_strong_explicit(map_slot(address), &entry, 0, memory_order_relaxed,
                                            memory_order_relaxed);
}

#if TINY_CHECKS >= TINY_CHECKS_FULL

_Atomic(tiny_slab_t *) tiny_slab_map[(size_t)1 << TINY_TAG_MAP_BITS];

tiny_slab_t *tiny_registry_find_slowly(const void *address)
{
    return TINY_TAG_OWNER(tiny_registry_tag(address)) != 0 ? tiny_registry_slab(address) : NULL;
}

// Called for a page that has become part of a slab, or is no longer one. Its slot may hold another page's slab by now, which
// must stay when this one goes.
static void map_slab(const void *page, bool is_part)
{
    _Atomic(tiny_slab_t *) *slot = &tiny_slab_map[(uintptr_t)page >> HAK_PAGE_SHIFT & TINY_TAG_MAP_MASK];
    tiny_slab_t *slab = tiny_registry_slab(page);
    if (is_part) atomic_store_explicit(slot, slab, memory_order_release);
    else atomic_compare_exchange_strong(slot, &slab, NULL);
}

#else

static void map_slab(const void *page, bool is_part)
{
    (void)page;
    (void)is_part;
}

#endif

void tiny_registry_set(const void *page, tiny_tag_t tag)
{
    uintptr_t address = (uintptr_t)page;
    _Atomic(tiny_tag_t) *place = &leaf_of(address)->tag[tiny_leaf_slot(address)];
    const tiny_tag_t old = atomic_load_explicit(place, memory_order_relaxed);
    atomic_store_explicit(place, tag, memory_order_release);
    if (TINY_TAG_OWNER(tag) == 0) {
        if (TINY_TAG_OWNER(old) == 0) return;
        forget_in_map(address, old);
        map_slab(page, false);
        return;
    }
    map_slab(page, true);
    atomic_store_explicit(map_slot(address), map_entry(address, tag), memory_order_relaxed);
}

void tiny_die(const char *what, const void *block)
{
    hak_die_of_size(what, block, tiny_class_size[TINY_TAG_KIND(tiny_registry_tag(block))]);
}

void tiny_registry_before_fork(void)
{
    os_lock(&root_lock);
}

void tiny_registry_after_fork(void)
{
    os_unlock(&root_lock);
}
