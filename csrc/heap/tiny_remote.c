// Blocks that other threads free: bits beside each slab, and a lock-free list of the slabs that have any.
//
// Neither side writes to the block, and the owner follows no links through cold memory. A second free is found without a
// search: by the sender if the first one has not been collected, by the owner if the block is free in its slab.
//
// A word of bits goes from 0 to another value by one sender, which then sets the word's bit in `words`. Only the thread
// that cleared that bit clears the word. So a slab with a bit in `words` has remote blocks, which count as used: it is
// not returned to the pool.
#include "heap/tiny_remote.h"

#include "heap/tiny_slabs.h"
#include "os/die.h"

static tiny_remote_t *remote_of(const tiny_slab_t *slab, size_t word)
{
    return &slab->remote[word / TINY_REMOTE_WORDS];
}

static tiny_slab_t *slab_of(const tiny_remote_t *remote)
{
    return atomic_load_explicit(&remote->slab, memory_order_relaxed);
}

// Returns the index in its slab of the remote's first word of bits.
static size_t first_word(const tiny_remote_t *remote)
{
    return (size_t)(remote - slab_of(remote)->remote) * TINY_REMOTE_WORDS;
}

// Returns the block of the lowest bit.
static tiny_block_t *first_of(const tiny_slab_t *slab, size_t word, uint64_t blocks)
{
    return tiny_block_at(slab, word * 64 + (unsigned)__builtin_ctzll(blocks));
}

static tiny_heap_t *owner_of(const tiny_slab_t *slab)
{
    unsigned owner = TINY_TAG_OWNER(tiny_registry_tag(slab->start));
    tiny_heap_t *heap = atomic_load_explicit(&tiny_heaps.by_id[owner], memory_order_acquire);
    if (UNLIKELY(heap == NULL)) hak_die("double free", slab->start); // no heap owns the slab
    return heap;
}

void tiny_remote_list(tiny_heap_t *heap, tiny_remote_t *first, tiny_remote_t *last, uint32_t count)
{
    atomic_fetch_add_explicit(&heap->pending_count, count, memory_order_relaxed);
    tiny_remote_t *old = atomic_load_explicit(&heap->pending, memory_order_relaxed);
    do {
        last->next = old;
    } while (!atomic_compare_exchange_weak(&heap->pending, &old, first));
}

static void check_freed_once(const tiny_slab_t *slab, size_t word, uint64_t blocks, uint64_t freed)
{
    if (UNLIKELY((freed & blocks) != 0)) tiny_die("double free", first_of(slab, word, freed & blocks));
}

// Returns the doubted blocks of the word, which are remote, too.
static uint64_t doubted_of(const tiny_slab_t *slab, size_t word)
{
    uint64_t words = atomic_load_explicit(&remote_of(slab, word)->doubted_words, memory_order_relaxed);
    if (LIKELY((words >> word % TINY_REMOTE_WORDS & 1) == 0)) return 0;
    return atomic_load_explicit(&slab->doubted[word], memory_order_relaxed);
}

// True: the slab had no remote blocks, so it is to be listed.
static bool add_blocks(const tiny_slab_t *slab, size_t word, uint64_t blocks)
{
    tiny_remote_t *remote = remote_of(slab, word);
    size_t at = word % TINY_REMOTE_WORDS;
    check_freed_once(slab, word, blocks, doubted_of(slab, word));
    uint64_t old = atomic_fetch_add(&remote->freed[at], blocks);
    check_freed_once(slab, word, blocks, old);
    return old == 0 && atomic_fetch_add(&remote->words, (uint64_t)1 << at) == 0;
}

tiny_remote_t *tiny_remote_post(tiny_slab_t *slab, size_t word, uint64_t blocks, tiny_heap_t **owner)
{
    if (!add_blocks(slab, word, blocks)) return NULL;
    tiny_remote_t *remote = remote_of(slab, word);
    // Written here, so that memory for remote blocks is touched only if there are any.
    atomic_store_explicit(&remote->slab, slab, memory_order_relaxed);
    *owner = owner_of(slab);
    return remote;
}

// ---- blocks that look like those in a cache of the owner

#if TINY_MARKS

// The mark in a link is one byte, which the program's data may equal. So the link's address is looked at, too.
static bool looks_cached(const tiny_heap_t *heap, const tiny_slab_t *slab, const tiny_block_t *block)
{
    if (LIKELY(!tiny_is_marked(block, tiny_secret()))) return false;
    if (!TINY_MARK_IN_LINK) return true;
    const tiny_block_t *next = tiny_packed_first(block->link);
    return next == NULL || tiny_own_class(next, TINY_OWN_TAG(heap->id)) == slab->class;
}

static uint64_t cached_ones(const tiny_heap_t *heap, const tiny_slab_t *slab, size_t word, uint64_t blocks)
{
    uint64_t found = 0;
    for (uint64_t left = blocks; left != 0; left &= left - 1) {
        if (UNLIKELY(looks_cached(heap, slab, first_of(slab, word, left)))) found |= left & -left;
    }
    return found;
}

static void check_caches(const tiny_heap_t *heap, const tiny_slab_t *slab, size_t word, uint64_t blocks)
{
    if (heap->suspect == NULL) return; // no thread owns the heap
    for (; blocks != 0; blocks &= blocks - 1) heap->suspect(first_of(slab, word, blocks));
}

// A mark that is not in the link stays in blocks that are returned to the slab.
static void mark_at_home(const tiny_slab_t *slab, size_t word, uint64_t blocks)
{
    if (TINY_MARK_IN_LINK) return;
    for (; blocks != 0; blocks &= blocks - 1) tiny_mark(first_of(slab, word, blocks), tiny_secret());
}

// Adds the slab as the last one to the heap's doubted ones.
static void link_doubted(tiny_heap_t *heap, tiny_remote_t *remote)
{
    tiny_remote_t *first = heap->doubted != NULL ? heap->doubted : remote;
    if (first == remote) heap->doubted = remote->previous_doubted = remote;
    remote->next_doubted = first;
    remote->previous_doubted = first->previous_doubted;
    first->previous_doubted->next_doubted = remote;
    first->previous_doubted = remote;
}

static void unlink_doubted(tiny_heap_t *heap, tiny_remote_t *remote)
{
    if (heap->doubted == remote) heap->doubted = remote->next_doubted;
    if (heap->doubted == remote) heap->doubted = NULL; // it was the only one
    remote->previous_doubted->next_doubted = remote->next_doubted;
    remote->next_doubted->previous_doubted = remote->previous_doubted;
}

static void set_doubted(const tiny_slab_t *slab, size_t word, uint64_t blocks)
{
    tiny_remote_t *remote = remote_of(slab, word);
    const uint64_t bit = (uint64_t)1 << word % TINY_REMOTE_WORDS,
                   words = atomic_load_explicit(&remote->doubted_words, memory_order_relaxed);
    atomic_store_explicit(&slab->doubted[word], blocks, memory_order_relaxed);
    atomic_store_explicit(&remote->doubted_words, blocks != 0 ? words | bit : words & ~bit,
                          memory_order_relaxed);
}

// Leaves blocks to the owner. They still count as used; other blocks of the slab can be collected meanwhile.
static void leave_doubted(tiny_heap_t *heap, tiny_slab_t *slab, size_t word, uint64_t blocks)
{
    tiny_remote_t *remote = remote_of(slab, word);
    if (atomic_load_explicit(&remote->doubted_words, memory_order_relaxed) == 0) link_doubted(heap, remote);
    set_doubted(slab, word, doubted_of(slab, word) | blocks);
}

// Returns the blocks that can be returned to the slab. Only the owner can tell whether a block is in its caches.
static uint64_t checked(tiny_heap_t *heap, tiny_slab_t *slab, size_t word, uint64_t blocks,
                        tiny_collector_t by)
{
    uint64_t doubted = cached_ones(heap, slab, word, blocks);
    if (UNLIKELY(doubted != 0)) {
        if (by == TINY_BY_VISIT || by == TINY_BY_TAKER) {
            leave_doubted(heap, slab, word, doubted);
            blocks &= ~doubted;
        } else {
            check_caches(heap, slab, word, doubted);
        }
    }
    mark_at_home(slab, word, blocks);
    return blocks;
}

// Returns the doubted blocks to the slab, as the owner after it has searched its caches for them; returns their number.
static unsigned end_doubt(tiny_heap_t *heap, tiny_remote_t *remote, bool by_owner)
{
    tiny_slab_t *slab = slab_of(remote);
    size_t first = first_word(remote);
    unsigned count = 0;
    unlink_doubted(heap, remote);
    for (uint64_t words; (words = atomic_load_explicit(&remote->doubted_words, memory_order_relaxed)) != 0;) {
        const size_t word = first + (unsigned)__builtin_ctzll(words);
        const uint64_t blocks = doubted_of(slab, word);
        if (by_owner) check_caches(heap, slab, word, blocks);
        mark_at_home(slab, word, blocks);
        set_doubted(slab, word, 0);
        count += tiny_slab_set_free(slab, word, blocks);
    }
    return count;
}

static unsigned count_doubted(const tiny_remote_t *remote)
{
    const tiny_slab_t *slab = slab_of(remote);
    const size_t first = first_word(remote);
    unsigned count = 0;
    uint64_t words = atomic_load_explicit(&remote->doubted_words, memory_order_relaxed);
    for (; words != 0; words &= words - 1)
        count += (unsigned)__builtin_popcountll(doubted_of(slab, first + (unsigned)__builtin_ctzll(words)));
    return count;
}

// Of a quiet heap's slab: if others could use it without its doubted blocks, which the program has freed, these are returned. So what
// a program writes into its blocks keeps no memory from others. If a doubted block does lie in a cache of the owner, the
// program has freed it twice; in a slab that is more in use, the owner finds that. `freed`: blocks of the slab that are
// free, but still count as used. Returns the number of blocks.
static unsigned end_doubt_if_sparse(tiny_heap_t *heap, tiny_remote_t *remote, unsigned freed)
{
    const tiny_slab_t *slab = slab_of(remote);
    const unsigned doubted = count_doubted(remote);
    if (doubted == 0 || slab->used - freed - doubted > tiny_slab_offered_most(slab)) return 0;
    return end_doubt(heap, remote, false);
}

#define DOUBTED_LOOKED_AT 32u // slabs in each visit, in turn

void tiny_remote_look_at_doubted(tiny_heap_t *heap)
{
    for (unsigned looks = DOUBTED_LOOKED_AT; looks > 0 && heap->doubted != NULL; looks--) {
        tiny_remote_t *remote = heap->doubted;
        heap->doubted = remote->next_doubted;
        const unsigned count = end_doubt_if_sparse(heap, remote, 0);
        if (count > 0) (void)tiny_slab_count_freed(heap, slab_of(remote), count);
    }
}

static void end_doubts(tiny_heap_t *heap)
{
    while (heap->doubted != NULL) {
        tiny_remote_t *remote = heap->doubted;
        (void)tiny_slab_count_freed(heap, slab_of(remote), end_doubt(heap, remote, true));
    }
}

bool tiny_remote_is_doubted(const tiny_slab_t *slab)
{
    for (unsigned i = 0; i < TINY_REMOTES_A_PAGE; i++)
        if (atomic_load_explicit(&slab->remote[i].doubted_words, memory_order_relaxed) != 0) return true;
    return false;
}

#else

static unsigned end_doubt_if_sparse(tiny_heap_t *heap, tiny_remote_t *remote, unsigned freed)
{
    (void)heap, (void)remote, (void)freed;
    return 0;
}

void tiny_remote_look_at_doubted(tiny_heap_t *heap)
{
    (void)heap;
}

static void end_doubts(tiny_heap_t *heap)
{
    (void)heap;
}

bool tiny_remote_is_doubted(const tiny_slab_t *slab)
{
    (void)slab;
    return false;
}

static uint64_t checked(const tiny_heap_t *heap, const tiny_slab_t *slab, size_t word, uint64_t blocks,
                        tiny_collector_t by)
{
    (void)heap, (void)slab, (void)word, (void)by;
    return blocks;
}

#endif

// ---- collecting

// An idle heap keeps no empty slab; its slabs with room are available to all tiny_heaps.
static void offer_room(tiny_heap_t *heap, tiny_slab_t *slab, size_t class, bool is_gone,
                       unsigned rooms_before)
{
    if (!is_gone && slab->used == 0 && slab->listed) tiny_slab_release(heap, slab);
    tiny_heaps_count_idle_slabs(class, heap->rooms[class] - rooms_before);
}

// Returns the number of blocks that have become free.
static unsigned take_in_words(tiny_heap_t *heap, tiny_remote_t *remote, tiny_collector_t by)
{
    tiny_slab_t *slab = slab_of(remote);
    size_t first = first_word(remote);
    unsigned count = 0;
    for (uint64_t words = atomic_exchange(&remote->words, 0); words != 0; words &= words - 1) {
        size_t at = (unsigned)__builtin_ctzll(words), word = first + at;
        uint64_t freed = atomic_exchange(&remote->freed[at], 0);
        check_freed_once(slab, word, freed, doubted_of(slab, word));
        uint64_t blocks = checked(heap, slab, word, freed, by);
        if (blocks != 0) count += tiny_slab_set_free(slab, word, blocks);
    }
    return count;
}

// A slab that another heap has adopted since is sent on.
static void take_in(tiny_heap_t *heap, tiny_remote_t *remote, tiny_collector_t by)
{
    tiny_slab_t *slab = slab_of(remote);
    if (UNLIKELY(TINY_TAG_OWNER(tiny_registry_tag(slab->start)) != heap->id)) {
        tiny_remote_list(owner_of(slab), remote, remote, 1);
        return;
    }
    size_t class = slab->class;
    unsigned rooms = heap->rooms[class], count = take_in_words(heap, remote, by);
    if (by == TINY_BY_TAKER) count += end_doubt_if_sparse(heap, remote, count);
    bool is_gone = count > 0 && tiny_slab_count_freed(heap, slab, count);
    if (by == TINY_BY_SENDER) offer_room(heap, slab, class, is_gone, rooms);
}

// A slab may become pending again as soon as its blocks are taken.
void tiny_remote_collect(tiny_heap_t *heap, tiny_collector_t by)
{
    if (LIKELY(atomic_load_explicit(&heap->pending, memory_order_relaxed) == NULL)) return;
    uint32_t count = 0;
    for (tiny_remote_t *remote = atomic_exchange(&heap->pending, NULL), *next; remote != NULL;
         remote = next, count++) {
        next = remote->next;
        if (next != NULL) __builtin_prefetch(next, 1);
        take_in(heap, remote, by);
    }
    atomic_fetch_sub_explicit(&heap->pending_count, count, memory_order_relaxed);
}

void tiny_heap_collect(tiny_heap_t *heap)
{
    tiny_remote_collect(heap, TINY_BY_OWNER);
    end_doubts(heap);
}
