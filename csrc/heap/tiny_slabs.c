// Slabs of a heap: listed by class while they have room.
#include "heap/tiny_slabs.h"

#include "hardened/tiny_order.h"
#include "heap/shared_pool.h"
#include "os/die.h"

#define SHRUNK_BYTES ((size_t)1 << 20)
#define SPARSE 16u // a heap is sparse if less than 1 / SPARSE of its slabs' bytes is allocated

static _Atomic(unsigned) next_colour;

static void list_slab(tiny_heap_t *heap, tiny_slab_t *slab)
{
    tiny_slab_t **head = &heap->with_room[slab->class];
    slab->previous = NULL;
    slab->next = *head;
    if (*head != NULL) (*head)->previous = slab;
    *head = slab;
    slab->listed = true;
    heap->rooms[slab->class]++;
}

static void unlist_slab(tiny_heap_t *heap, tiny_slab_t *slab)
{
    if (slab->previous != NULL) slab->previous->next = slab->next;
    else heap->with_room[slab->class] = slab->next;
    if (slab->next != NULL) slab->next->previous = slab->previous;
    slab->listed = false;
    heap->rooms[slab->class]--;
}

static char *page_of(const void *block)
{
    return (char *)((uintptr_t)block & ~(uintptr_t)(HAK_PAGE - 1));
}

static void tag_slab(const tiny_slab_t *slab, tiny_tag_t tag)
{
    char *page = page_of(slab->start);
    for (unsigned i = 0; i < slab->pages; i++) tiny_registry_set(page + i * HAK_PAGE, tag);
}

// Returns a multiple of the alignment of the class's blocks.
static unsigned draw_colour(size_t class)
{
    unsigned step = tiny_class_size[class] & -tiny_class_size[class];
    if (step < TINY_COLOUR_STEP) step = TINY_COLOUR_STEP;
    if (step > TINY_ALIGNMENT_MOST) step = (unsigned)TINY_ALIGNMENT_MOST;
    unsigned colours = TINY_COLOUR_SPAN / step;
    if (colours <= TINY_FIRST_COLOUR) colours = TINY_FIRST_COLOUR + 1;
    unsigned count = atomic_fetch_add_explicit(&next_colour, 1, memory_order_relaxed);
    return (count % (colours - TINY_FIRST_COLOUR) + TINY_FIRST_COLOUR) * step;
}

// Returns the fewest pages that hold six blocks and leave at most a tenth unused.
unsigned tiny_slab_pages_for(size_t class)
{
    size_t size = tiny_class_size[class];
    unsigned pages = 1;
    for (; pages < TINY_SLAB_PAGES_MOST; pages *= 2) {
        size_t bytes = pages * HAK_PAGE;
        if (bytes / size >= 6 && bytes % size <= bytes / 10) break;
    }
    return pages;
}

tiny_slab_t *tiny_slab_format(tiny_heap_t *heap, char *page, unsigned pages, size_t class)
{
    unsigned colour = draw_colour(class);
    tiny_slab_t *slab = tiny_registry_record(page);
    for (unsigned i = 0; i < pages; i++) slab[i].behind = (uint8_t)i;
    slab->pages = (uint8_t)pages;
    slab->free = NULL;
    slab->start = page + colour;
    slab->used = 0;
    slab->fresh = 0;
    slab->capacity = (uint16_t)((pages * HAK_PAGE - colour) / tiny_class_size[class]);
    slab->class = (uint8_t)class;
    tiny_order_set_up(&heap->random, slab);
    list_slab(heap, slab);
    tag_slab(slab, TINY_TAG(heap->id, class));
    return slab;
}

static void count_out(tiny_heap_t *heap, size_t bytes)
{
    heap->bytes_out += bytes;
    if (heap->bytes_out > heap->bytes_out_peak) heap->bytes_out_peak = heap->bytes_out;
}

void tiny_slab_move(tiny_heap_t *from, tiny_heap_t *to, tiny_slab_t *slab)
{
    size_t bytes = slab->used * (size_t)tiny_class_size[slab->class];
    unlist_slab(from, slab);
    from->bytes_out -= bytes;
    count_out(to, bytes);
    list_slab(to, slab);
    tag_slab(slab, TINY_TAG(to->id, slab->class));
}

// ---- taking blocks

static unsigned take_freed(tiny_heap_t *heap, tiny_slab_t *slab, unsigned want, tiny_chain_t *chain)
{
    unsigned taken = 0;
    while (taken < want && slab->free != NULL) {
        tiny_block_t *block = slab->free;
        slab->free = tiny_next(block);
        tiny_order_add(&heap->random, chain, block);
        taken++;
    }
    return taken;
}

// Adds blocks from the last to the first, so that they are allocated in the order of their addresses.
static unsigned take_fresh(tiny_heap_t *heap, tiny_slab_t *slab, unsigned want, tiny_chain_t *chain)
{
    size_t size = tiny_class_size[slab->class];
    unsigned room = (unsigned)(slab->capacity - slab->fresh);
    unsigned taken = want < room ? want : room;
    for (unsigned i = taken; i-- > 0;)
        tiny_order_add(&heap->random, chain,
                       (tiny_block_t *)(void *)(slab->start + tiny_order_nth(slab, slab->fresh + i) * size));
    slab->fresh = (uint16_t)(slab->fresh + taken);
    return taken;
}

unsigned tiny_slab_take(tiny_heap_t *heap, tiny_slab_t *slab, unsigned want, tiny_chain_t *chain)
{
    unsigned taken = take_freed(heap, slab, want, chain);
    if (taken < want) taken += take_fresh(heap, slab, want - taken, chain);
    slab->used += taken;
    count_out(heap, taken * (size_t)tiny_class_size[slab->class]);
    HAK_CHECK(slab->used <= slab->capacity, "slab holds fewer blocks than are out", slab->start);
    if (slab->free == NULL && slab->fresh == slab->capacity) unlist_slab(heap, slab);
    return taken;
}

// ---- slabs that become empty

#if TINY_MARKS && !TINY_MARK_IN_LINK

// The second words hold the secret, which must not appear in blocks of another class.
static void wipe_marks(const tiny_slab_t *slab)
{
    size_t size = tiny_class_size[slab->class];
    for (size_t i = 0; i < slab->fresh; i++) tiny_set_second_word(slab->start + i * size, 0);
}

#else

static void wipe_marks(const tiny_slab_t *slab)
{
    (void)slab;
}

#endif

void tiny_slab_release(tiny_heap_t *heap, tiny_slab_t *slab)
{
    wipe_marks(slab);
    unlist_slab(heap, slab);
    tag_slab(slab, 0);
    shared_pool_give(page_of(slab->start), slab->pages);
}

void tiny_slabs_release_empty(tiny_heap_t *heap)
{
    for (size_t class = 0; class < TINY_CLASSES; class++) {
        for (tiny_slab_t *slab = heap->with_room[class], *next; slab != NULL; slab = next) {
            next = slab->next;
            if (slab->used == 0) tiny_slab_release(heap, slab);
        }
    }
}

// ---- giving blocks

#if TINY_CHECKS >= TINY_CHECKS_BASIC

// Finds what the fast path does not check: a pointer into a block, or to a block that was never allocated.
static void check_home(const tiny_slab_t *slab, const tiny_block_t *block)
{
    size_t index = tiny_block_index(slab, block);
    if (UNLIKELY(index >= slab->capacity)) tiny_die("free of a pointer into a block", block);
    // With full checks, fresh blocks are allocated in another order, and the state of each block is recorded.
    if (UNLIKELY(TINY_CHECKS < TINY_CHECKS_FULL && index >= slab->fresh))
        tiny_die("free of a pointer that is no block", block);
}

#endif

bool tiny_slab_give(tiny_heap_t *heap, tiny_slab_t *slab, tiny_block_t *block)
{
    if (UNLIKELY(slab->used == 0)) tiny_die("double free", block);
#if TINY_CHECKS >= TINY_CHECKS_BASIC
    check_home(slab, block);
#endif
    tiny_link(block, slab->free);
    slab->free = block;
    slab->used--;
    heap->bytes_out -= tiny_class_size[slab->class];
    if (!slab->listed) list_slab(heap, slab);
    if (slab->used > 0 || heap->rooms[slab->class] == 1) return false;
    tiny_slab_release(heap, slab);
    return true;
}

void tiny_heap_give(tiny_heap_t *heap, tiny_block_t *block)
{
    tiny_slab_give(heap, tiny_registry_slab(block), block);
}

// ---- searching

// The owner clears a mark in a link before it returns a block to its slab. So a marked block that arrives was freed a
// second time while it lay in a cache, and was returned to its slab since; or the program wrote the mark. It is enough
// to check the blocks that were returned last.
#define HOLDS_LOOKS (TINY_MARK_IN_LINK ? 64u : UINT16_MAX)

bool tiny_heap_holds(const tiny_block_t *wanted)
{
    const tiny_block_t *block = tiny_registry_slab(wanted)->free;
    for (unsigned looks = HOLDS_LOOKS; looks > 0 && block != NULL; looks--) {
        if (block == wanted) return true;
        block = tiny_next(block);
    }
    return false;
}

// ---- the end of a burst

// True if few blocks keep many slabs in use: some of these blocks may lie in a cache, where they count as allocated.
static bool is_sparse(const tiny_heap_t *heap)
{
    size_t pages = 0;
    for (size_t class = 0; class < TINY_CLASSES; class++)
        pages += heap->rooms[class] * (size_t)tiny_slab_pages_for(class);
    return pages * HAK_PAGE / SPARSE > heap->bytes_out + SHRUNK_BYTES / SPARSE;
}

// A burst is over once more than SHRUNK_BYTES and more than half of the peak are free; smaller variations are normal.
bool tiny_heap_has_shrunk(const tiny_heap_t *heap)
{
    if (heap->bytes_out_peak - heap->bytes_out > SHRUNK_BYTES && heap->bytes_out < heap->bytes_out_peak / 2)
        return true;
    return is_sparse(heap);
}

void tiny_heap_forget_peak(tiny_heap_t *heap)
{
    heap->bytes_out_peak = heap->bytes_out;
}
