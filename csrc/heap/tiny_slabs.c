// Slabs of a heap: listed by class while they have room.
#include "heap/tiny_slabs.h"

#include <string.h>

#include "hardened/tiny_notes.h"
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

static size_t free_words(const tiny_slab_t *slab)
{
    return (slab->capacity + 63u) / 64;
}

tiny_slab_t *tiny_slab_format(tiny_heap_t *heap, char *page, unsigned pages, size_t class)
{
    unsigned colour = draw_colour(class);
    tiny_slab_t *slab = tiny_registry_record(page);
    for (unsigned i = 0; i < pages; i++) slab[i].behind = (uint8_t)i;
    slab->pages = (uint8_t)pages;
    slab->start = page + colour;
    slab->used = 0;
    slab->fresh = 0;
    slab->capacity = (uint16_t)((pages * HAK_PAGE - canary_slab_guard() - colour) / tiny_class_size[class]);
    slab->free_from = 0;
    slab->clean = 0;
    memset(slab->free, 0, free_words(slab) * sizeof *slab->free);
    slab->class = (uint8_t)class;
    tiny_order_set_up(slab);
    tiny_heap_count_pages(heap, (ptrdiff_t)pages);
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
    tiny_heap_count_pages(from, -(ptrdiff_t)slab->pages);
    tiny_heap_count_pages(to, slab->pages);
    from->bytes_out -= bytes;
    count_out(to, bytes);
    list_slab(to, slab);
    tag_slab(slab, TINY_TAG(to->id, slab->class));
}

// ---- taking blocks

#if TINY_CHECKS >= TINY_CHECKS_FULL

// The next block is drawn from the free ones, so fresh blocks become free ones: at least `want` of all, if there are as many.
static void open_windows(tiny_slab_t *slab, unsigned want)
{
    while (slab->fresh - slab->used < want && slab->fresh < slab->capacity) {
        size_t end = slab->fresh + tiny_order_window(slab);
        for (size_t i = slab->fresh; i < end;) {
            size_t bits = 64 - i % 64 < end - i ? 64 - i % 64 : end - i;
            slab->free[i / 64] |= UINT64_MAX >> (64 - bits) << i % 64;
            i += bits;
        }
        slab->fresh = (uint16_t)end;
    }
}

#else

static void open_windows(tiny_slab_t *slab, unsigned want)
{
    (void)slab;
    (void)want;
}

#endif

// Adds `want` free blocks of a slab that has as many to the row, and marks them as allocated.
static void take_freed(tiny_heap_t *heap, tiny_slab_t *slab, unsigned want, tiny_row_t *row)
{
    size_t words = (slab->fresh + 63u) / 64, word = tiny_order_first_word(&heap->random, slab, words);
    for (unsigned left = want; left > 0;) {
        uint64_t bits = slab->free[word];
        const bool takes_all = tiny_order_takes_all(bits, left);
        for (; bits != 0 && left > 0; left--) {
            uint32_t drawn = tiny_order_draw(&heap->random);
            unsigned bit = takes_all ? (unsigned)__builtin_ctzll(bits) : tiny_order_pick(drawn, bits);
            bits &= ~((uint64_t)1 << bit);
            tiny_block_t *block = tiny_block_at(slab, word * 64 + bit);
            __builtin_prefetch(block, 1);
            tiny_order_add(drawn, row, block);
        }
        slab->free[word] = bits;
        slab->free_from = (uint8_t)word;
        if (bits == 0) word = word + 1 < words ? word + 1 : 0;
    }
}

static void take_fresh(tiny_slab_t *slab, unsigned want, tiny_row_t *row)
{
    for (unsigned i = 0; i < want; i++) tiny_row_add(row, tiny_block_at(slab, slab->fresh + i));
    slab->fresh = (uint16_t)(slab->fresh + want);
}

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

unsigned tiny_slab_take(tiny_heap_t *heap, tiny_slab_t *slab, unsigned want, tiny_row_t *row)
{
    open_windows(slab, want);
    unsigned freed = least(want, slab->fresh - slab->used);
    unsigned fresh = least(want - freed, (unsigned)(slab->capacity - slab->fresh));
    take_freed(heap, slab, freed, row);
    take_fresh(slab, fresh, row);
    slab->used += freed + fresh;
    count_out(heap, (freed + fresh) * (size_t)tiny_class_size[slab->class]);
    HAK_CHECK(slab->used <= slab->capacity, "slab holds fewer blocks than are out", slab->start);
    if (slab->used == slab->capacity) unlist_slab(heap, slab);
    return freed + fresh;
}

// ---- slabs that become empty

#if TINY_MARKS && !TINY_MARK_IN_LINK

// The second words hold the secret, which must not appear in blocks of another class.
static void wipe_marks(const tiny_slab_t *slab)
{
    size_t size = tiny_class_size[slab->class];
    for (size_t i = 0; i < slab->fresh; i++) tiny_set_second_word(slab->start + i * size, 0);
}

#elif TINY_CHECKS >= TINY_CHECKS_FULL

static void wipe_marks(const tiny_slab_t *slab)
{
    tiny_notes_wipe(slab);
}

#else

static void wipe_marks(const tiny_slab_t *slab)
{
    (void)slab;
}

#endif

static void return_slab(tiny_heap_t *heap, const tiny_slab_t *slab)
{
    tiny_heap_count_pages(heap, -(ptrdiff_t)slab->pages);
    wipe_marks(slab);
    tag_slab(slab, 0);
    shared_pool_give(page_of(slab->start), slab->pages);
}

void tiny_slab_release(tiny_heap_t *heap, tiny_slab_t *slab)
{
    unlist_slab(heap, slab);
    return_slab(heap, slab);
}

// An empty slab that its heap keeps is used again for blocks at the same addresses, which the processor's caches may still hold.
// With one thread, the pool's pages come back to it anyway.
// When a slab is added: kept_pages <= min(KEPT_PAGES_MOST, KEPT_PAGES_IN_ALL / threads), and their bytes <= bytes_out_peak.
#define KEPT_PAGES_IN_ALL 512u
#define KEPT_PAGES_MOST 32u

static bool may_keep(const tiny_heap_t *heap, unsigned pages)
{
    const size_t threads = tiny_heaps_live(), kept = heap->kept_pages + pages;
    if (atomic_load_explicit(&heap->state, memory_order_relaxed) != TINY_HEAP_LIVE) return false;
    return threads > 1 && kept <= KEPT_PAGES_MOST && kept * threads <= KEPT_PAGES_IN_ALL &&
           kept * HAK_PAGE <= heap->bytes_out_peak;
}

static void keep(tiny_heap_t *heap, tiny_slab_t *slab)
{
    unlist_slab(heap, slab);
    slab->next = heap->kept[slab->class];
    heap->kept[slab->class] = slab;
    heap->kept_pages += slab->pages;
}

static tiny_slab_t *take_kept(tiny_heap_t *heap, size_t class)
{
    tiny_slab_t *slab = heap->kept[class];
    if (slab == NULL) return NULL;
    heap->kept[class] = slab->next;
    heap->kept_pages -= slab->pages;
    return slab;
}

tiny_slab_t *tiny_slab_use_kept(tiny_heap_t *heap, size_t class)
{
    tiny_slab_t *slab = take_kept(heap, class);
    if (slab != NULL) list_slab(heap, slab);
    return slab;
}

static bool release_one_kept(tiny_heap_t *heap, size_t class)
{
    tiny_slab_t *slab = take_kept(heap, class);
    if (slab != NULL) return_slab(heap, slab);
    return slab != NULL;
}

unsigned tiny_slabs_release_empty(tiny_heap_t *heap)
{
    unsigned released = 0;
    for (size_t class = 0; class < TINY_CLASSES; class++) {
        while (release_one_kept(heap, class)) released++;
        for (tiny_slab_t *slab = heap->with_room[class], *next; slab != NULL; slab = next) {
            next = slab->next;
            if (slab->used > 0) continue;
            tiny_slab_release(heap, slab);
            released++;
        }
    }
    return released;
}

// True: a slab of the class was released.
static bool release_one_of(tiny_heap_t *heap, size_t class)
{
    if (release_one_kept(heap, class)) return true;
    tiny_slab_t *slab = heap->with_room[class];
    if (heap->rooms[class] != 1 || slab->used > 0) return false;
    tiny_slab_release(heap, slab);
    return true;
}

bool tiny_slabs_release_one(tiny_heap_t *heap)
{
    for (size_t looks = 0; looks < TINY_CLASSES; looks++) {
        size_t class = heap->next_released;
        if (release_one_of(heap, class)) return true;
        heap->next_released = class + 1 < TINY_CLASSES ? (uint32_t)class + 1 : 0;
    }
    return false;
}

// ---- free blocks of slabs in use

#if TINY_CHECKS >= TINY_CHECKS_FULL

// A free block keeps its fill, which shows later writes to it.
void tiny_slabs_purge(tiny_heap_t *heap, unsigned calls)
{
    (void)heap;
    (void)calls;
}

#else

#define PURGED_BLOCKS 64u // a slab of more blocks, which are small then, is not purged

// Returns the memory of the blocks [first, end), which are free, to the system.
static bool purge_blocks(const tiny_slab_t *slab, size_t first, size_t end)
{
    uintptr_t start = hak_round_up((uintptr_t)tiny_block_at(slab, first), OS_PAGE);
    uintptr_t stop = (uintptr_t)tiny_block_at(slab, end) & ~(OS_PAGE - 1);
    return stop > start && shared_pool_purge((void *)start, stop - start);
}

// Returns the number of system calls.
static unsigned purge_slab(tiny_slab_t *slab)
{
    unsigned calls = 0;
    for (uint64_t left = slab->free[0] & ~slab->clean; left != 0; calls++) {
        unsigned first = (unsigned)__builtin_ctzll(left);
        uint64_t row = ~(left >> first); // its lowest bits are 0 for the free blocks from the first on
        unsigned end = row != 0 ? first + (unsigned)__builtin_ctzll(row) : PURGED_BLOCKS;
        uint64_t blocks =
            (end < PURGED_BLOCKS ? ((uint64_t)1 << end) - 1 : UINT64_MAX) & ~(((uint64_t)1 << first) - 1);
        if (purge_blocks(slab, first, end)) slab->clean |= blocks;
        left &= ~blocks;
    }
    return calls;
}

void tiny_slabs_purge(tiny_heap_t *heap, unsigned calls)
{
    for (size_t class = 0; class < TINY_CLASSES; class++) {
        if (tiny_class_size[class] < OS_PAGE / 4) continue;
        for (tiny_slab_t *slab = heap->with_room[class]; slab != NULL && calls > 0; slab = slab->next) {
            unsigned made = slab->capacity <= PURGED_BLOCKS ? purge_slab(slab) : 0;
            calls -= made < calls ? made : calls;
        }
    }
}

#endif

// ---- giving blocks

static bool is_free(const tiny_slab_t *slab, size_t index)
{
    return slab->free[index / 64] >> index % 64 & 1;
}

// With full checks, fresh blocks are allocated in another order, and the state of each block is recorded.
static size_t end_of_allocated(const tiny_slab_t *slab)
{
    return TINY_CHECKS == TINY_CHECKS_BASIC ? slab->fresh : slab->capacity;
}

// Ends the process: a pointer into a block, to one that was never allocated, or to one that is free is freed.
static COLD _Noreturn void die_of_free(const tiny_slab_t *slab, const tiny_block_t *block)
{
    size_t index = tiny_block_index(slab, block);
    if (index >= slab->capacity) tiny_die("free of a pointer into a block", block);
    if (index >= end_of_allocated(slab)) tiny_die("free of a pointer that is no block", block);
    tiny_die("double free", block);
}

// Marks blocks as free, given by their bits in one word.
ALWAYS_INLINE void set_bits(tiny_slab_t *slab, size_t word, uint64_t blocks)
{
    const uint64_t free = slab->free[word];
    if (UNLIKELY((free & blocks) != 0))
        die_of_free(slab, tiny_block_at(slab, word * 64 + (unsigned)__builtin_ctzll(free & blocks)));
    slab->free[word] = free | blocks;
    slab->clean &= ~blocks; // 0 unless there is only one word
    if (word < slab->free_from) slab->free_from = (uint8_t)word;
}

// Marks the slab's block as free; checks what the fast path does not.
ALWAYS_INLINE void set_free(tiny_slab_t *slab, const tiny_block_t *block)
{
    size_t index = tiny_block_index(slab, block);
    if (UNLIKELY(index >= end_of_allocated(slab))) die_of_free(slab, block);
    set_bits(slab, index / 64, (uint64_t)1 << index % 64);
}

// Keeps the class's only slab with room, and some others. True: the slab was returned to the pool.
static bool release_if_empty(tiny_heap_t *heap, tiny_slab_t *slab)
{
    if (slab->used > 0 || heap->rooms[slab->class] == 1) return false;
    if (may_keep(heap, slab->pages)) {
        keep(heap, slab);
        return false;
    }
    tiny_slab_release(heap, slab);
    return true;
}

ALWAYS_INLINE bool count_freed(tiny_heap_t *heap, tiny_slab_t *slab, unsigned count)
{
    slab->used -= count;
    heap->bytes_out -= count * (size_t)tiny_class_size[slab->class];
    if (UNLIKELY(!slab->listed)) list_slab(heap, slab);
    return UNLIKELY(slab->used == 0) && release_if_empty(heap, slab);
}

bool tiny_slab_count_freed(tiny_heap_t *heap, tiny_slab_t *slab, unsigned count)
{
    return count_freed(heap, slab, count);
}

unsigned tiny_slab_set_free(tiny_slab_t *slab, size_t word, uint64_t blocks)
{
    size_t last = word * 64 + 63 - (unsigned)__builtin_clzll(blocks);
    if (UNLIKELY(TINY_CHECKS == TINY_CHECKS_BASIC && last >= slab->fresh))
        tiny_die("free of a pointer that is no block", tiny_block_at(slab, last));
    set_bits(slab, word, blocks);
    return (unsigned)__builtin_popcountll(blocks);
}

bool tiny_slab_give(tiny_heap_t *heap, tiny_slab_t *slab, const tiny_block_t *block)
{
    set_free(slab, block);
    return tiny_slab_count_freed(heap, slab, 1);
}

void tiny_heap_give(tiny_heap_t *heap, tiny_block_t *block)
{
    tiny_slab_give(heap, tiny_registry_slab(block), block);
}

// Returns how many blocks from the first on are neighbours in the slab, in the order of their addresses or in the reverse
// one, like those of a program that frees what it has allocated at one time.
ALWAYS_INLINE unsigned count_neighbours(const tiny_slab_t *slab, tiny_block_t *const *blocks, unsigned count)
{
    if (count < 2) return 1;
    const uintptr_t start = (uintptr_t)slab->start, size = tiny_class_size[slab->class];
    const uintptr_t step = (uintptr_t)blocks[1] - (uintptr_t)blocks[0];
    if (step != size && step != -size) return 1;
    const size_t bytes = end_of_allocated(slab) * size;
    unsigned found = 2;
    for (uintptr_t next = (uintptr_t)blocks[1] + step; found < count && (uintptr_t)blocks[found] == next;
         next += step)
        found++;
    while (found > 1 && (uintptr_t)blocks[found - 1] - start >= bytes)
        found--; // blocks of the next slab, or none
    return found;
}

// Marks at least two neighbours as free.
static void set_neighbours_free(tiny_slab_t *slab, size_t index, unsigned count)
{
    const unsigned room = 64 - index % 64, first = least(count, room);
    set_bits(slab, index / 64, UINT64_MAX >> (64 - first) << index % 64);
    if (count > first) set_bits(slab, index / 64 + 1, UINT64_MAX >> (64 - (count - first)));
}

// Returns the first blocks to the slab that contains them; returns their number.
ALWAYS_INLINE unsigned give_neighbours(tiny_heap_t *heap, tiny_slab_t *slab, tiny_block_t *const *blocks,
                                       unsigned count)
{
    const unsigned found = count_neighbours(slab, blocks, count);
    const tiny_block_t *first = *blocks < blocks[found - 1] ? *blocks : blocks[found - 1];
    const size_t offset = (uintptr_t)first - (uintptr_t)slab->start, size = tiny_class_size[slab->class];
    const size_t index = offset * tiny_class_inverse[slab->class] >> TINY_INVERSE_BITS;
    if (UNLIKELY(index * size != offset)) die_of_free(slab, first);
    if (UNLIKELY(index + found > end_of_allocated(slab)))
        die_of_free(slab, tiny_block_at(slab, index + found - 1));
    if (found == 1) set_bits(slab, index / 64, (uint64_t)1 << index % 64);
    else set_neighbours_free(slab, index, found);
    count_freed(heap, slab, found);
    return found;
}

// True if the first blocks are probably neighbours in their order. Two blocks of a large class often are by chance.
static bool seem_neighbours(size_t class, tiny_block_t *const *blocks, unsigned count)
{
    if (count < 2) return false;
    const uintptr_t size = tiny_class_size[class], step = (uintptr_t)blocks[1] - (uintptr_t)blocks[0];
    if (step != size && step != -size) return false;
    return count < 4 || (uintptr_t)blocks[3] - (uintptr_t)blocks[0] == 3 * step;
}

// Where a block lies.
typedef struct place {
    tiny_slab_t *slab;
    size_t index;
} place_t;

// Finds the places of blocks of a class, and fetches their bits from memory: all at once, before the first one is needed.
// Stops at a block that is not found to be the heap's; returns the number of those before it.
static unsigned find_places(const tiny_heap_t *heap, size_t class, tiny_block_t *const *blocks,
                            unsigned count, place_t *places)
{
    const uint64_t own = TINY_OWN_TAG(heap->id), inverse = tiny_class_inverse[class];
    const size_t size = tiny_class_size[class];
    tiny_block_t *const *const end = blocks + count, *const *at = blocks;
    for (; at < end && LIKELY(tiny_own_class(*at, own) == class); at++, places++) {
        tiny_slab_t *slab = tiny_registry_slab(*at);
        const size_t offset = (uintptr_t)*at - (uintptr_t)slab->start;
        const size_t index = offset * inverse >> TINY_INVERSE_BITS;
        if (UNLIKELY(index * size != offset || index >= end_of_allocated(slab))) die_of_free(slab, *at);
        __builtin_prefetch(&slab->free[index / 64], 1);
        places->slab = slab;
        places->index = index;
    }
    return (unsigned)(at - blocks);
}

// Marks blocks of a class as free, until a slab is returned to the pool: a block of the others may have been freed twice
// and lie in it. Returns their number.
static unsigned give_places(tiny_heap_t *heap, size_t class, const place_t *places, unsigned count)
{
    bool released = false;
    unsigned given = 0;
    for (; given < count && !released; given++, places++) {
        tiny_slab_t *slab = places->slab;
        set_bits(slab, places->index / 64, (uint64_t)1 << places->index % 64);
        slab->used--;
        if (UNLIKELY(!slab->listed)) list_slab(heap, slab);
        if (UNLIKELY(slab->used == 0)) released = release_if_empty(heap, slab);
    }
    heap->bytes_out -= given * (size_t)tiny_class_size[class];
    return given;
}

unsigned tiny_heap_give_row(tiny_heap_t *heap, tiny_block_t *const *blocks, unsigned count)
{
    place_t places[TINY_ROW_MOST];
    for (unsigned given = 0; given < count;) {
        const unsigned left = count - given;
        const uint64_t class = tiny_own_class(blocks[given], TINY_OWN_TAG(heap->id));
        if (UNLIKELY(class >= TINY_CLASSES)) return given;
        if (seem_neighbours(class, &blocks[given], left)) {
            given += give_neighbours(heap, tiny_registry_slab(blocks[given]), &blocks[given], left);
        } else {
            const unsigned found = find_places(heap, class, &blocks[given], left, places);
            given += give_places(heap, class, places, found);
        }
    }
    return count;
}

bool tiny_heap_holds(const tiny_block_t *block)
{
    const tiny_slab_t *slab = tiny_registry_slab(block);
    size_t index = tiny_block_index(slab, block);
    return index < slab->capacity && is_free(slab, index);
}

// ---- the end of a burst

// True if few blocks keep many slabs in use: some of these blocks may lie in a cache, where they count as allocated.
static bool is_sparse(const tiny_heap_t *heap)
{
    return tiny_heap_pages(heap) * HAK_PAGE / SPARSE > heap->bytes_out + SHRUNK_BYTES / SPARSE;
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
