// Huge pages: the slabs of a thread that has many small blocks get them, and large blocks of a program that writes to these; others
// do not, and memory that was returned does not come back with them.

#include "list.h"
#include "mapping_flags.h"

enum { MIB = 1 << 20, SMALL = 96, MEDIUM = 24 << 10, RUN = 100 << 10 };
enum { LEAST_MIB = 8 }; // that a thread has in slabs before it gets huge pages
enum { MANY_MIB = 6 * LEAST_MIB };

// Runs a case in a process of its own. Where huge pages are slow, only some superslabs get them, but the first one of a process that
// may have them always does; so no case depends on the ones before it.
#define RUN_APART(name) \
    do { \
        pid_t child_ = fork(); \
        if (child_ == 0) { \
            T_RUN(name); \
            _exit(0); \
        } \
        T_CHECK_CHILD(child_); \
    } while (0)

// Removes a block from the list that lies in a mapping with the flag; NULL if there is none.
static struct node *remove_flagged(struct node **list, const char *flag)
{
    const uintptr_t superslab = ~(uintptr_t)(2 * MIB - 1);
    uintptr_t looked_at = 0;
    for (struct node **place = list; *place != NULL; place = &(*place)->next) {
        struct node *node = *place;
        if (((uintptr_t)node & superslab) == looked_at) continue;
        looked_at = (uintptr_t)node & superslab;
        if (!has_flag(node, flag)) continue;
        *place = node->next;
        return node;
    }
    return NULL;
}

// Checks that a block of the list lies in a superslab with a huge page. With full checks a slab's pages are mapped one by one, so no
// huge page fits. Frees the list.
static void check_for_huge_page(struct node *list)
{
    struct node *huge = remove_flagged(&list, "hg");
    T_CHECK((huge != NULL) == (T_CHECKS < 2), "%s superslab gets a huge page", huge != NULL ? "a" : "no");
    T_free(huge);
    list_free(list);
}

static void the_next_slabs_of_many_small_blocks_get_huge_pages(void)
{
    struct node *first = list_push(NULL, SMALL);
    T_CHECK(!has_flag(first, "hg"), "the first superslab gets a huge page");
    check_for_huge_page(list_of(SMALL, MANY_MIB * MIB));
    list_free(first);
    T_malloc_trim(0);
}

// Frees all blocks of the list but one of so many; returns what is left.
static struct node *thin_out(struct node *list, unsigned one_of)
{
    struct node *kept = NULL;
    for (unsigned i = 0; list != NULL; i++) {
        struct node *next = list->next;
        if (i % one_of == 0) {
            list->next = kept;
            kept = list;
        } else {
            T_free(list);
        }
        list = next;
    }
    return kept;
}

// What counts is the memory of the slabs: a few blocks of each keep it in use, and the next ones need as much again.
static void the_next_slabs_of_many_sparse_slabs_get_huge_pages(void)
{
    struct node *sparse = thin_out(list_of(SMALL, (LEAST_MIB - 1) * MIB), 64);
    check_for_huge_page(list_of(2 * SMALL, (LEAST_MIB - 1) * MIB));
    list_free(sparse);
    T_malloc_trim(0);
}

// A program may use only the beginning of a large block; then the rest must not take memory.
static void blocks_above_a_page_take_only_the_memory_that_is_used(void)
{
    struct node *small = list_of(SMALL, MANY_MIB * MIB);
    size_t before = T_resident_kib();
    struct node *medium = list_of(MEDIUM, MANY_MIB * MIB);
    size_t used = T_resident_kib() - before;
    T_CHECK(T_CHECKS >= 2 || used < MANY_MIB * 1024 / 2, "%zu KiB for blocks of %d MiB with 4 KiB of 24 used",
            used, MANY_MIB);
    list_free(small);
    list_free(medium);
    T_malloc_trim(0);
}

// Each block is written to before the next one is allocated.
static struct node *list_of_written(size_t size, size_t bytes)
{
    struct node *list = NULL;
    for (size_t i = 0; i < bytes / size; i++) {
        list = list_push(list, size);
        memset(list + 1, 1, size - sizeof *list);
    }
    return list;
}

// One that wrote to all of its blocks may begin to use only a part of each.
static void huge_pages_of_blocks_above_a_page_end_when_these_are_no_longer_written(void)
{
    enum { PARTLY_MIB = 256, GRANTED_MIB = 32 };
    struct node *written = list_of_written(MEDIUM, MANY_MIB * MIB);
    size_t before = T_resident_kib();
    struct node *partly = list_of(MEDIUM, PARTLY_MIB * MIB);
    size_t used = T_resident_kib() - before;
    T_CHECK(T_CHECKS >= 2 || used < (PARTLY_MIB / 4 + GRANTED_MIB) * 1024,
            "%zu KiB for blocks of %d MiB with 4 KiB of 24 used", used, PARTLY_MIB);
    list_free(written);
    list_free(partly);
    T_malloc_trim(0);
}

enum { BEGUN, MAY_TAKE, HAVE_TAKEN, MAY_END, GATES };

static void *keep_a_few_blocks(void *gates)
{
    pthread_barrier_t *gate = gates;
    struct node *list = NULL;
    pthread_barrier_wait(&gate[BEGUN]);
    pthread_barrier_wait(&gate[MAY_TAKE]);
    for (size_t size = 16; size <= 1024; size += 16) list = list_push(list, size);
    pthread_barrier_wait(&gate[HAVE_TAKEN]);
    pthread_barrier_wait(&gate[MAY_END]);
    list_free(list);
    return NULL;
}

// Each of them begins a slab in every class. Their stacks and thread-local variables do not count: a sanitizer's
// runtime may have a quarter of a MiB of these.
static void threads_with_a_few_blocks_take_no_huge_pages(void)
{
    enum { THREADS = 32, MOST_KIB_EACH = 160 };
    pthread_t threads[THREADS];
    pthread_barrier_t gate[GATES];
    for (int i = 0; i < GATES; i++) pthread_barrier_init(&gate[i], NULL, THREADS + 1);
    struct node *list = list_of(SMALL, MANY_MIB * MIB);
    for (int i = 0; i < THREADS; i++) threads[i] = T_thread(keep_a_few_blocks, gate);
    pthread_barrier_wait(&gate[BEGUN]);
    size_t before = T_resident_kib();
    pthread_barrier_wait(&gate[MAY_TAKE]);
    pthread_barrier_wait(&gate[HAVE_TAKEN]);
    size_t used = T_resident_kib() - before;
    pthread_barrier_wait(&gate[MAY_END]);
    for (int i = 0; i < THREADS; i++) T_join(threads[i]);
    for (int i = 0; i < GATES; i++) pthread_barrier_destroy(&gate[i]);
    T_CHECK(T_CHECKS >= 2 || used < THREADS * MOST_KIB_EACH, "%d threads took %zu KiB for 33 KiB each",
            THREADS, used);
    list_free(list);
    T_malloc_trim(0);
}

// Otherwise the kernel would replace the small pages that were returned by a zero-filled huge page.
static void gaps_that_were_given_back_are_not_filled_with_huge_pages(void)
{
    const size_t size = T_CHECKS >= 2 ? RUN : MEDIUM; // with full checks, free slabs are inaccessible
    struct node *keeper = list_push(NULL, size), *list = NULL;
    for (int i = 0; i < 100; i++) list = list_push(list, size);
    list_free(list);
    T_malloc_trim(0);
    T_CHECK(has_flag(keeper, "nh"), "a chunk of the page arena may still get huge pages");
    T_free(keeper);
    if (T_CHECKS >= 2) return;
    list = list_of(SMALL, MANY_MIB * MIB);
    keeper = remove_flagged(&list, "hg");
    T_CHECK(keeper != NULL, "no superslab may get huge pages");
    struct node *later = list_of(SMALL, MANY_MIB * MIB); // the superslab of the keeper has other pages
    list_free(list);
    list_free(later);
    T_malloc_trim(0);
    T_CHECK(has_flag(keeper, "nh") && !has_flag(keeper, "hg"), "a superslab may still get huge pages");
    T_free(keeper);
}

// Returns a new large block of which the first `written` bytes have been written to.
static char *large_block(size_t size, size_t written)
{
    char *block = T_malloc(size);
    for (size_t at = 0; at < written; at += 4096) block[at] = 1;
    return block;
}

// Where the first huge page is slow, the block gets none.
static bool was_to_get_huge_pages(const char *block)
{
    return has_flag(block, "hg") || has_flag(block, "nh");
}

static void large_blocks_after_one_that_was_written_get_huge_pages(void)
{
    enum { SIZE = 8 * MIB, NEXT = 16 * MIB };
    char *written = large_block(SIZE, SIZE);
    const size_t before = T_resident_kib();
    char *next = large_block(NEXT, 0);
    const size_t used = T_resident_kib() - before;
    T_CHECK(!was_to_get_huge_pages(written), "the first large block gets huge pages");
    T_CHECK(was_to_get_huge_pages(next) == (T_CHECKS < 2),
            "the block after one that was written to %s huge pages", T_CHECKS < 2 ? "gets no" : "gets");
    T_CHECK(used < 3 * 1024, "a block that was not written to takes %zu KiB", used);
    T_free(next);
    T_free(written);
}

static void large_blocks_after_one_that_was_not_written_get_none(void)
{
    enum { SIZE = 8 * MIB };
    char *blocks[] = {large_block(SIZE, SIZE / 2), large_block(SIZE, 0), large_block(SIZE, 0)};
    for (int i = 0; i < 3; i++) {
        T_CHECK(!was_to_get_huge_pages(blocks[i]), "block %d gets huge pages", i);
        T_free(blocks[i]);
    }
}

// 16 times the block that was written to; the last two blocks are beyond that.
static void large_blocks_get_huge_pages_up_to_a_bound(void)
{
    enum { WRITTEN = 4 * MIB, NEXT = 8 * MIB, WORTH = 16, BLOCKS = WORTH * WRITTEN / NEXT + 2 };
    char *written = large_block(WRITTEN, WRITTEN), *blocks[BLOCKS];
    int huge = 0;
    for (int i = 0; i < BLOCKS; i++) {
        blocks[i] = large_block(NEXT, 0);
        huge += was_to_get_huge_pages(blocks[i]);
    }
    const int most = T_CHECKS < 2 ? BLOCKS - 2 : 0;
    T_CHECK(huge <= most && (huge > 0) == (most > 0), "%d blocks get huge pages, at most %d", huge, most);
    for (int i = 0; i < BLOCKS; i++) T_free(blocks[i]);
    T_free(written);
}

// An emulator may ignore the advice.
static bool takes_advice(void)
{
    void *pages = T_pages(2 * MIB);
    T_CHECK(madvise(pages, 2 * MIB, MADV_HUGEPAGE) == 0, "madvise: %s", strerror(errno));
    return has_flag(pages, "hg");
}

int main(void)
{
    if (T_SANITIZER) T_not_run("a sanitizer's shadow memory makes resident memory useless as a measure");
    if (access("/sys/kernel/mm/transparent_hugepage/enabled", R_OK) != 0)
        T_not_run("the kernel has no transparent huge pages");
    if (!takes_advice()) T_not_run("the system ignores advice about huge pages");
    RUN_APART(the_next_slabs_of_many_small_blocks_get_huge_pages);
    RUN_APART(the_next_slabs_of_many_sparse_slabs_get_huge_pages);
    RUN_APART(threads_with_a_few_blocks_take_no_huge_pages);
    RUN_APART(blocks_above_a_page_take_only_the_memory_that_is_used);
    RUN_APART(huge_pages_of_blocks_above_a_page_end_when_these_are_no_longer_written);
    RUN_APART(large_blocks_after_one_that_was_written_get_huge_pages);
    RUN_APART(large_blocks_after_one_that_was_not_written_get_none);
    RUN_APART(large_blocks_get_huge_pages_up_to_a_bound);
    RUN_APART(gaps_that_were_given_back_are_not_filled_with_huge_pages);
    return 0;
}
