// Shared pool: pages of superslabs are taken and returned.

#include "inside.h"

#include "hardened/canary.h"
#include "heap/large.h"
#include "heap/shared_pool.h"
#include "heap/tiny_slabs.h"
#include "os/os.h"
#include "registry/tiny_registry.h"

enum { PAGES = 100, ONE_PAGE_CLASS = 0 };

// The bytes of a slab of one page.
static size_t page_bytes(void)
{
    return HAK_PAGE - canary_slab_guard();
}

// Returns the first class whose slabs have as many pages; TINY_CLASSES if there is none.
static size_t class_with(unsigned slab_pages)
{
    size_t class = 0;
    while (class < TINY_CLASSES && tiny_slab_pages_for(class) != slab_pages) class++;
    return class;
}

static char *pages[PAGES];

static size_t give_back_all(void)
{
    return shared_pool_return(SIZE_MAX, os_clock_ms(), 0);
}

static void take_pages(void)
{
    for (int i = 0; i < PAGES; i++) {
        pages[i] = shared_pool_take(1, ONE_PAGE_CLASS, false);
        T_CHECK(pages[i] != NULL, "no page");
        T_CHECK_ALIGNED(pages[i], HAK_PAGE);
        T_CHECK(tiny_registry_record(pages[i])->owner != NULL, "the page's superslab is not noted");
        for (int j = 0; j < i; j++) T_CHECK(pages[i] != pages[j], "page %p came twice", (void *)pages[i]);
        memset(pages[i], i + 1, page_bytes());
    }
}

static void check_and_give(int i)
{
    T_CHECK(pages[i][0] == i + 1 && pages[i][page_bytes() - 1] == i + 1, "page %d has changed", i);
    shared_pool_give(pages[i], 1);
}

static void pages_are_apart_and_come_back(void)
{
    shared_pool_usage_t before = shared_pool_usage();
    take_pages();
    shared_pool_usage_t taken = shared_pool_usage();
    T_CHECK(taken.pages_used == before.pages_used + PAGES, "%zu pages are in use", taken.pages_used);
    T_CHECK(taken.superslabs * SHARED_POOL_SUPERSLAB >= taken.pages_used * HAK_PAGE, "too few superslabs");
    for (int i = 0; i < PAGES; i++) check_and_give((i * 37) % PAGES);
    shared_pool_usage_t given = shared_pool_usage();
    T_CHECK(given.pages_used == before.pages_used, "%zu pages are left in use", given.pages_used);
}

static void what_was_given_is_taken_again_before_more_is_mapped(void)
{
    take_pages();
    size_t superslabs = shared_pool_usage().superslabs;
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < PAGES; i += 2) check_and_give(i);
        for (int i = 0; i < PAGES; i += 2)
            memset(pages[i] = shared_pool_take(1, ONE_PAGE_CLASS, false), i + 1, page_bytes());
    }
    T_CHECK(shared_pool_usage().superslabs == superslabs, "from %zu superslabs to %zu", superslabs,
            shared_pool_usage().superslabs);
    for (int i = 0; i < PAGES; i++) check_and_give(i);
}

static void everything_free_is_returned_on_request(void)
{
    take_pages();
    for (int i = 1; i < PAGES; i++) check_and_give(i);
    give_back_all();
    shared_pool_usage_t usage = shared_pool_usage();
    T_CHECK(usage.dirty_pages == 0, "%zu free pages hold memory", usage.dirty_pages);
    T_CHECK(T_CHECKS >= 2 || usage.superslabs <= usage.pages_used, "%zu superslabs for %zu pages",
            usage.superslabs, usage.pages_used);
    T_CHECK(give_back_all() == 0, "memory was returned twice");
    check_and_give(0);
}

// Rows of every length, at the same time and in each other's gaps.
static void rows_of_pages_are_aligned_and_apart(void)
{
    enum { ROWS = 400 };
    static char *rows[ROWS];
    static unsigned lengths[ROWS];
    shared_pool_usage_t before = shared_pool_usage();
    uint64_t random = 3;
    for (int step = 0; step < 20000; step++) {
        size_t i = T_random(&random) % ROWS;
        if (rows[i] != NULL) {
            for (unsigned j = 0; j < lengths[i]; j++)
                T_CHECK(rows[i][j * HAK_PAGE] == (char)i, "page %u of row %zu has changed", j, i);
            shared_pool_give(rows[i], lengths[i]);
        }
        do lengths[i] = 1u << T_random(&random) % 3;
        while (class_with(lengths[i]) == TINY_CLASSES && T_CHECKS >= 2);
        rows[i] = shared_pool_take(lengths[i], class_with(lengths[i]), false);
        T_CHECK(rows[i] != NULL, "no row of %u pages", lengths[i]);
        T_CHECK_ALIGNED(rows[i], lengths[i] * HAK_PAGE);
        for (unsigned j = 0; j < lengths[i]; j++) rows[i][j * HAK_PAGE] = (char)i;
    }
    for (int i = 0; i < ROWS; i++)
        if (rows[i] != NULL) shared_pool_give(rows[i], lengths[i]);
    T_CHECK(shared_pool_usage().pages_used == before.pages_used, "pages are left in use");
    give_back_all();
}

// The probability that 100 random pages are in ascending order is negligible.
static void pages_come_in_the_order_of_their_addresses_or_by_chance(void)
{
    take_pages();
    int following = 0;
    for (int i = 1; i < PAGES; i++) following += pages[i] == pages[i - 1] + HAK_PAGE;
    if (T_CHECKS >= 2)
        T_CHECK(following < PAGES / 2, "%d of %d pages follow the one before", following, PAGES);
    else T_CHECK(following >= PAGES - 8, "only %d of %d pages follow the one before", following, PAGES);
    for (int i = 0; i < PAGES; i++) check_and_give(i);
}

// Otherwise a program that frees large blocks and then allocates small ones would hold the memory of both.
static void free_large_blocks_become_superslabs(void)
{
    enum { MIB = 1 << 20 };
    bool zeroed;
    if (T_CHECKS >= 2) return; // a freed block's memory is not used again soon there
    give_back_all();
    T_CHECK(shared_pool_usage().superslabs == 0, "superslabs are left");
    char *block = large_alloc(16 * MIB, 16, &zeroed);
    T_CHECK(block != NULL, "no block");
    memset(block, 1, 16 * MIB);
    large_free(block);
    size_t is_free = large_usage().cached_bytes;
    take_pages();
    for (int i = 0; i < PAGES; i++)
        T_CHECK(pages[i] >= block && pages[i] < block + 16 * MIB, "page %d is new", i);
    shared_pool_usage_t usage = shared_pool_usage();
    size_t taken = usage.superslabs * SHARED_POOL_SUPERSLAB;
    T_CHECK(large_usage().cached_bytes == is_free - taken, "%zu of %zu bytes are free",
            large_usage().cached_bytes, is_free);
    T_CHECK(usage.dirty_pages == usage.superslabs * SHARED_POOL_SUPERSLAB / HAK_PAGE - PAGES,
            "%zu free pages hold memory", usage.dirty_pages);
    for (int i = 0; i < PAGES; i++) check_and_give(i);
    T_CHECK(give_back_all() >= taken, "not all of it is returned");
    T_CHECK(shared_pool_usage().superslabs == 0, "superslabs are left");
    large_return(SIZE_MAX, os_clock_ms(), 0);
}

int main(void)
{
    T_RUN(pages_come_in_the_order_of_their_addresses_or_by_chance); // first: no page is used yet
    T_RUN(pages_are_apart_and_come_back);
    T_RUN(what_was_given_is_taken_again_before_more_is_mapped);
    T_RUN(rows_of_pages_are_aligned_and_apart);
    T_RUN(everything_free_is_returned_on_request);
    T_RUN(free_large_blocks_become_superslabs);
    return 0;
}
