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

// Fetches the record of each block's page from memory. Returns the bits of the blocks whose slab the thread's heap has adopted
// since.
static uint64_t look_up(const tiny_noted_t *noted, tiny_slab_t **records)
{
    _Static_assert(TINY_NOTED_BLOCKS <= 64, "each block has a bit");
    uint64_t own = 0, is_own = 0;
    uintptr_t page = 0;
    tiny_slab_t *record = NULL;
    for (unsigned i = 0; i < noted->count; i++) {
        const tiny_block_t *block = noted->block[i];
        if ((uintptr_t)block >> HAK_PAGE_SHIFT != page) {
            tiny_tag_t tag = tiny_registry_tag(block);
            if (UNLIKELY(TINY_TAG_OWNER(tag) == 0)) hak_die("free of a pointer that is no block", block);
            page = (uintptr_t)block >> HAK_PAGE_SHIFT;
            is_own = tiny_tls_owns(tag);
            record = tiny_registry_record(block);
            __builtin_prefetch(record);
        }
        own |= is_own << i;
        records[i] = record;
    }
    return own;
}

static void return_home(tiny_block_t *block)
{
#if TINY_MARKS
    if (!TINY_MARK_IN_LINK) tiny_mark(block, tiny_secret());
#endif
    tiny_heap_give(tiny_thread.heap, block);
}

// Returns the number of blocks given.
ALWAYS_INLINE unsigned give_some(tiny_slab_t *slab, tiny_block_t *const *blocks, unsigned count)
{
    const size_t index = tiny_give_index(slab, blocks[0]);
    const uintptr_t size = tiny_class_size[slab->class];
    const uintptr_t step = count > 1 ? (uintptr_t)blocks[1] - (uintptr_t)blocks[0] : 0;
    if (step == size || step == -size) return give_row_away(slab, index, blocks, count);
    (void)outbox_add(tiny_thread.heap, slab, index);
    return 1;
}

void tiny_give_noted(void)
{
    tiny_heap_t *heap = tiny_thread.heap;
    tiny_noted_t *noted = &heap->noted;
    tiny_slab_t *records[TINY_NOTED_BLOCKS];
    tiny_heap_begin(heap);
    const uint64_t own = look_up(noted, records);
    for (unsigned i = 0; i < noted->count;) {
        if (LIKELY((own >> i & 1) == 0)) {
            i += give_some(records[i] - records[i]->behind, &noted->block[i], noted->count - i);
        } else {
            return_home(noted->block[i++]);
        }
    }
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
