// Registry: what lies at an address, in constant time, for any address, foreign ones included.
//
// page: 64 KiB of addresses.  tag: what a page belongs to, `owner << 8 | kind`; 0 is nobody's.
// record: what is known of a page; apart from the blocks, so that no block shares its cache lines.
// leaf: tags of 4 GiB of addresses, and rows of their records.  tag map: a direct-mapped cache of the tags, one load long.
#ifndef TINY_REGISTRY_H
#define TINY_REGISTRY_H

#include "hak_types.h"
#include "tiny_link.h"
#include "tiny_state.h"

typedef struct tiny_slab tiny_slab_t;

// Owner 0 has no heap; its kinds tell the mappings that are not slabs. For other owners the kind is the class.
enum { TINY_KIND_NONE = 0, TINY_KIND_ARENA = 1, TINY_KIND_LARGE = 2, TINY_KIND_FREE_EXTENT = 3 };

typedef uint32_t tiny_tag_t;
#define TINY_TAG(owner, kind) ((tiny_tag_t)(owner) << 8 | (tiny_tag_t)(kind))
#define TINY_TAG_OWNER(tag) ((tag) >> 8)
#define TINY_TAG_KIND(tag) ((tag) & 0xffu)

// slab: one page, or several in a row, whose blocks are of one class; the first page's record is the slab's. Records are written by the owning heap, or under the pool's lock.
struct tiny_slab {
    tiny_block_t *free; // blocks that came home
    char *start; // the first block; coloured, so that slabs do not share cache sets
    tiny_slab_t *next; // neighbours in the owner's list of slabs with room
    tiny_slab_t *previous;
    void *owner; // superslab, arena chunk or large mapping, by kind; the page's
    _Atomic(tiny_block_t *) remote; // blocks that other threads freed, on their way home
    tiny_slab_t *next_pending; // of its owner's slabs that have such
    uint32_t used; // blocks that are out: with a thread's caches or with the program
    uint16_t fresh; // blocks never handed out yet begin here
    uint16_t capacity; // blocks
    uint8_t class;
    uint8_t pages; // of the slab
    uint8_t behind; // of each page of it: how many lie before this one
    bool listed; // in its owner's list of slabs with room
#if TINY_CHECKS >= TINY_CHECKS_FULL
    uint32_t order; // decides, with the secret, the order in which fresh blocks are handed out
    _Atomic(uint16_t) *asked; // of each block, see hardened.h; the page's, whatever its class is
#endif
};

// Tag map entry: the owner in the upper half; in the lower one the page's number (address / 64 KiB), xor the class.
// Pages 16 GiB apart share an entry; the loser is found in the leaf. 2^18 entries of 8 bytes, of which only what the heap
// covers is ever touched.
#define TINY_TAG_MAP_BITS 18
#define TINY_TAG_MAP_MASK (((uint64_t)1 << TINY_TAG_MAP_BITS) - 1)
extern _Atomic(uint64_t) tiny_tag_map[(size_t)1 << TINY_TAG_MAP_BITS];

// What a thread keeps of its heap's id, to tell its own blocks by.
#define TINY_OWN_TAG(owner) ((uint64_t)(owner) << 32)

// The number of a block's page. With checks, the address' bits that no block has stand above it: then it is no page's.
static inline uint64_t tiny_page_number(const void *block)
{
#if TINY_CHECKS >= TINY_CHECKS_BASIC
    uint64_t kept = HAK_OPAQUE((uintptr_t)block & ~(uint64_t)(HAK_PAGE - TINY_MIN_ALIGN));
    return kept >> HAK_PAGE_SHIFT | kept << (64 - HAK_PAGE_SHIFT); // one rotation
#else
    return (uintptr_t)block >> HAK_PAGE_SHIFT;
#endif
}

// Below TINY_CLASSES, and then the class, if and only if `block` lies in a slab of the owner (and, with checks, is a
// multiple of TINY_MIN_ALIGN).
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

// The tag of the page at `address`, 0 if it is nobody's. Any address may be asked for.
tiny_tag_t tiny_registry_tag(const void *address);

// The page's record; only for pages that have a tag.
tiny_slab_t *tiny_registry_record(const void *address);

// The record of the slab that the page belongs to; only for pages whose tag has an owner.
static inline tiny_slab_t *tiny_registry_slab(const void *address)
{
    tiny_slab_t *record = tiny_registry_record(address);
    return record - record->behind; // no slab crosses the border of two rows
}

// Makes records for [start, start + size), which is page-aligned. False when memory for them cannot be had.
bool tiny_registry_reserve(const void *start, size_t size);

// Tags one page; 0 takes it out. The page's records have been reserved.
void tiny_registry_set(const void *page, tiny_tag_t tag);

void tiny_registry_before_fork(void);
void tiny_registry_after_fork(void);

#endif
