// Which slabs a heap keeps, and which of them others take.

#include "slabs.h"

#include "heap/shared_pool.h"

enum { GROWN = 1 << 18, OTHER_SIZE = 1024, KEPT_PAGES = 32 };

static tiny_block_t *grown[GROWN];
static unsigned grown_count;

// Takes blocks of the class until the heap has taken so many slabs.
static void grow(tiny_heap_t *heap, size_t class, unsigned slabs)
{
    for (uint32_t end = tiny_heaps.slabs_taken + slabs; tiny_heaps.slabs_taken != end;) {
        tiny_row_t row;
        row.count = 0;
        T_CHECK(grown_count < GROWN && tiny_heap_take(heap, class, 1, &row) == 1, "no block");
        grown[grown_count++] = row.block[0];
    }
}

static void send_grown(void)
{
    while (grown_count > 0) send(grown[--grown_count]);
}

static void empty_slabs_are_kept_and_used_again(void)
{
    tiny_heap_t *heap = tiny_heap_acquire(), *other = tiny_heap_acquire();
    const size_t used = shared_pool_usage().pages_used, class = tiny_class_of(512);
    take_blocks(heap, class, BLOCKS);
    const size_t most = shared_pool_usage().pages_used;
    T_CHECK(most - used > KEPT_PAGES + 2, "%zu pages are too few for this test", most - used);
    give_blocks(heap, BLOCKS);
    T_CHECK(heap->kept_pages == KEPT_PAGES, "%u pages are kept", heap->kept_pages);
    T_CHECK(shared_pool_usage().pages_used - used == KEPT_PAGES + 1, "%zu pages are in use",
            shared_pool_usage().pages_used - used);
    const uint32_t taken = tiny_heaps.slabs_taken;
    take_blocks(heap, class, BLOCKS);
    check_blocks(heap, class, BLOCKS);
    T_CHECK(heap->kept_pages == 0 && shared_pool_usage().pages_used == most, "kept slabs were not used");
    T_CHECK(tiny_heaps.slabs_taken - taken == most - used - KEPT_PAGES - 1, "%u slabs were taken",
            tiny_heaps.slabs_taken - taken);
    give_blocks(heap, BLOCKS);
    T_CHECK_DIES(tiny_heap_give(heap, blocks[0]));
    unsigned released = 0;
    while (tiny_slabs_release_one(heap)) released++;
    T_CHECK(released == KEPT_PAGES + 1 && shared_pool_usage().pages_used == used, "%u slabs were released",
            released);
    tiny_heap_release(other);
    tiny_heap_release(heap);
}

// Returns the number of pages that a heap keeps of many, if its recent peak was that of so many pages.
static unsigned kept_of(tiny_heap_t *heap, size_t peak)
{
    take_blocks(heap, tiny_class_of(512), BLOCKS);
    heap->bytes_out_peak = peak * HAK_PAGE;
    give_blocks(heap, BLOCKS);
    unsigned kept = heap->kept_pages;
    tiny_heap_tidy(heap);
    T_CHECK(heap->kept_pages == 0 && heap->pages == 0, "a tidied heap has %zu pages", heap->pages);
    return kept;
}

static void what_is_kept_is_bounded_by_the_peak_and_for_all_threads(void)
{
    enum { KEPT_IN_ALL = 512, THREADS = 64 };
    tiny_heap_t *heap = tiny_heap_acquire(), *others[THREADS];
    unsigned alone = kept_of(heap, 2 * KEPT_PAGES);
    T_CHECK(tiny_heaps_live() > 1 || alone == 0, "the only thread keeps %u pages", alone);
    for (unsigned i = 0; i < THREADS; i++) others[i] = tiny_heap_acquire();
    unsigned want = KEPT_IN_ALL / (unsigned)tiny_heaps_live(), kept = kept_of(heap, 2 * KEPT_PAGES);
    T_CHECK(kept == want, "%u pages are kept instead of %u", kept, want);
    kept = kept_of(heap, 3);
    T_CHECK(kept == 3, "%u pages are kept after a peak of 3", kept);
    for (unsigned i = 0; i < THREADS; i++) tiny_heap_release(others[i]);
    tiny_heap_release(heap);
}

// A class takes what another one has left before the pool's memory grows.
static void kept_slabs_serve_other_classes(void)
{
    tiny_heap_t *heap = tiny_heap_acquire(), *other = tiny_heap_acquire();
    take_blocks(heap, tiny_class_of(512), BLOCKS);
    give_blocks(heap, BLOCKS);
    const shared_pool_usage_t before = shared_pool_usage();
    T_CHECK(heap->kept_pages > 0, "no slab is kept");
    for (unsigned slabs = 0; heap->kept_pages > 0; slabs++) {
        T_CHECK(slabs <= before.dirty_pages + KEPT_PAGES, "slabs stay with their class");
        grow(heap, tiny_class_of(OTHER_SIZE), 1);
    }
    send_grown();
    tiny_heap_release(other);
    tiny_heap_release(heap);
}

static void an_idle_heap_keeps_no_slab(void)
{
    tiny_heap_t *heap = tiny_heap_acquire(), *live[] = {tiny_heap_acquire(), tiny_heap_acquire()};
    take_blocks(heap, tiny_class_of(512), BLOCKS);
    tiny_heap_release(heap);
    // The slab of the last block has room before the others are empty, so none of them is the only one with room.
    for (unsigned i = BLOCKS - 1; i > 0; i--) send(blocks[i]);
    tiny_heaps_visit(false);
    T_CHECK(heap->bytes_out == tiny_class_size[tiny_class_of(512)], "%zu bytes have not arrived",
            heap->bytes_out);
    T_CHECK(heap->kept_pages == 0, "%u pages are kept by a heap without a thread", heap->kept_pages);
    send(blocks[0]);
    tiny_heaps_visit(false);
    tiny_heap_release(live[0]);
    tiny_heap_release(live[1]);
}

enum { QUIET_SLABS = 32, WAITS_SLABS = 512, LOOKED_AT = 128, SEARCHED_AT_MOST = 1 << 12 };

// The thread of the heap needs a slab, and has then freed all.
static void use_and_empty(tiny_heap_t *heap, size_t class)
{
    grow(heap, class, 1);
    tiny_heap_give(heap, grown[--grown_count]);
    T_CHECK(heap->bytes_out == 0 && heap->rooms[class] == 1, "no empty slab");
}

// Returns the number of slabs that were taken before a search took the empty slabs of the other heap; its own last one counts, too.
static unsigned grow_until_search(tiny_heap_t *heap, const tiny_heap_t *other)
{
    unsigned slabs = 1;
    for (; !other->was_searched; slabs++) grow(heap, tiny_class_of(OTHER_SIZE), 1);
    return slabs;
}

static void a_heap_that_needed_its_empty_slabs_soon_keeps_them_for_longer(void)
{
    const size_t class = tiny_class_of(512);
    tiny_heap_t *waits = tiny_heap_acquire(), *heap = tiny_heap_acquire();
    use_and_empty(waits, class);
    unsigned slabs = grow_until_search(heap, waits);
    T_CHECK(slabs >= QUIET_SLABS, "it was searched after %u slabs", slabs);
    T_CHECK(waits->with_room[class] == NULL, "a search took nothing");
    for (unsigned i = 0; i < 2; i++) {
        use_and_empty(waits, class);
        T_CHECK(waits->only_waits && !waits->was_searched, "it does not count as one that only waits");
        slabs = grow_until_search(heap, waits);
        T_CHECK(slabs >= WAITS_SLABS, "it was searched after %u slabs", slabs);
    }
    grow(heap, tiny_class_of(OTHER_SIZE), WAITS_SLABS);
    use_and_empty(waits, class);
    T_CHECK(!waits->only_waits, "it counts as one that only waits");
    send_grown();
    tiny_heap_release(waits);
    tiny_heap_release(heap);
}

static void sparse_slabs_of_a_quiet_heap_serve_others(void)
{
    const size_t sparse = tiny_class_of(512), dense = tiny_class_of(256);
    tiny_heap_t *quiet = tiny_heap_acquire(), *heap = tiny_heap_acquire();
    grow(quiet, sparse, 1);
    grow(quiet, dense, 1);
    tiny_slab_t *sparse_slab = quiet->with_room[sparse], *dense_slab = quiet->with_room[dense];
    for (unsigned i = 0; i <= dense_slab->capacity * 3u / 4; i++) {
        tiny_row_t row;
        row.count = 0;
        T_CHECK(tiny_heap_take(quiet, dense, 1, &row) == 1, "no block");
        grown[grown_count++] = row.block[0];
    }
    for (unsigned slabs = 0; quiet->with_room[sparse] != NULL; slabs++) {
        T_CHECK(slabs < SEARCHED_AT_MOST, "no search took the sparse slab");
        grow(heap, tiny_class_of(OTHER_SIZE), 1);
    }
    T_CHECK(TINY_TAG_OWNER(tiny_registry_tag(sparse_slab->start)) != quiet->id, "the sparse slab is lost");
    T_CHECK(quiet->with_room[dense] == dense_slab, "a dense slab was offered");
    send_grown();
    tiny_heap_release(quiet);
    tiny_heap_release(heap);
}

enum { RESTS_SLABS = 64, VISITED_PAGES = 32, COLLECTED_SLABS = 32 };

// Takes slabs whose memory is present, so that no search comes.
static void grow_without_search(tiny_heap_t *heap, unsigned slabs)
{
    const uint32_t searches = tiny_heaps.next_looked_at;
    grow(heap, tiny_class_of(OTHER_SIZE), slabs);
    T_CHECK(tiny_heaps.next_looked_at == searches, "a search came");
}

// Leaves memory in the pool for grow_without_search.
static void fill_pool(tiny_heap_t *heap, unsigned slabs)
{
    grow(heap, tiny_class_of(OTHER_SIZE), slabs);
    while (grown_count > 0) tiny_heap_give(heap, grown[--grown_count]);
    tiny_heap_tidy(heap);
    T_CHECK(heap->pages == 0, "%zu pages do not return to the pool", heap->pages);
}

static unsigned rooms_of(const tiny_heap_t *heap)
{
    unsigned rooms = 0;
    for (size_t class = 0; class < TINY_CLASSES; class++) rooms += heap->rooms[class];
    return rooms;
}

// Makes a heap with so many pages; the last slab of each class is sparse.
static tiny_heap_t *heap_with_pages(unsigned pages)
{
    tiny_heap_t *heap = tiny_heap_acquire();
    for (unsigned i = 0; heap->pages < pages; i++) grow(heap, tiny_class_of(16) + i % 4, 1);
    T_CHECK(rooms_of(heap) >= 4, "%u slabs have room", rooms_of(heap));
    return heap;
}

static void slabs_of_a_thread_that_rests_serve_others_before_memory_grows(void)
{
    tiny_heap_t *heap = tiny_heap_acquire();
    const unsigned turn = tiny_heaps.count + 3; // of the heaps that a thread looks at
    fill_pool(heap, 2 * (RESTS_SLABS + turn));
    tiny_heap_t *small = heap_with_pages(4), *rests = heap_with_pages(VISITED_PAGES);
    const unsigned rooms_small = rooms_of(small), rooms = rooms_of(rests);
    grow_without_search(heap, RESTS_SLABS - 2);
    T_CHECK(rooms_of(rests) == rooms, "a thread that took blocks recently was visited");
    grow_without_search(heap, turn);
    T_CHECK(rooms_of(rests) == 0, "%u of %u sparse slabs were not offered", rooms_of(rests), rooms);
    T_CHECK(rooms_of(small) == rooms_small, "a heap with few pages was visited");
    send_grown();
    tiny_heap_release(small);
    tiny_heap_release(rests);
    tiny_heap_release(heap);
}

#if TINY_MARKS
// To a visit, all blocks that were freed look as if they lay in the owner's caches, because of what the program wrote into them.
static void slabs_of_blocks_that_look_cached_serve_others(void)
{
    tiny_heaps_visit(false); // what the tests before this one sent
    tiny_heap_t *heap = tiny_heap_acquire();
    const unsigned turn = tiny_heaps.count + 3;
    fill_pool(heap, 2 * (RESTS_SLABS + turn));
    tiny_heap_t *rests = heap_with_pages(VISITED_PAGES);
    for (unsigned i = 0; i < grown_count; i++) make_look_cached(grown[i]);
    send_grown();
    T_CHECK(rests->pages >= VISITED_PAGES && rests->pending_count > 0, "%u slabs are pending",
            rests->pending_count);
    grow_without_search(heap, RESTS_SLABS + turn);
    T_CHECK(rests->bytes_out == 0, "%zu bytes still count as used", rests->bytes_out);
    T_CHECK(rests->doubted == NULL, "a slab without doubted blocks is listed");
    send_grown();
    tiny_heap_release(rests);
    tiny_heap_release(heap);
}
#endif

// What others have freed for a heap without a thread is collected by one that needs a slab, if it comes from many slabs.
static void what_is_freed_for_an_idle_heap_serves_others_before_memory_grows(void)
{
    tiny_heap_t *heap = tiny_heap_acquire(), *ended = tiny_heap_acquire();
    fill_pool(heap, 2 * COLLECTED_SLABS + tiny_heaps.count);
    grow(ended, tiny_class_of(16), COLLECTED_SLABS + 2);
    tiny_heap_release(ended);
    const size_t pages = ended->pages;
    send_grown();
    T_CHECK(ended->pending_count >= COLLECTED_SLABS, "%u slabs are pending", ended->pending_count);
    grow_without_search(heap, tiny_heaps.count + 1);
    T_CHECK(ended->pending_count == 0, "%u slabs are pending", ended->pending_count);
    T_CHECK(ended->pages <= pages - COLLECTED_SLABS, "the idle heap keeps %zu of %zu pages", ended->pages,
            pages);
    send_grown();
    tiny_heap_release(heap);
}

// The sparse slab lies behind more dense ones than a search looks at.
static void a_search_looks_at_a_bounded_number_of_slabs(void)
{
    const size_t class = tiny_class_of(OTHER_SIZE);
    tiny_heap_t *quiet = tiny_heap_acquire(), *heap = tiny_heap_acquire();
    grow(quiet, class, 1 + LOOKED_AT);
    const unsigned last = grown_count - 1;
    grow(quiet, class, 1); // the one before is full now
    const tiny_slab_t *sparse = tiny_registry_slab(grown[grown_count - 1]);
    for (unsigned i = 0; i < last;) {
        const tiny_slab_t *dense = tiny_registry_slab(grown[i]);
        tiny_heap_give(quiet, grown[i]);
        grown[i] = NULL;
        while (i < last && (grown[i] == NULL || tiny_registry_slab(grown[i]) == dense)) i++;
    }
    T_CHECK(quiet->rooms[class] > LOOKED_AT, "only %u slabs have room", quiet->rooms[class]);
    uint32_t searched = heap->searches;
    for (unsigned slabs = 0; heap->searches == searched; slabs++) {
        T_CHECK(slabs < SEARCHED_AT_MOST, "no search");
        grow(heap, class, 1);
    }
    T_CHECK(TINY_TAG_OWNER(tiny_registry_tag(sparse->start)) == quiet->id, "a search looked at all slabs");
    for (; grown_count > 0; grown_count--)
        if (grown[grown_count - 1] != NULL) send(grown[grown_count - 1]);
    tiny_heap_release(quiet);
    tiny_heap_release(heap);
}

int main(void)
{
    if (!T_GLIBC) T_not_run("the C library allocates before main, and the test counts every block of a heap");
    T_RUN(empty_slabs_are_kept_and_used_again);
    T_RUN(what_is_kept_is_bounded_by_the_peak_and_for_all_threads);
    T_RUN(kept_slabs_serve_other_classes);
    T_RUN(an_idle_heap_keeps_no_slab);
    T_RUN(a_heap_that_needed_its_empty_slabs_soon_keeps_them_for_longer);
    T_RUN(sparse_slabs_of_a_quiet_heap_serve_others);
    T_RUN(a_search_looks_at_a_bounded_number_of_slabs);
    T_RUN(slabs_of_a_thread_that_rests_serve_others_before_memory_grows);
#if TINY_MARKS
    T_RUN(slabs_of_blocks_that_look_cached_serve_others);
#endif
    T_RUN(what_is_freed_for_an_idle_heap_serves_others_before_memory_grows);
    return 0;
}
