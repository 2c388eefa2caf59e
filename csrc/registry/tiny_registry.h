// Registry: finds what lies at an address, in constant time, for any address, including those of other allocators.
//
// page: 64 KiB of addresses. tag: what a page belongs to, `owner << 8 | kind`; 0 if the allocator does not use the
// page.
// record: a page's data, stored apart from the blocks, so that no block shares its cache lines.
// leaf: tags of 4 GiB of addresses, and rows of their records. tag map: a direct-mapped cache of the tags, read with
// one load.
#ifndef TINY_REGISTRY_H
#define TINY_REGISTRY_H

#include "os/hak_types.h"
#include "registry/tiny_link.h"
#include "registry/tiny_state.h"

typedef struct tiny_slab tiny_slab_t;

// Owner 0 has no heap: its kinds are the mappings that are not slabs. For other owners the kind is the class.
enum { TINY_KIND_NONE = 0, TINY_KIND_ARENA = 1, TINY_KIND_LARGE = 2, TINY_KIND_FREE_EXTENT = 3 };

typedef uint32_t tiny_tag_t;
#define TINY_TAG(owner, kind) ((tiny_tag_t)(owner) << 8 | (tiny_tag_t)(kind))
#define TINY_TAG_OWNER(tag) ((tag) >> 8)
#define TINY_TAG_KIND(tag) ((tag) & 0xffu)

// remote: blocks of a slab that other threads freed and the owner has not collected yet, one bit per block. A bit is set
// with an atomic add, which takes one step even if another thread interferes: no block is added twice.
// doubted: those of them that a visit has collected, but that may lie in a cache of the owner. Written by the thread that
// collects. Most slabs never have any, so their bits lie apart, in memory that is touched only if there are any.
#define TINY_REMOTE_WORDS 64u
typedef struct tiny_remote {
    _Alignas(64) _Atomic(uint64_t) words; // one bit per word of `freed` that is not 0; not 0: it is pending
    _Atomic(uint64_t) doubted_words; // likewise of `doubted`; not 0: it is in the owner's circle
    struct tiny_remote *next; // in the owner's list of pending ones
    struct tiny_remote *next_doubted; // in the owner's circle of doubted ones
    struct tiny_remote *previous_doubted;
    _Atomic(tiny_slab_t *) slab; // set by each sender that makes it pending, always to the same
    _Atomic(uint64_t) freed[TINY_REMOTE_WORDS];
} tiny_remote_t;

// As many belong to a page as its smallest blocks need.
#define TINY_REMOTES_A_PAGE (HAK_PAGE / TINY_MIN_ALIGN / 64 / TINY_REMOTE_WORDS)

// slab: one page or several consecutive ones, with blocks of one class; the first page's record is the slab's. The
// owning heap writes the record, or a thread that holds the pool's lock.
struct tiny_slab {
    // What its owner reads and writes for each row of blocks.
    _Alignas(64) uint64_t *free; // one bit per block that was returned to the slab; belongs to the page
    uint64_t clean; // of at most 64 blocks: the free ones whose memory was returned to the system
    tiny_remote_t *remote; // the first of the page's
    char *start; // the first block; coloured, so that slabs do not share cache sets
#if TINY_CHECKS >= TINY_CHECKS_FULL
    _Atomic(uint16_t) *asked; // one note per block, see tiny_notes.h; belongs to the page, for every class
#endif
    uint32_t used; // allocated blocks: in a thread's cache or in use by the program
    uint16_t fresh; // blocks from this index on were never allocated; with full checks: nor are they free
    uint16_t capacity; // blocks
    uint8_t free_from; // no word of `free` before this one has a bit set
    uint8_t class;
    uint8_t pages; // of this slab
    uint8_t behind; // of each page of the slab: the number of its pages before this one
    bool listed; // in its owner's list of slabs with room
    tiny_slab_t *next; // neighbours in the owner's list of slabs with room
    tiny_slab_t *previous;
    _Atomic(uint64_t) *doubted; // one bit per block; belongs to the page
    void *owner; // of the page: superslab, arena chunk or large extent, by kind
};

// All blocks of a class are aligned to the largest power of two that divides their size, up to this one.
#define TINY_ALIGNMENT_MOST ((size_t)4096)

// Maximum pages of a slab; each slab has a power of two of them.
#define TINY_SLAB_PAGES_MOST 8u

// Returns the index of the block that begins at `address`, which lies in the slab; SIZE_MAX if none does.
static inline size_t tiny_block_index(const tiny_slab_t *slab, const void *address)
{
    const char *at = address;
    if (at < slab->start) return SIZE_MAX;
    uint32_t size = tiny_class_size[slab->class], offset = (uint32_t)(at - slab->start);
    uint32_t index = (uint32_t)(offset * tiny_class_inverse[slab->class] >> TINY_INVERSE_BITS);
    return index * size == offset && index < slab->capacity ? index : SIZE_MAX;
}

// Returns the block with that index.
static inline tiny_block_t *tiny_block_at(const tiny_slab_t *slab, size_t index)
{
    return (tiny_block_t *)(void *)(slab->start + index * tiny_class_size[slab->class]);
}

// A tag map entry: the owner in the upper half; in the lower half the page's number (address / 64 KiB) xor the class.
// Pages 16 GiB apart share an entry, with full checks 4 GiB; the one that is not in it is found in the leaf. The map has
// 2^18 or 2^16 entries of 8 bytes; only the entries of the heap's pages are ever touched. With locked memory all of it is
// resident, and full checks have two maps; an unprivileged process may lock 8 MiB.
#define TINY_TAG_MAP_BITS (TINY_CHECKS >= TINY_CHECKS_FULL ? 16 : 18)
#define TINY_TAG_MAP_MASK (((uint64_t)1 << TINY_TAG_MAP_BITS) - 1)
extern _Atomic(uint64_t) tiny_tag_map[(size_t)1 << TINY_TAG_MAP_BITS];

// A thread's copy of its heap's id, by which it recognises its own blocks.
#define TINY_OWN_TAG(owner) ((uint64_t)(owner) << 32)

// Returns the number of a block's page. With checks, the low address bits that are 0 in every block are rotated to the
// top, so that a misaligned address matches no page.
static inline uint64_t tiny_page_number(const void *block)
{
#if TINY_CHECKS >= TINY_CHECKS_BASIC
    uint64_t kept = HAK_OPAQUE((uintptr_t)block & ~(uint64_t)(HAK_PAGE - TINY_MIN_ALIGN));
    return kept >> HAK_PAGE_SHIFT | kept << (64 - HAK_PAGE_SHIFT); // compiles to one rotation
#else
    return (uintptr_t)block >> HAK_PAGE_SHIFT;
#endif
}

// Returns the class, which is below TINY_CLASSES, if `block` lies in a slab of the owner (and, with checks, is a
// multiple of TINY_MIN_ALIGN); else returns a value of at least TINY_CLASSES.
static inline uint64_t tiny_own_class(const void *block, uint64_t own_tag)
{
    uint64_t page = tiny_page_number(block), own = page ^ own_tag;
    _Atomic(uint64_t) *entry = &tiny_tag_map[page & TINY_TAG_MAP_MASK];
#if defined(__x86_64__) && HAKMEM_BUILD_RELEASE
    __asm__("xorq %1, %0"
            : "+r"(own)
            : "m"(*(uint64_t *)entry)
            : "cc"); // the atomic load below would be a move more
    return own;
#else
    return own ^ atomic_load_explicit(entry, memory_order_relaxed);
#endif
}

// Returns the class, which is below TINY_CLASSES, if `block` lies in a slab of any owner (and, with checks, is a multiple of
// TINY_MIN_ALIGN) whose page is in the tag map; else returns TINY_CLASSES. It reads nothing but the map.
static inline size_t tiny_class_in_map(const void *block)
{
    uint64_t page = tiny_page_number(block);
    uint64_t entry = atomic_load_explicit(&tiny_tag_map[page & TINY_TAG_MAP_MASK], memory_order_relaxed);
    uint32_t class = (uint32_t)(page ^ entry);
    bool is_address = page >> 32 == 0; // else it is misaligned, or above those that programs can have
    return is_address && entry >> 32 != 0 && class < TINY_CLASSES ? class : TINY_CLASSES;
}

// The tables behind these functions. Records are mapped for 64 MiB of addresses at a time: with locked memory, each mapping
// is resident as a whole.
#define TINY_LEAF_SHIFT 32
#define TINY_LEAF_PAGES ((size_t)1 << (TINY_LEAF_SHIFT - HAK_PAGE_SHIFT))
#define TINY_ROW_PAGES ((size_t)1024)
#define TINY_ROOT_ENTRIES \
    ((size_t)1 << 16) // user addresses end below 2^48 unless a hint requests higher ones
typedef struct tiny_leaf {
    _Atomic(tiny_tag_t) tag[TINY_LEAF_PAGES];
    _Atomic(tiny_slab_t *) records[TINY_LEAF_PAGES / TINY_ROW_PAGES];
} tiny_leaf_t;
extern _Atomic(tiny_leaf_t *) tiny_registry_root[TINY_ROOT_ENTRIES];

static inline size_t tiny_leaf_slot(uintptr_t address)
{
    return (address >> HAK_PAGE_SHIFT) & (TINY_LEAF_PAGES - 1);
}

// Returns the tag of the page at `address`, 0 if the allocator does not use it. `address` may be any address.
tiny_tag_t tiny_registry_tag(const void *address);

// Returns the page's record; the page must have a tag.
tiny_slab_t *tiny_registry_record(const void *address);

// Returns the record of the slab that contains the page; the page's tag must have an owner.
static inline tiny_slab_t *tiny_registry_slab(const void *address)
{
    tiny_slab_t *record = tiny_registry_record(address);
    return record - record->behind; // no slab crosses the boundary between two rows
}

#if TINY_CHECKS >= TINY_CHECKS_FULL

// The slab map: a direct-mapped cache of the slabs' records, by page, as the tag map is one of the tags.
extern _Atomic(tiny_slab_t *) tiny_slab_map[(size_t)1 << TINY_TAG_MAP_BITS];

// As tiny_registry_find, for a page that is not in the slab map.
tiny_slab_t *tiny_registry_find_slowly(const void *address) COLD;

// Returns the record of the slab that contains `address`, which may be any address; NULL if it lies in no slab.
static inline tiny_slab_t *tiny_registry_find(const void *address)
{
    uintptr_t page = (uintptr_t)address >> HAK_PAGE_SHIFT;
    tiny_slab_t *slab = atomic_load_explicit(&tiny_slab_map[page & TINY_TAG_MAP_MASK], memory_order_acquire);
    if (LIKELY(slab != NULL && page - ((uintptr_t)slab->start >> HAK_PAGE_SHIFT) < slab->pages)) return slab;
    return tiny_registry_find_slowly(address);
}

#endif

// Makes records for [start, start + size), which is page-aligned. False when no memory is available for them.
bool tiny_registry_reserve(const void *start, size_t size);

// Tags one page; tag 0 removes it. The page's records must have been reserved. Only one thread at a time changes a page's tag.
void tiny_registry_set(const void *page, tiny_tag_t tag);

// Reports misuse of a tiny block; the line also gives its class's size.
_Noreturn void tiny_die(const char *what, const void *block) COLD;

void tiny_registry_before_fork(void);
void tiny_registry_after_fork(void);

#endif
