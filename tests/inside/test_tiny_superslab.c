// SuperSlab backend: blocks are taken from a heap's slabs and returned, also through its remote lists; heaps are handed
// on.

#include "slabs.h"

#include "hardened/tiny_order.h"
#include "heap/shared_pool.h"
#include "heap/tiny_remote.h"
#include "os/die.h"

static void blocks_of_every_class_do_not_overlap_and_return(void)
{
    tiny_heap_t *heap = tiny_heap_acquire();
    T_CHECK(heap != NULL && heap->state == TINY_HEAP_LIVE, "no heap");
    size_t used = shared_pool_usage().pages_used;
    for (size_t class = 0; class < TINY_CLASSES; class++) {
        take_blocks(heap, class, 1000);
        check_blocks(heap, class, 1000);
        T_CHECK(heap->pages == shared_pool_usage().pages_used - used, "the heap has %zu pages", heap->pages);
        give_blocks(heap, 1000);
    }
    tiny_heap_tidy(heap);
    T_CHECK(heap->pages == 0, "an empty heap has %zu pages", heap->pages);
    T_CHECK(shared_pool_usage().pages_used == used, "%zu pages are left in use",
            shared_pool_usage().pages_used - used);
    tiny_heap_release(heap);
}

enum { IN_ORDER, IN_REVERSE, IN_PAIRS, MIXED, ORDERS };

// Returns the position in `blocks` of the nth block to be freed.
static unsigned nth(unsigned order, unsigned n, unsigned count)
{
    switch (order) {
    case IN_ORDER:
        return n;
    case IN_REVERSE:
        return count - 1 - n;
    case IN_PAIRS:
        return n ^ 1; // 1 0 3 2 ...
    default:
        return n * 7919 % count;
    }
}

static void give_rows(tiny_heap_t *heap, unsigned order, unsigned count, unsigned most)
{
    tiny_row_t row;
    for (unsigned given = 0; given < count; given += row.count) {
        for (row.count = 0; row.count < most && given + row.count < count;)
            tiny_row_add(&row, blocks[nth(order, given + row.count, count)]);
        unsigned got = tiny_heap_give_row(heap, row.block, row.count);
        T_CHECK(got == row.count, "%u of %u blocks returned", got, row.count);
    }
}

// Rows that end within a word of bits, at its end and beyond it, and neighbours of two slabs.
static void rows_return_in_any_order(void)
{
    static const unsigned lengths[] = {1, 2, 7, 16, 63, TINY_ROW_MOST};
    tiny_heap_t *heap = tiny_heap_acquire();
    size_t used = shared_pool_usage().pages_used;
    for (size_t class = tiny_class_of(TINY_MIN_ALIGN); class < TINY_CLASSES;
         class++) { // no thread caches smaller blocks
        for (unsigned order = 0; order < ORDERS; order++) {
            unsigned count = tiny_class_size[class] > 4096 ? 60 : 1000;
            take_blocks(heap, class, count);
            check_blocks(heap, class, count);
            give_rows(heap, order, count, lengths[(class + order) % (sizeof lengths / sizeof *lengths)]);
            T_CHECK(heap->bytes_out == 0, "class %zu, order %u: %zu bytes are missing", class, order,
                    heap->bytes_out);
        }
    }
    tiny_heap_tidy(heap);
    T_CHECK(shared_pool_usage().pages_used == used, "pages are lost");
    tiny_heap_release(heap);
}

static void give_one_row(tiny_heap_t *heap, unsigned first, unsigned count, int step)
{
    tiny_row_t row = {.count = 0};
    for (unsigned i = 0; i < count; i++) tiny_row_add(&row, blocks[(int)first + step * (int)i]);
    tiny_heap_give_row(heap, row.block, row.count);
}

// Among neighbours, where not every block is looked at alone.
static void a_block_of_a_row_that_is_free_or_was_never_allocated_is_found(void)
{
    tiny_heap_t *heap = tiny_heap_acquire();
    take_blocks(heap, tiny_class_of(TINY_MIN_ALIGN), 100);
    tiny_heap_give(heap, blocks[50]);
    T_CHECK_DIES(give_one_row(heap, 45, 10, 1));
    T_CHECK_DIES(give_one_row(heap, 55, 10, -1));
    T_CHECK_DIES(give_one_row(heap, 50, 1, 1));
    if (TINY_CHECKS == TINY_CHECKS_BASIC) { // with full checks, the fresh blocks are not the last ones
        const tiny_slab_t *slab = tiny_registry_slab(blocks[0]);
        for (unsigned i = 0; i < 10; i++) blocks[i] = tiny_block_at(slab, slab->fresh - 5u + i);
        T_CHECK_DIES(give_one_row(heap, 0, 10, 1));
        T_CHECK_DIES(give_one_row(heap, 9, 10, -1));
        T_CHECK_DIES(give_one_row(heap, 5, 1, 1));
    }
    tiny_heap_release(heap);
}

// Blocks of a class in an order in which no two are neighbours; the last one is `last`.
static void give_scattered(tiny_heap_t *heap, unsigned count, const void *last)
{
    tiny_row_t row;
    row.count = 0;
    for (unsigned i = 0; i < count; i++) tiny_row_add(&row, blocks[i * 7 % count]);
    tiny_row_add(&row, (tiny_block_t *)(uintptr_t)last);
    if (tiny_heap_give_row(heap, row.block, row.count) < row.count)
        hak_die("a block of no slab", last); // as the caller does
}

static void a_misuse_among_scattered_blocks_is_found(void)
{
    tiny_heap_t *heap = tiny_heap_acquire();
    const size_t classes[] = {tiny_class_of(TINY_MIN_ALIGN), TINY_CLASSES - 1};
    for (unsigned i = 0; i < 2; i++) {
        take_blocks(heap, classes[i], 60);
        T_CHECK_DIES(
            give_scattered(heap, 60, blocks[3])); // freed twice; of large blocks, its slab is returned
        T_CHECK_DIES(give_scattered(heap, 60, blocks[53])); // the block before it
        if (tiny_class_size[classes[i]] > TINY_MIN_ALIGN)
            T_CHECK_DIES(give_scattered(heap, 30, (char *)blocks[40] + TINY_MIN_ALIGN));
        give_scattered(heap, 59, blocks[59]);
        T_CHECK(heap->bytes_out == 0, "%zu bytes are missing", heap->bytes_out);
    }
    tiny_heap_release(heap);
}

// The free bits among which the block's is.
static const uint64_t *word_of(const tiny_block_t *block)
{
    return tiny_registry_slab(block)->free + place_of(block) / 64;
}

static void blocks_that_others_freed_return_when_they_are_taken_in(void)
{
    tiny_heap_t *heap = tiny_heap_acquire();
    size_t used = shared_pool_usage().pages_used;
    take_blocks(heap, 2, BLOCKS);
    for (unsigned i = 0, j; i < BLOCKS; i = j) {
        uint64_t batch = 0;
        for (j = i; j < i + 10 && j < BLOCKS && word_of(blocks[j]) == word_of(blocks[i]); j++)
            batch |= bit_of(blocks[j]);
        tiny_heap_send(tiny_registry_slab(blocks[i]), place_of(blocks[i]) / 64, batch);
    }
    T_CHECK(shared_pool_usage().pages_used > used, "blocks were returned before they were collected");
    tiny_heap_collect(heap);
    tiny_heap_tidy(heap);
    T_CHECK(shared_pool_usage().pages_used == used, "remote blocks are lost");
    tiny_heap_release(heap);
}

// The first free of a block that has not been collected yet is known to the thread that frees it again.
static void a_second_free_is_found_before_and_after_the_first_is_collected(void)
{
    tiny_heap_t *heap = tiny_heap_acquire();
    take_blocks(heap, 1, 200);
    send(blocks[7]);
    T_CHECK_DIES(send(blocks[7]));
    tiny_heap_collect(heap);
    T_CHECK_DIES((send(blocks[7]), tiny_heap_collect(heap)));
    T_CHECK_DIES(tiny_heap_give(heap, blocks[7]));
    T_CHECK_DIES((send(blocks[8]), tiny_heap_give(heap, blocks[8]), tiny_heap_collect(heap)));
    for (unsigned i = 0; i < 200; i++)
        if (i != 7) tiny_heap_give(heap, blocks[i]);
    tiny_heap_release(heap);
}

// Each word, each block once: as many as the smallest class that serves requests has in a page.
static void a_slab_that_others_free_from_end_to_end_is_empty_again(void)
{
    tiny_heap_t *heap = tiny_heap_acquire();
    take_blocks(heap, tiny_class_of(TINY_MIN_ALIGN), BLOCKS);
    size_t bytes = heap->bytes_out;
    for (unsigned i = 0; i < BLOCKS; i++) send(blocks[(i * 1009) % BLOCKS]);
    T_CHECK(heap->bytes_out == bytes, "blocks came home before the owner collected them");
    tiny_heap_collect(heap);
    T_CHECK(heap->bytes_out == 0, "%zu bytes are missing", heap->bytes_out);
    tiny_heap_release(heap);
}

// More owners than are served at once, in turn, so that each place is used again.
static void what_is_sent_to_many_owners_at_once_arrives(void)
{
    enum { OWNERS = 3 * TINY_SENDING_OWNERS, EACH = BLOCKS / OWNERS };
    static tiny_block_t *of[OWNERS][EACH];
    tiny_heap_t *heaps[OWNERS];
    tiny_sending_t sending = {0};
    for (unsigned i = 0; i < OWNERS; i++) {
        heaps[i] = tiny_heap_acquire();
        take_blocks(heaps[i], i % 3, EACH);
        for (unsigned j = 0; j < EACH; j++) of[i][j] = blocks[j];
    }
    for (unsigned j = 0; j < EACH; j++)
        for (unsigned i = 0; i < OWNERS; i++)
            tiny_sending_add(&sending, tiny_registry_slab(of[i][j]), place_of(of[i][j]) / 64,
                             bit_of(of[i][j]));
    tiny_sending_end(&sending);
    for (unsigned i = 0; i < OWNERS; i++) {
        tiny_heap_collect(heaps[i]);
        T_CHECK(heaps[i]->bytes_out == 0, "%zu bytes have not arrived", heaps[i]->bytes_out);
        T_CHECK(heaps[i]->pending_count == 0, "%u slabs are pending", heaps[i]->pending_count);
        tiny_heap_release(heaps[i]);
    }
}

static _Atomic(unsigned) changed;

static void *change(void *heap)
{
    tiny_heap_begin(heap);
    atomic_fetch_add(&changed, 1);
    tiny_heap_end(heap);
    return NULL;
}

static void a_visit_stops_only_the_owner_that_it_visits(void)
{
    tiny_heap_t *visited = tiny_heap_acquire(), *other = tiny_heap_acquire();
    T_CHECK(tiny_visits_begin(), "no visit is possible");
    tiny_heap_begin(other); // as its owner, which does not wait
    T_CHECK(!tiny_visit_enter(other), "a heap in change is visited");
    tiny_heap_end(other);
    T_CHECK(tiny_visit_enter(visited), "a heap that is in no change is not visited");
    T_join(T_thread(change, other));
    T_CHECK(changed == 1, "its owner did not change it");
    pthread_t waiting = T_thread(change, visited);
    usleep(50000);
    T_CHECK(changed == 1, "a heap is visited and changed at the same time");
    tiny_visit_leave();
    tiny_visits_end();
    T_join(waiting);
    T_CHECK(changed == 2, "the owner of the visited heap did not go on");
    tiny_heap_release(visited);
    tiny_heap_release(other);
}

#if TINY_MARKS

static unsigned suspects;

static void count_suspect(const tiny_block_t *block)
{
    T_CHECK(block == blocks[3], "%p is suspected", (const void *)block);
    suspects++;
}

// A visit cannot search the owner's caches: it takes in the other blocks, again and again, and leaves this one.
static void a_visit_leaves_a_block_that_looks_cached_to_the_owner(void)
{
    tiny_heap_t *heap = tiny_heap_acquire();
    heap->suspect = count_suspect;
    take_blocks(heap, 1, 100);
    for (unsigned i = 0; i < 100; i++) memset((void *)blocks[i], 0, 16);
    make_look_cached(blocks[3]);
    size_t size = tiny_class_size[1];
    for (unsigned i = 0; i < 50; i++) send(blocks[i]);
    tiny_heaps_visit(false);
    T_CHECK(heap->bytes_out == 51 * size, "%zu blocks are out after a visit", heap->bytes_out / size);
    for (unsigned i = 50; i < 90; i++) send(blocks[i]);
    T_CHECK(heap->pending_count == 1, "a slab with a block that looks cached is pending %u times",
            heap->pending_count);
    tiny_heaps_visit(false);
    T_CHECK(heap->bytes_out == 11 * size, "%zu blocks are out after a second one", heap->bytes_out / size);
    T_CHECK_DIES(send(blocks[3]));
    T_CHECK(suspects == 0, "a visit called the owner's search");
    tiny_heap_collect(heap);
    T_CHECK(heap->bytes_out == 10 * size && suspects == 1, "the owner left it, too");
    heap->suspect = NULL;
    for (unsigned i = 90; i < 100; i++) send(blocks[i]);
    tiny_heap_release(heap);
}
#endif

static void *same_thread(const void *thread)
{
    return (void *)(uintptr_t)thread;
}

// The child gets the memory as it was while the thread had announced a change and had not yet seen the fork.
static void fork_with_a_thread_about_to_wait(void)
{
    tiny_heap_t *other = tiny_heap_acquire();
    T_CHECK(other != NULL, "no heap");
    other->changes = 1;
    atomic_store(&other->in_change, 1);
    const tiny_heap_t *first = tiny_heaps_by_id(1); // this thread's, if it has one
    tiny_heaps_vanish(first != other ? first : NULL, same_thread);
    T_CHECK(other->changes == 0 && atomic_load(&other->in_change) == 0,
            "the vanished heap is in change for ever");
    pid_t grandchild = fork(); // waits until no heap is in change
    if (grandchild == 0) _exit(0);
    T_CHECK_CHILD(grandchild);
}

static void a_vanished_heap_is_in_no_change(void)
{
    pid_t child = fork();
    if (child == 0) {
        alarm(20);
        fork_with_a_thread_about_to_wait();
        _exit(0);
    }
    T_CHECK_CHILD(child);
}

// The next visit collects blocks that were sent to a heap without a thread.
static void an_idle_heap_loses_nothing(void)
{
    tiny_heap_t *heap = tiny_heap_acquire();
    size_t used = shared_pool_usage().pages_used;
    take_blocks(heap, 1, 3000);
    unsigned id = heap->id;
    tiny_heap_release(heap);
    T_CHECK(heap->state == TINY_HEAP_IDLE, "a released heap is in state %u", heap->state);
    for (unsigned i = 0; i < 3000; i++) {
        tiny_tag_t tag = tiny_registry_tag(blocks[i]);
        T_CHECK(TINY_TAG_OWNER(tag) == id, "a slab has gone to %u", TINY_TAG_OWNER(tag));
        send(blocks[i]);
    }
    tiny_heaps_visit(false);
    T_CHECK(shared_pool_usage().pages_used == used, "blocks that were sent to an idle heap are lost");
}

static void a_heap_is_handed_on_and_its_room_adopted(void)
{
    tiny_heap_t *first = tiny_heap_acquire();
    take_blocks(first, 3, 10);
    const tiny_slab_t *slab = tiny_registry_record(blocks[0]);
    T_CHECK(slab->used == 10, "%u blocks are allocated", slab->used);
    tiny_heap_t *second = tiny_heap_acquire();
    T_CHECK(first != second && first->id != second->id, "two live heaps are one");
    tiny_heap_release(first);
    tiny_block_t *old[10];
    memcpy(old, blocks, sizeof old);
    take_blocks(second, 3, 1);
    T_CHECK(tiny_registry_record(blocks[0]) == slab, "a new page was taken, though an idle heap has room");
    tiny_heap_give(second, blocks[0]);
    for (int i = 0; i < 10; i++) tiny_heap_give(second, old[i]);
    tiny_heap_t *again = tiny_heap_acquire();
    T_CHECK(again == first, "an idle heap was not handed on");
    tiny_heap_release(again);
    tiny_heap_release(second);
}

#if TINY_CHECKS >= TINY_CHECKS_FULL
// What an attacker could know about the order in which the blocks of a slab come: the order in other slabs, and the blocks
// of this slab so far. The first window of each of SLABS slabs has WINDOW blocks.
enum { SLABS = 64, WINDOW = 16, SIZE = 1024 };
static size_t order[SLABS][WINDOW]; // indices of the blocks

// Adds blocks of the slab to `blocks`, as the layers fetch them: by rows of at most four.
static unsigned take_window(tiny_heap_t *heap, tiny_slab_t *slab, unsigned taken, size_t *indices)
{
    for (unsigned n = 1; n < WINDOW;) {
        tiny_row_t row;
        row.count = 0;
        unsigned want = WINDOW - n < 4 ? WINDOW - n : 4;
        T_CHECK(tiny_slab_take(heap, slab, want, &row) == want, "the slab has no %u blocks", want);
        for (unsigned i = 0; i < want; i++, n++) {
            blocks[taken++] = row.block[i];
            indices[n] = tiny_block_index(slab, row.block[i]);
        }
    }
    return taken;
}

// Returns the number of blocks that it took.
static unsigned note_order_of_slabs(tiny_heap_t *heap)
{
    size_t class = tiny_class_of(SIZE);
    unsigned taken = 0;
    for (unsigned i = 0; i < SLABS;) {
        tiny_row_t row;
        row.count = 0;
        T_CHECK(tiny_heap_take(heap, class, 1, &row) == 1, "no block");
        tiny_slab_t *slab = tiny_registry_slab(row.block[0]);
        blocks[taken++] = row.block[0];
        if (slab->used > 1) continue; // blocks of a slab that has been looked at
        order[i][0] = tiny_block_index(slab, row.block[0]);
        taken = take_window(heap, slab, taken, order[i++]);
    }
    return taken;
}

static void check_each_comes_once(void)
{
    for (unsigned i = 0; i < SLABS; i++) {
        uint32_t seen = 0;
        for (unsigned n = 0; n < WINDOW; n++) seen |= (uint32_t)1 << order[i][n];
        T_CHECK(seen == ((uint32_t)1 << WINDOW) - 1, "of slab %u's first window came %" PRIx32, i, seen);
    }
}

// Returns how often the most frequent guess for the n-th block, given the block `back` places before, is right.
static unsigned best_guess(unsigned n, unsigned back)
{
    unsigned counts[WINDOW] = {0}, most = 0;
    for (unsigned i = 0; i < SLABS; i++) {
        size_t known = back > 0 ? order[i][n - back] : 0;
        unsigned count = ++counts[(order[i][n] + WINDOW - known) % WINDOW];
        if (count > most) most = count;
    }
    return most;
}

// By chance the most frequent of WINDOW answers is right in 8 or 9 of 64 slabs, and in 20 hardly ever; in steps of one length,
// or in the same order in each slab, in all of them.
static void the_next_block_is_not_foretold(void)
{
    tiny_heap_t *heap = tiny_heap_acquire();
    unsigned taken = note_order_of_slabs(heap);
    check_each_comes_once();
    for (unsigned n = 0; n < WINDOW; n++)
        for (unsigned back = 0; back <= n; back++) {
            unsigned right = best_guess(n, back);
            T_CHECK(right < 20, "block %u is foretold by block %u before it in %u of %d slabs", n, back,
                    right, SLABS);
        }
    give_blocks(heap, taken);
    tiny_heap_tidy(heap);
    tiny_heap_release(heap);
}
#endif

int main(void)
{
    if (!T_GLIBC) T_not_run("the C library allocates before main, and the test counts every block of a heap");
#if TINY_CHECKS >= TINY_CHECKS_FULL
    T_RUN(the_next_block_is_not_foretold);
#endif
    T_RUN(blocks_of_every_class_do_not_overlap_and_return);
    T_RUN(rows_return_in_any_order);
    T_RUN(blocks_that_others_freed_return_when_they_are_taken_in);
    T_RUN(a_second_free_is_found_before_and_after_the_first_is_collected);
    T_RUN(a_slab_that_others_free_from_end_to_end_is_empty_again);
#if TINY_MARKS
    T_RUN(a_visit_leaves_a_block_that_looks_cached_to_the_owner);
#endif
    T_RUN(what_is_sent_to_many_owners_at_once_arrives);
    T_RUN(a_visit_stops_only_the_owner_that_it_visits);
    T_RUN(a_vanished_heap_is_in_no_change);
    T_RUN(an_idle_heap_loses_nothing);
    T_RUN(a_heap_is_handed_on_and_its_room_adopted);
    T_RUN(a_misuse_among_scattered_blocks_is_found);
    T_RUN(a_block_of_a_row_that_is_free_or_was_never_allocated_is_found); // some of its blocks are lost
    return 0;
}
