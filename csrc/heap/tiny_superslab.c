// SuperSlab backend: new slabs for a heap, from idle heaps, from quiet ones, or from the shared pool.
#include "heap/tiny_superslab.h"

#include "heap/shared_pool.h"
#include "heap/tiny_heaps.h"
#include "heap/tiny_remote.h"
#include "heap/tiny_slabs.h"
#include "heap/tiny_visits.h"
#include "os/lock.h"

// Adopts a slab with room from an idle heap before new pages are taken.
static tiny_slab_t *adopt_slab(tiny_heap_t *heap, size_t class)
{
    if (atomic_load_explicit(&tiny_heaps.idle_slabs[class], memory_order_relaxed) == 0) return NULL;
    tiny_slab_t *slab = NULL;
    os_lock(&tiny_heaps.lock);
    for (tiny_heap_t *idle = tiny_heaps.idle; idle != NULL && slab == NULL; idle = idle->next_waiting) {
        slab = idle->with_room[class];
        if (slab == NULL) continue;
        tiny_heaps_count_idle_slabs(class, -1u);
        tiny_slab_move(idle, heap, slab);
    }
    os_unlock(&tiny_heaps.lock);
    return slab;
}

// ---- slabs of quiet and of idle heaps

#define QUIET_SLABS 32u // slabs that other heaps have taken meanwhile
#define GAINED_SLABS 64u // slabs that a search makes available, at most
#define HEAPS_LOOKED_AT 128u
#define SLABS_LOOKED_AT 128u // of each of these heaps
#define PAUSE_MOST 4u

static uint32_t slabs_taken_since(uint32_t then)
{
    return atomic_load_explicit(&tiny_heaps.slabs_taken, memory_order_relaxed) - then;
}

static bool is_quiet(const tiny_heap_t *heap, uint32_t slabs)
{
    return atomic_load(&heap->state) == TINY_HEAP_LIVE && !atomic_load(&heap->in_change) &&
           slabs_taken_since(atomic_load_explicit(&heap->took_at, memory_order_relaxed)) >= slabs;
}

// Moves slabs of one class with few blocks in use, but not empty, to an idle heap, from which every heap may adopt them; returns
// their number.
static unsigned offer_class(tiny_heap_t *quiet, tiny_heap_t *idle, size_t class, unsigned most,
                            unsigned *looks)
{
    unsigned offered = 0;
    for (tiny_slab_t *slab = quiet->with_room[class], *next; slab != NULL && offered < most && *looks > 0;
         slab = next, --*looks) {
        next = slab->next;
        if (slab->used == 0 || slab->used > tiny_slab_offered_most(slab) || tiny_remote_is_doubted(slab))
            continue;
        tiny_slab_move(quiet, idle, slab);
        offered++;
    }
    tiny_heaps_count_idle_slabs(class, offered);
    return offered;
}

// Offers slabs of all classes, those of `class` first. Blocks of these slabs in the previous owner's caches are sent to
// the new owner when the caches release them.
static unsigned offer(tiny_heap_t *quiet, tiny_heap_t *idle, size_t class, unsigned most)
{
    unsigned looks = SLABS_LOOKED_AT, offered = offer_class(quiet, idle, class, most, &looks);
    for (size_t other = 0; other < TINY_CLASSES && offered < most; other++)
        offered += offer_class(quiet, idle, other, most - offered, &looks);
    return offered;
}

// A thread that waits for others, as at a barrier, needs its empty slabs again soon. If they were taken meanwhile, its next blocks
// lie at other addresses, which the processor's caches do not hold. So one that needed slabs soon after a search keeps them for
// longer the next time.
#define WAITS_SLABS (16 * QUIET_SLABS)

// The heap's thread needs a slab.
static void judge_last_search(tiny_heap_t *heap)
{
    if (LIKELY(!heap->was_searched)) return;
    heap->was_searched = false;
    heap->only_waits = slabs_taken_since(heap->searched_at) < WAITS_SLABS;
}

// Returns the number of slabs released.
static unsigned take_empty(tiny_heap_t *quiet)
{
    uint32_t took_at = atomic_load_explicit(&quiet->took_at, memory_order_relaxed);
    if (quiet->only_waits && slabs_taken_since(took_at) < WAITS_SLABS) return 0;
    unsigned released = tiny_slabs_release_empty(quiet);
    if (released == 0) return 0;
    quiet->was_searched = true;
    quiet->searched_at = atomic_load_explicit(&tiny_heaps.slabs_taken, memory_order_relaxed);
    return released;
}

// Collects what other threads freed for an idle heap. True: there was something.
static bool collect_for_idle(tiny_heap_t *heap)
{
    if (atomic_load(&heap->state) != TINY_HEAP_IDLE) return false;
    if (atomic_load_explicit(&heap->pending_count, memory_order_relaxed) == 0) return false;
    tiny_remote_collect(heap, TINY_BY_SENDER);
    return true;
}

// Other threads may have freed all blocks of a quiet heap: its empty slabs are returned to the pool, sparse ones are offered, up to
// about `most`, those of `class` first. Returns the number of these slabs.
static unsigned visit_quiet(tiny_heap_t *quiet, tiny_heap_t *idle, size_t class, unsigned most)
{
    if (!tiny_visit_enter(quiet)) return 0;
    tiny_remote_collect(quiet, TINY_BY_TAKER);
    tiny_remote_look_at_doubted(quiet);
    unsigned gained = take_empty(quiet);
    if (gained < most) gained += offer(quiet, idle, class, most - gained);
    uint32_t now = atomic_load_explicit(&tiny_heaps.slabs_taken, memory_order_relaxed);
    atomic_store_explicit(&quiet->visited_at, now, memory_order_relaxed);
    tiny_visit_leave();
    return gained;
}

// Returns the number of slabs that have become available, at least one for each idle heap.
static unsigned search(const tiny_heap_t *heap, size_t class)
{
    tiny_heap_t *idle = tiny_heaps_idle_one();
    if (idle == NULL) return 0;
    unsigned gained = 0;
    uint32_t looks = tiny_heaps.count < HEAPS_LOOKED_AT ? tiny_heaps.count : HEAPS_LOOKED_AT;
    for (; looks > 0 && gained < GAINED_SLABS; looks--) {
        tiny_heap_t *quiet = tiny_heaps_by_id(1 + tiny_heaps.next_looked_at++ % tiny_heaps.count);
        if (collect_for_idle(quiet)) gained++;
        if (quiet != heap && is_quiet(quiet, QUIET_SLABS))
            gained += visit_quiet(quiet, idle, class, GAINED_SLABS - gained);
    }
    return gained;
}

// ---- one other heap for each new slab
//
// A search comes when memory would grow, and ends as soon as it has found something. In between, the memory of threads that rest
// would stay unused, above all if there are more threads than processors, and each frees what others have allocated. So a thread that
// needs a slab looks at one other heap, in turn, and visits it if that seems worth its cost.
#define RESTS_SLABS (2 * QUIET_SLABS) // since its thread took blocks, and since its last visit
#define VISITED_PAGES 32u
#define COLLECTED_SLABS 32u // of an idle heap

static tiny_heap_t *next_other(tiny_heap_t *heap)
{
    heap->next_looked_at = heap->next_looked_at % (TINY_HEAPS_MAX - 1) + 1;
    tiny_heap_t *other = tiny_heaps_by_id(heap->next_looked_at);
    if (other == NULL) heap->next_looked_at = 0; // all have had their turn
    return other != heap ? other : NULL;
}

static bool is_worth_a_visit(const tiny_heap_t *heap)
{
    if (atomic_load_explicit(&heap->state, memory_order_relaxed) == TINY_HEAP_IDLE)
        return atomic_load_explicit(&heap->pending_count, memory_order_relaxed) >= COLLECTED_SLABS;
    return tiny_heap_pages(heap) >= VISITED_PAGES && is_quiet(heap, RESTS_SLABS) &&
           slabs_taken_since(atomic_load_explicit(&heap->visited_at, memory_order_relaxed)) >= RESTS_SLABS;
}

static void look_at_next(tiny_heap_t *heap, size_t class)
{
    tiny_heap_t *other = next_other(heap);
    if (other == NULL || !is_worth_a_visit(other) || !tiny_visits_begin()) return;
    tiny_heap_t *idle = tiny_heaps_idle_one();
    if (!collect_for_idle(other) && idle != NULL && is_quiet(other, RESTS_SLABS))
        (void)visit_quiet(other, idle, class, SLABS_LOOKED_AT);
    tiny_visits_end();
}

// ---- before memory grows

// Waits until another thread's visit ends: its search may make slabs available, so that no new memory is needed. The heap is in
// change, except meanwhile: a fork may follow the visit.
static void wait_for_visit(tiny_heap_t *heap)
{
    if (os_forking || heap->changes > 1 || !atomic_load(&tiny_heaps_visiting)) return;
    tiny_heap_end(heap);
    os_lock(&tiny_heaps.forks);
    os_unlock(&tiny_heaps.forks);
    tiny_heap_begin(heap);
}

// A search costs time, and only one thread at a time makes one: so an unsuccessful search is followed by a pause.
static void search_other_heaps(tiny_heap_t *heap, size_t class)
{
    if (tiny_heaps_by_id(2) == NULL) return; // there is only one
    if (heap->pause > 0) {
        heap->pause--;
        return;
    }
    if (!tiny_visits_begin()) {
        wait_for_visit(heap);
        if (atomic_load_explicit(&tiny_heaps.idle_slabs[class], memory_order_relaxed) > 0 ||
            !tiny_visits_begin())
            return;
    }
    unsigned gained = search(heap, class);
    tiny_visits_end();
    if (gained > 0) {
        heap->searches = 0;
    } else {
        heap->pause = 1u << heap->searches < PAUSE_MOST ? 1u << heap->searches++ : PAUSE_MOST;
    }
}

// A huge page takes memory for all of a superslab at once. So it is worth its memory if the superslab is going to be filled:
// for a heap whose slabs are many times as large already.
static bool wants_huge_pages(const tiny_heap_t *heap)
{
    return TINY_OPTION_HUGE_PAGES > 0 &&
           tiny_heap_pages(heap) * HAK_PAGE >> 20 >= (size_t)TINY_OPTION_HUGE_PAGES;
}

// Before the pool's memory grows: takes what this heap keeps and the thread's caches hold, then searches other heaps.
static tiny_slab_t *new_slab(tiny_heap_t *heap, size_t class)
{
    judge_last_search(heap);
    look_at_next(heap, class);
    atomic_fetch_add_explicit(&tiny_heaps.slabs_taken, 1, memory_order_relaxed);
    tiny_slab_t *slab = adopt_slab(heap, class);
    if (slab != NULL) return slab;
    unsigned pages = tiny_slab_pages_for(class);
    char *page = shared_pool_take_present(pages, class);
    while (page == NULL && tiny_slabs_release_one(heap)) page = shared_pool_take_present(pages, class);
    if (page == NULL && heap->give_back != NULL && heap->give_back()) {
        if (heap->with_room[class] != NULL) return heap->with_room[class];
        page = shared_pool_take_present(pages, class);
    }
    if (page == NULL) {
        search_other_heaps(heap, class);
        slab = adopt_slab(heap, class);
        if (slab != NULL) return slab;
        page = shared_pool_take(pages, class, wants_huge_pages(heap));
        heap->grown += pages;
    }
    return page != NULL ? tiny_slab_format(heap, page, pages, class) : NULL;
}

// While slabs have room, blocks from others wait until they come from several slabs: then more of them come from each slab, whose
// records the other processor has written to.
#define PENDING_SLABS_WAITING 16u

static void collect_if_due(tiny_heap_t *heap, size_t class)
{
    if (heap->with_room[class] == NULL ||
        atomic_load_explicit(&heap->pending_count, memory_order_relaxed) >= PENDING_SLABS_WAITING)
        tiny_heap_collect(heap);
}

unsigned tiny_heap_take(tiny_heap_t *heap, size_t class, unsigned want, tiny_row_t *row)
{
    uint32_t now = atomic_load_explicit(&tiny_heaps.slabs_taken, memory_order_relaxed);
    atomic_store_explicit(&heap->took_at, now, memory_order_relaxed);
    collect_if_due(heap, class);
    tiny_slab_t *slab = heap->with_room[class];
    if (slab == NULL) slab = tiny_slab_use_kept(heap, class);
    if (slab == NULL) slab = new_slab(heap, class);
    unsigned taken = 0;
    while (slab != NULL && taken < want) {
        taken += tiny_slab_take(heap, slab, want - taken, row);
        slab = heap->with_room[class];
    }
    return taken;
}
