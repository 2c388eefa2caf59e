// Blocks leave a thread's caches.
#include "thread/tiny_give.h"

#include "heap/tiny_slabs.h"
#include "heap/tiny_visits.h"
#include "os/die.h"
#include "thread/outbox.h"
#include "thread/tiny_tls.h"

void tiny_backend_begin(void)
{
    if (LIKELY(tiny_thread.heap != NULL)) tiny_heap_begin(tiny_thread.heap);
}

void tiny_backend_end(void)
{
    if (LIKELY(tiny_thread.heap != NULL)) tiny_heap_end(tiny_thread.heap);
}

// The owner can only be checked in change: otherwise another thread may take the slab over.
bool tiny_give_home(tiny_block_t *block)
{
    tiny_heap_t *heap = tiny_thread.heap;
    if (heap == NULL) return false;
    tiny_heap_begin(heap);
    bool own = tiny_tls_owns(tiny_registry_tag(block));
    if (own) tiny_heap_give(heap, block);
    tiny_heap_end(heap);
    return own;
}

bool tiny_give_away(tiny_slab_t *slab, size_t index)
{
    if (LIKELY(tiny_thread.heap != NULL)) return outbox_add(tiny_thread.heap, slab, index);
    tiny_heap_send(slab, index / 64, (uint64_t)1 << index % 64);
    return false;
}

// Freeing a pointer that is not the start of a block would corrupt the heap, so the process ends here.
size_t tiny_give_index(const tiny_slab_t *slab, const tiny_block_t *block)
{
    size_t index = tiny_block_index(slab, block);
    if (UNLIKELY(index == SIZE_MAX)) tiny_die("free of a pointer into a block", block);
    return index;
}

// Fetches from memory what describes the blocks.
static void fetch_records(const tiny_noted_t *noted)
{
    for (unsigned i = 0; i < noted->count; i++)
        if (TINY_TAG_OWNER(tiny_registry_tag(noted->block[i])) != 0)
            __builtin_prefetch(tiny_registry_record(noted->block[i]));
}

// Gives away the first blocks, as far as they are neighbours like the first two, in the order of their addresses or in the reverse
// one, and have their bits in one word: a program often frees blocks in the order in which it has allocated them. `index`: of the
// first one. Returns their number.
static NOINLINE unsigned give_row_away(tiny_slab_t *slab, size_t index, tiny_block_t *const *blocks,
                                       unsigned count)
{
    const uintptr_t start = (uintptr_t)blocks[0], step = (uintptr_t)blocks[1] - start;
    const bool rises = step == tiny_class_size[slab->class];
    const size_t in_word = rises ? 64 - index % 64 : index % 64 + 1;
    const size_t in_slab = rises ? slab->capacity - index : index + 1;
    const size_t most = in_word < in_slab ? in_word : in_slab;
    unsigned found = 1;
    while (found < count && found < most && (uintptr_t)blocks[found] == start + found * step) found++;
    const size_t first = rises ? index : index - (found - 1);
    const uint64_t bits = UINT64_MAX >> (64 - found) << first % 64;
    outbox_add_row(tiny_thread.heap, slab, first / 64, bits, found);
    return found;
}

// Returns the number of blocks given. A block of a slab that the thread's heap has adopted since is returned home.
static unsigned give_some(tiny_block_t *const *blocks, unsigned count)
{
    tiny_block_t *block = blocks[0];
    tiny_tag_t tag = tiny_registry_tag(block);
    if (UNLIKELY(TINY_TAG_OWNER(tag) == 0)) hak_die("free of a pointer that is no block", block);
    tiny_slab_t *slab = tiny_registry_slab(block);
    size_t index = tiny_give_index(slab, block);
    if (LIKELY(!tiny_tls_owns(tag))) {
        const uintptr_t size = tiny_class_size[slab->class];
        const uintptr_t step = count > 1 ? (uintptr_t)blocks[1] - (uintptr_t)block : 0;
        if (step == size || step == -size) return give_row_away(slab, index, blocks, count);
        (void)outbox_add(tiny_thread.heap, slab, index);
        return 1;
    }
#if TINY_MARKS
    if (!TINY_MARK_IN_LINK) tiny_mark(block, tiny_secret());
#endif
    tiny_heap_give(tiny_thread.heap, block);
    return 1;
}

void tiny_give_noted(void)
{
    tiny_heap_t *heap = tiny_thread.heap;
    tiny_noted_t *noted = &heap->noted;
    tiny_heap_begin(heap);
    fetch_records(noted);
    for (unsigned i = 0; i < noted->count;) i += give_some(&noted->block[i], noted->count - i);
    noted->count = 0;
    noted->bytes = 0;
    tiny_heap_end(heap);
}

// Blocks in the caches belong to the thread's own heap, but those in the queue of spilled blocks may not.
void tiny_backend_give(tiny_block_t *block)
{
    if (tiny_give_home(block)) return;
    tiny_slab_t *slab = tiny_registry_slab(block);
    tiny_give_away(slab, tiny_give_index(slab, block));
}
