// SuperSlab backend: slabs of heaps.
//
// Access: only its thread touches a live heap's slabs; an idle heap's slabs are touched only under the heaps' lock.
#include "heap/tiny_superslab.h"

#include "debug/debug.h"
#include "os/os.h"
#include "heap/run_cache.h"
#include "heap/shared_pool.h"
#include "hardened/tiny_order.h"

#define HEAPS_MAX 65536u // ids fit the tag's upper 24 bits with room to spare
#define SHRUNK_BYTES ((size_t)1 << 20)
#define SPARSE 16u // a heap is sparse if less than 1 / SPARSE of its slabs' bytes is allocated
#define MISSED_WAKE_MS 1u // an owner may end its change just before it sees that a fork waits for it
#define PENDING_SLABS 1024u // above this, a sender collects for the owner, if that is idle or not in change

static struct {
    os_lock_t forks; // held during a fork, during visits, and while a vanished heap is taken over
    os_lock_t lock;
    tiny_heap_t *idle;
    uint32_t count; // heaps ever made; their ids are 1..count
    _Atomic(uint32_t) live; // changed under the lock
    _Atomic(uint32_t) slabs_taken; // slabs taken from the shared pool by all heaps; serves as their clock
    uint32_t next_looked_at; // changed under the locks of a visit
    _Atomic(uint32_t) idle_slabs[TINY_CLASSES]; // slabs with room in idle heaps; changed under the lock
    _Atomic(tiny_heap_t *) by_id[HEAPS_MAX];
} heaps;

_Atomic(bool) tiny_heaps_forking;
_Atomic(bool) tiny_heaps_awaited;
_Atomic(tiny_heap_t *) tiny_heaps_vanished; // changed under the lock

static _Atomic(unsigned) next_colour;

void tiny_die(const char *what, const void *block)
{
    hak_die_of_size(what, block, tiny_class_size[TINY_TAG_KIND(tiny_registry_tag(block))]);
}

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
static unsigned pages_for(size_t class)
{
    size_t size = tiny_class_size[class];
    unsigned pages = 1;
    for (; pages < TINY_SLAB_PAGES_MOST; pages *= 2) {
        size_t bytes = pages * HAK_PAGE;
        if (bytes / size >= 6 && bytes % size <= bytes / 10) break;
    }
    return pages;
}

static tiny_slab_t *format_slab(tiny_heap_t *heap, char *page, unsigned pages, size_t class)
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
    tiny_order_set_up(heap, slab);
    list_slab(heap, slab);
    tag_slab(slab, TINY_TAG(heap->id, class));
    return slab;
}

static void count_out(tiny_heap_t *heap, size_t bytes)
{
    heap->bytes_out += bytes;
    if (heap->bytes_out > heap->bytes_out_peak) heap->bytes_out_peak = heap->bytes_out;
}

// Adopts a slab with room from an idle heap before new pages are taken.
static tiny_slab_t *adopt_slab(tiny_heap_t *heap, size_t class)
{
    if (atomic_load_explicit(&heaps.idle_slabs[class], memory_order_relaxed) == 0) return NULL;
    tiny_slab_t *slab = NULL;
    os_lock(&heaps.lock);
    for (tiny_heap_t *idle = heaps.idle; idle != NULL && slab == NULL; idle = idle->next_waiting) {
        slab = idle->with_room[class];
        if (slab == NULL) continue;
        unlist_slab(idle, slab);
        idle->bytes_out -= slab->used * (size_t)tiny_class_size[class];
    }
    if (slab != NULL) {
        atomic_fetch_sub_explicit(&heaps.idle_slabs[class], 1, memory_order_relaxed);
        count_out(heap, slab->used * (size_t)tiny_class_size[class]);
        list_slab(heap, slab);
        tag_slab(slab, TINY_TAG(heap->id, class));
    }
    os_unlock(&heaps.lock);
    return slab;
}

// ---- slabs of quiet heaps

#define QUIET_SLABS 32u // slabs that other heaps have taken meanwhile
#define TAKEN_OVER 16u // slabs taken over at a time
#define HEAPS_LOOKED_AT 128u
#define PAUSE_MOST 64u

typedef enum collector { BY_OWNER, BY_VISIT, BY_SENDER } collector_t; // a sender collects for an idle heap
static void collect(tiny_heap_t *heap, collector_t by);
static bool begin_visits(void);
static void end_visits(void);

static bool is_quiet(const tiny_heap_t *heap)
{
    return atomic_load(&heap->state) == TINY_HEAP_LIVE && !atomic_load(&heap->in_change) &&
           atomic_load_explicit(&heaps.slabs_taken, memory_order_relaxed) - heap->took_at >= QUIET_SLABS;
}

static void move_slab(tiny_heap_t *from, tiny_heap_t *to, tiny_slab_t *slab)
{
    size_t bytes = slab->used * (size_t)tiny_class_size[slab->class];
    unlist_slab(from, slab);
    from->bytes_out -= bytes;
    count_out(to, bytes);
    list_slab(to, slab);
    tag_slab(slab, TINY_TAG(to->id, slab->class));
}

// Blocks of the slab in the previous owner's caches now belong to the new owner; they are sent to it when the caches
// release them.
static unsigned take_over(tiny_heap_t *heap, size_t class)
{
    unsigned taken = 0;
    uint32_t looks = heaps.count < HEAPS_LOOKED_AT ? heaps.count : HEAPS_LOOKED_AT;
    for (; looks > 0 && taken == 0; looks--) {
        tiny_heap_t *quiet = atomic_load(&heaps.by_id[1 + heaps.next_looked_at++ % heaps.count]);
        if (quiet == heap || !is_quiet(quiet)) continue;
        collect(quiet, BY_VISIT); // other threads may have freed all its blocks
        for (; taken < TAKEN_OVER && quiet->with_room[class] != NULL; taken++)
            move_slab(quiet, heap, quiet->with_room[class]);
    }
    return taken;
}

// While a search runs, threads that change their heaps must wait: so an unsuccessful search is followed by a pause.
static tiny_slab_t *search_quiet_heaps(tiny_heap_t *heap, size_t class)
{
    if (tiny_heaps_live() < 2) return NULL;
    if (heap->pause > 0) {
        heap->pause--;
        return NULL;
    }
    if (!begin_visits()) return NULL;
    unsigned taken = take_over(heap, class);
    end_visits();
    if (taken > 0) {
        heap->searches = 0;
    } else {
        heap->pause = 1u << heap->searches < PAUSE_MOST ? 1u << heap->searches++ : PAUSE_MOST;
    }
    return heap->with_room[class];
}

static tiny_slab_t *new_slab(tiny_heap_t *heap, size_t class)
{
    tiny_slab_t *slab = adopt_slab(heap, class);
    if (slab == NULL) slab = search_quiet_heaps(heap, class);
    if (slab != NULL) return slab;
    atomic_fetch_add_explicit(&heaps.slabs_taken, 1, memory_order_relaxed);
    unsigned pages = pages_for(class);
    char *page = shared_pool_take(pages);
    return page != NULL ? format_slab(heap, page, pages, class) : NULL;
}

static unsigned take_freed(tiny_heap_t *heap, tiny_slab_t *slab, unsigned want, tiny_chain_t *chain)
{
    unsigned taken = 0;
    while (taken < want && slab->free != NULL) {
        tiny_block_t *block = slab->free;
        slab->free = tiny_next(block);
        tiny_order_add(heap, chain, block);
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
        tiny_order_add(heap, chain,
                       (tiny_block_t *)(void *)(slab->start + tiny_order_nth(slab, slab->fresh + i) * size));
    slab->fresh = (uint16_t)(slab->fresh + taken);
    return taken;
}

static unsigned take_from_slab(tiny_heap_t *heap, tiny_slab_t *slab, unsigned want, tiny_chain_t *chain)
{
    unsigned taken = take_freed(heap, slab, want, chain);
    if (taken < want) taken += take_fresh(heap, slab, want - taken, chain);
    slab->used += taken;
    count_out(heap, taken * (size_t)tiny_class_size[slab->class]);
    HAK_CHECK(slab->used <= slab->capacity, "slab holds fewer blocks than are out", slab->start);
    if (slab->free == NULL && slab->fresh == slab->capacity) unlist_slab(heap, slab);
    return taken;
}

unsigned tiny_heap_take(tiny_heap_t *heap, size_t class, unsigned want, tiny_chain_t *chain)
{
    heap->took_at = atomic_load_explicit(&heaps.slabs_taken, memory_order_relaxed);
    tiny_heap_collect(heap);
    tiny_slab_t *slab = heap->with_room[class];
    if (slab == NULL) slab = new_slab(heap, class);
    unsigned taken = 0;
    while (slab != NULL && taken < want) {
        taken += take_from_slab(heap, slab, want - taken, chain);
        slab = heap->with_room[class];
    }
    return taken;
}

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

static void release_slab(tiny_heap_t *heap, tiny_slab_t *slab)
{
    wipe_marks(slab);
    unlist_slab(heap, slab);
    tag_slab(slab, 0);
    shared_pool_give(page_of(slab->start), slab->pages);
}

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

// Keeps an empty slab if it is the class's only slab with room: otherwise a program whose need varies around that point
// would take and return a slab each time. True: the slab was returned to the pool.
static bool give(tiny_heap_t *heap, tiny_slab_t *slab, tiny_block_t *block)
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
    release_slab(heap, slab);
    return true;
}

void tiny_heap_give(tiny_heap_t *heap, tiny_block_t *block)
{
    give(heap, tiny_registry_slab(block), block);
}

// ---- blocks that other threads free

// Adds the slab to the pending ones of its owner. `of` is a block of the slab.
static tiny_heap_t *add_pending(tiny_slab_t *slab, const void *of)
{
    unsigned owner = TINY_TAG_OWNER(tiny_registry_tag(slab->start));
    tiny_heap_t *heap = atomic_load_explicit(&heaps.by_id[owner], memory_order_acquire);
    if (UNLIKELY(heap == NULL)) hak_die("double free", of); // no heap owns its slab
    atomic_fetch_add_explicit(&heap->pending_count, 1, memory_order_relaxed);
    tiny_slab_t *old = atomic_load_explicit(&heap->pending, memory_order_relaxed);
    do {
        slab->next_pending = old;
    } while (!atomic_compare_exchange_weak(&heap->pending, &old, slab));
    return heap;
}

// Adds the chain to the slab's remote blocks. Returns the owning heap if the slab was not pending before; else NULL,
// because the thread that found it empty notifies the owner.
static tiny_heap_t *post(tiny_slab_t *slab, const tiny_chain_t *chain)
{
    tiny_block_t *old = atomic_load_explicit(&slab->remote, memory_order_relaxed);
    do {
        tiny_link(chain->tail, old);
    } while (!atomic_compare_exchange_weak(&slab->remote, &old, chain->head));
    return old == NULL ? add_pending(slab, chain->head) : NULL;
}

#if TINY_MARKS

// Checks an arriving block that carries the mark of a free one: ends the process if it is in its slab or in a cache of
// the owner.
static void check_arrival(const tiny_heap_t *heap, tiny_block_t *block)
{
#if TINY_MARK_IN_LINK
    block->link = tiny_second_word(block); // restores the link that the block has if it is in a list
#endif
    if (tiny_heap_holds(block)) tiny_die("double free", block);
    if (heap->suspect != NULL) heap->suspect(block);
}

// True if the second word records that the sender found the block to look like a free one.
static bool looked_free(const tiny_block_t *block)
{
#if TINY_MARK_IN_LINK
    return (tiny_second_word(block) & 0xff) == TINY_PACKED_MARK &&
           tiny_second_word(block) != TINY_SENT(tiny_secret());
#else
    return tiny_second_word(block) == tiny_secret();
#endif
}

#endif

#if TINY_MARKS

// Replaces the sender's word, which must not reach the program that gets the block next.
static void mark_at_home(tiny_block_t *block)
{
    if (TINY_MARK_IN_LINK) tiny_set_second_word(block, 0);
    else tiny_mark(block, tiny_secret());
}

#endif

// Only the owner can tell whether a block that looks free is free. True: the slab was returned to the pool.
static bool take_in(tiny_heap_t *heap, tiny_slab_t *slab, tiny_block_t *block, collector_t by)
{
    (void)by;
#if TINY_MARKS
    if (UNLIKELY(looked_free(block))) {
        if (by == BY_VISIT) {
            tiny_block_t *old = atomic_load_explicit(&heap->doubted, memory_order_relaxed);
            do {
                tiny_link(block, old);
            } while (!atomic_compare_exchange_weak(&heap->doubted, &old, block));
            return false;
        }
        check_arrival(heap, block);
    }
    mark_at_home(block);
#endif
    return give(heap, slab, block);
}

// An idle heap keeps no empty slab; its slabs with room are available to all heaps.
static void offer_room(tiny_heap_t *heap, tiny_slab_t *slab, size_t class, bool is_gone,
                       unsigned rooms_before)
{
    if (!is_gone && slab->used == 0 && slab->listed) release_slab(heap, slab);
    atomic_fetch_add_explicit(&heaps.idle_slabs[class], heap->rooms[class] - rooms_before,
                              memory_order_relaxed);
}

// A slab that another heap has adopted since is sent on as a whole.
static void take_in_slab(tiny_heap_t *heap, tiny_slab_t *slab, collector_t by)
{
    if (UNLIKELY(TINY_TAG_OWNER(tiny_registry_tag(slab->start)) != heap->id)) {
        add_pending(slab, slab->start);
        return;
    }
    size_t class = slab->class;
    unsigned rooms = heap->rooms[class];
    bool is_gone = false;
    for (tiny_block_t *block = atomic_exchange(&slab->remote, NULL), *next; block != NULL; block = next) {
#if TINY_MARK_IN_LINK && TINY_MARKS
        // The block was in the remote list already when its owner put it into a cache.
        if (UNLIKELY(tiny_is_marked(block, 0))) tiny_die("double free", block);
#endif
        next = tiny_next(block);
        is_gone = take_in(heap, slab, block, by);
    }
    if (by == BY_SENDER) offer_room(heap, slab, class, is_gone, rooms);
}

// A slab may become pending again as soon as its blocks are taken.
static void collect(tiny_heap_t *heap, collector_t by)
{
    if (LIKELY(atomic_load_explicit(&heap->pending, memory_order_relaxed) == NULL)) return;
    for (tiny_slab_t *slab = atomic_exchange(&heap->pending, NULL), *next; slab != NULL; slab = next) {
        next = slab->next_pending;
        atomic_fetch_sub_explicit(&heap->pending_count, 1, memory_order_relaxed);
        take_in_slab(heap, slab, by);
    }
}

void tiny_heap_collect(tiny_heap_t *heap)
{
    collect(heap, BY_OWNER);
}

// Takes in the blocks that a visit left to the owner; their slabs may have been adopted since.
static void collect_doubted(tiny_heap_t *heap)
{
    if (atomic_load_explicit(&heap->doubted, memory_order_relaxed) == NULL) return;
    for (tiny_block_t *block = atomic_exchange(&heap->doubted, NULL), *next; block != NULL; block = next) {
        next = tiny_next(block);
        tiny_slab_t *slab = tiny_registry_slab(block);
        if (TINY_TAG_OWNER(tiny_registry_tag(block)) == heap->id) take_in(heap, slab, block, BY_OWNER);
        else post(slab, &(tiny_chain_t){block, block, 1});
    }
}

void tiny_heap_collect_all(tiny_heap_t *heap)
{
    collect(heap, BY_OWNER);
    collect_doubted(heap);
}

// Updates the count of an idle heap's slabs with room, which all heaps may adopt; `sign` is +1 when they are added, -1
// when they are removed.
static void count_idle_slabs(const tiny_heap_t *heap, int sign)
{
    for (size_t class = 0; class < TINY_CLASSES; class++)
        atomic_fetch_add_explicit(&heaps.idle_slabs[class], (uint32_t)sign * heap->rooms[class],
                                  memory_order_relaxed);
}

static void release_empty_slabs(tiny_heap_t *heap)
{
    for (size_t class = 0; class < TINY_CLASSES; class++) {
        for (tiny_slab_t *slab = heap->with_room[class], *next; slab != NULL; slab = next) {
            next = slab->next;
            if (slab->used == 0) release_slab(heap, slab);
        }
    }
}

// True if few blocks keep many slabs in use: some of these blocks may lie in a cache, where they count as allocated.
static bool is_sparse(const tiny_heap_t *heap)
{
    size_t pages = 0;
    for (size_t class = 0; class < TINY_CLASSES; class++)
        pages += heap->rooms[class] * (size_t)pages_for(class);
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

void tiny_heap_tidy(tiny_heap_t *heap)
{
    tiny_heap_collect_all(heap);
    release_empty_slabs(heap);
    run_cache_empty(heap->runs);
}

// ---- visits

// The caller holds both locks, and no owner begins a change. A thread that is changing its heap drains its inbox when
// it finishes.
static bool collect_for(tiny_heap_t *heap)
{
    uint32_t state = atomic_load(&heap->state);
    if (state == TINY_HEAP_IDLE) collect(heap, BY_SENDER);
    if (state != TINY_HEAP_LIVE || atomic_load(&heap->in_change)) return false;
    collect(heap, BY_VISIT);
    return true;
}

static void visit(tiny_heap_t *heap, bool tidy)
{
    if (!collect_for(heap)) return;
    if (tidy) release_empty_slabs(heap);
    if (tidy) run_cache_empty(heap->runs);
    else run_cache_look(heap->runs);
}

// During visits, owners that begin a change wait as they do for a fork. False: a fork or another visit is in progress.
static bool begin_visits(void)
{
    if (os_forking || !os_try_lock(&heaps.forks)) return false;
    atomic_store(&tiny_heaps_forking, true);
    os_lock(&heaps.lock);
    return true;
}

static void end_visits(void)
{
    os_unlock(&heaps.lock);
    atomic_store(&tiny_heaps_forking, false);
    os_unlock(&heaps.forks);
}

void tiny_heaps_visit(bool tidy)
{
    if (!begin_visits()) return;
    for (uint32_t id = 1; id <= heaps.count; id++) {
        tiny_heap_t *heap = atomic_load(&heaps.by_id[id]);
        visit(heap, tidy);
    }
    end_visits();
}

void tiny_heaps_collect(void)
{
    if (!begin_visits()) return;
    for (uint32_t id = 1; id <= heaps.count; id++) {
        tiny_heap_t *heap = atomic_load(&heaps.by_id[id]);
        if (atomic_load_explicit(&heap->pending_count, memory_order_relaxed) > 0) collect_for(heap);
    }
    end_visits();
}

static COLD void visit_one(tiny_heap_t *heap)
{
    if (!begin_visits()) return;
    collect_for(heap);
    end_visits();
}

// Most pending slabs receive more blocks before the owner, or a visit, collects them: so the cost of a free does not
// depend on the number of the owner's slabs.
void tiny_heap_send(tiny_slab_t *slab, const tiny_chain_t *chain)
{
    tiny_heap_t *heap = post(slab, chain);
    if (heap == NULL) return;
    if (UNLIKELY(atomic_load_explicit(&heap->pending_count, memory_order_relaxed) > PENDING_SLABS))
        visit_one(heap);
}

static tiny_heap_t *new_heap(void)
{
    if (heaps.count + 1 >= HEAPS_MAX) return NULL;
    tiny_heap_t *heap = os_metadata(sizeof *heap);
    if (heap == NULL) return NULL;
    heap->id = ++heaps.count;
    atomic_store(&heap->state, TINY_HEAP_LIVE);
    atomic_store_explicit(&heaps.by_id[heap->id], heap, memory_order_release);
    return heap;
}

tiny_heap_t *tiny_heap_acquire(void)
{
    os_lock(&heaps.lock);
    tiny_heap_t *heap = heaps.idle;
    if (heap != NULL) {
        heaps.idle = heap->next_waiting;
        count_idle_slabs(heap, -1);
        tiny_heap_forget_peak(heap);
        atomic_store(&heap->state, TINY_HEAP_LIVE);
    } else {
        heap = new_heap();
    }
    if (heap != NULL) atomic_fetch_add_explicit(&heaps.live, 1, memory_order_relaxed);
    os_unlock(&heaps.lock);
    return heap;
}

size_t tiny_heaps_live(void)
{
    return atomic_load_explicit(&heaps.live, memory_order_relaxed);
}

void tiny_heap_release(tiny_heap_t *heap)
{
    os_lock(&heaps.lock);
    atomic_fetch_sub_explicit(&heaps.live, 1, memory_order_relaxed);
    atomic_store(&heap->state, TINY_HEAP_IDLE);
    heap->thread = NULL;
    tiny_heap_tidy(heap);
    count_idle_slabs(heap, +1);
    heap->next_waiting = heaps.idle;
    heaps.idle = heap;
    os_unlock(&heaps.lock);
}

// ---- fork

// The owner has set in_change and then seen that a fork or a visit is in progress. The forking thread itself does not
// wait: other libraries' handlers may allocate.
void tiny_heap_wait_for_fork(tiny_heap_t *heap)
{
    while (!os_forking && atomic_load(&tiny_heaps_forking)) {
        atomic_store(&heap->in_change, 0);
        if (atomic_load(&tiny_heaps_awaited)) os_wake(&heap->in_change);
        os_lock(&heaps.forks);
        os_unlock(&heaps.forks);
        atomic_store(&heap->in_change, 1);
    }
}

static uint32_t count_heaps(void)
{
    os_lock(&heaps.lock);
    uint32_t count = heaps.count;
    os_unlock(&heaps.lock);
    return count;
}

// A heap that is made later sees tiny_heaps_forking before its first change. The lock is taken last, because a thread
// that changes its heap may wait for it.
void tiny_heaps_before_fork(const tiny_heap_t *own)
{
    os_lock(&heaps.forks);
    atomic_store(&tiny_heaps_forking, true);
    atomic_store(&tiny_heaps_awaited, true);
    for (uint32_t id = 1, count = count_heaps(); id <= count; id++) {
        tiny_heap_t *heap = atomic_load(&heaps.by_id[id]);
        while (heap != own && atomic_load(&heap->in_change)) os_wait(&heap->in_change, 1, MISSED_WAKE_MS);
    }
    atomic_store(&tiny_heaps_awaited, false);
    os_lock(&heaps.lock);
}

void tiny_heaps_after_fork(void)
{
    os_unlock(&heaps.lock);
    atomic_store(&tiny_heaps_forking, false);
    os_unlock(&heaps.forks);
}

void tiny_heaps_give_up(void)
{
    if (!os_holds(&heaps.forks)) return;
    atomic_store(&tiny_heaps_awaited, false);
    atomic_store(&tiny_heaps_forking, false);
}

// A heap that was about to get a thread, or whose thread cannot be copied, is on no list: it is lost.
void tiny_heaps_vanish(const tiny_heap_t *own, void *(*copy)(const void *thread))
{
    for (uint32_t id = 1; id <= heaps.count; id++) {
        tiny_heap_t *heap = atomic_load(&heaps.by_id[id]);
        if (heap == own || atomic_load(&heap->state) != TINY_HEAP_LIVE) continue;
        atomic_store(&heap->state, TINY_HEAP_VANISHED);
        atomic_fetch_sub_explicit(&heaps.live, 1, memory_order_relaxed);
        heap->suspect = NULL;
        if (heap->thread == NULL || (heap->thread = copy(heap->thread)) == NULL) continue;
        heap->next_waiting = atomic_load(&tiny_heaps_vanished);
        atomic_store(&tiny_heaps_vanished, heap);
    }
}

// No heap is taken over inside other libraries' fork handlers, because a fork is in progress.
tiny_heap_t *tiny_heap_take_over(void)
{
    if (os_forking) return NULL;
    os_lock(&heaps.forks);
    os_lock(&heaps.lock);
    tiny_heap_t *heap = atomic_load(&tiny_heaps_vanished);
    if (heap != NULL) {
        atomic_store(&tiny_heaps_vanished, heap->next_waiting);
        atomic_store(&heap->state, TINY_HEAP_LIVE);
        atomic_fetch_add_explicit(&heaps.live, 1, memory_order_relaxed);
    }
    os_unlock(&heaps.lock);
    if (heap == NULL) os_unlock(&heaps.forks);
    return heap;
}

void tiny_heap_taken_over(void)
{
    os_unlock(&heaps.forks);
}
