// Huge pages are asked for less often while they are slow.

#include "inside.h"

#include "heap/huge_pages.h"
#include "heap/large_huge_pages.h"
#include "heap/shared_pool.h"
#include "os/os.h"
#include "written.h"

enum { FIRST = HUGE_PAGES_PAUSE_FIRST / HUGE_PAGE_BYTES, MOST = HUGE_PAGES_PAUSE_MOST / HUGE_PAGE_BYTES };

// Returns how many superslabs have small pages before the next one that asks.
static unsigned pause_of(unsigned most)
{
    unsigned superslabs = 0;
    while (superslabs < most && !huge_pages_are_due(HUGE_PAGE_BYTES)) superslabs++;
    return superslabs;
}

static void quick_ones_are_due_every_time(void)
{
    for (int i = 0; i < 10; i++) {
        T_CHECK(huge_pages_are_due(HUGE_PAGE_BYTES), "a pause after quick ones");
        huge_pages_took(HUGE_PAGES_SLOW_US - 1);
    }
}

static void pauses_after_slow_ones_grow_up_to_a_bound(void)
{
    unsigned want = FIRST;
    for (int i = 0; i < 10; i++) {
        huge_pages_took(HUGE_PAGES_SLOW_US);
        unsigned got = pause_of(1000);
        T_CHECK(got == want, "%u superslabs with small pages instead of %u", got, want);
        want = want * 2 < MOST ? want * 2 : MOST;
    }
}

static void a_quick_one_ends_the_pauses(void)
{
    huge_pages_took(HUGE_PAGES_SLOW_US);
    huge_pages_took(1);
    T_CHECK(huge_pages_are_due(HUGE_PAGE_BYTES), "a pause after a quick one");
    huge_pages_took(HUGE_PAGES_SLOW_US);
    T_CHECK(pause_of(1000) == FIRST, "the pauses do not begin anew");
}

static void the_first_access_is_measured(void)
{
    enum { TRIES = 100 }; // a busy machine may interrupt some
    char *pages = T_pages(TRIES * 65536);
    int quick = 0;
    for (int i = 0; i < TRIES; i++) {
        huge_pages_took(HUGE_PAGES_SLOW_US);
        huge_pages_first_access(pages + i * 65536);
        quick += huge_pages_are_due(HUGE_PAGE_BYTES);
        huge_pages_took(1);
    }
    T_CHECK(quick > 0, "each of %d first accesses to a small page is slow", TRIES);
}

// Takes pages of the pool until it has mapped one more superslab for them.
static void map_one(void)
{
    const size_t before = shared_pool_usage().superslabs;
    while (shared_pool_usage().superslabs == before)
        T_CHECK(shared_pool_take(1, 0, true) != NULL, "the pool has no page");
}

// Maps memory for a large block, which is then written to.
static void map_large(void)
{
    const size_t size = LARGE_HUGE_PAGES_LEAST;
    char *pages = T_pages(size + HAK_PAGE), *start = (char *)hak_round_up((uintptr_t)pages, HAK_PAGE);
    large_huge_pages_mapped(start, size);
    memset(start, 1, size);
}

static bool large_blocks_ask(void)
{
    return T_CHECKS < 2 && tells_what_is_written();
}

// With full checks, neither superslabs nor large blocks ask for any.
static void the_pool_keeps_to_the_pauses(void)
{
    huge_pages_took(1);
    huge_pages_took(HUGE_PAGES_SLOW_US);
    map_one();
    const unsigned left = pause_of(1000), want = T_CHECKS >= 2 ? FIRST : FIRST - 1;
    T_CHECK(left == want, "after one of %d superslabs with small pages, %u are left", FIRST, left);
}

// A pause of 2 * FIRST after the next slow one would mean that the pool has told nothing: it is FIRST after a quick one, 4 * FIRST
// after a slow one.
static void the_pool_measures_the_superslab_that_asks(void)
{
    huge_pages_took(1);
    huge_pages_took(HUGE_PAGES_SLOW_US);
    T_CHECK(pause_of(1000) == FIRST, "no pause after a slow one");
    map_one();
    huge_pages_took(HUGE_PAGES_SLOW_US);
    const unsigned pause = pause_of(1000);
    T_CHECK((pause == 2 * FIRST) == (T_CHECKS >= 2), "the pause is %u", pause);
}

// The first mapping is watched; the second one may get huge pages.
static void large_blocks_keep_to_the_pauses(void)
{
    huge_pages_took(1);
    huge_pages_took(HUGE_PAGES_SLOW_US);
    map_large();
    map_large();
    const unsigned left = pause_of(1000), per = LARGE_HUGE_PAGES_LEAST / HUGE_PAGE_BYTES;
    T_CHECK(left == FIRST - (large_blocks_ask() ? per : 0), "of %d superslabs with small pages, %u are left",
            FIRST, left);
}

// In the pause a mapping is watched; after it, one asks.
static void the_large_block_that_asks_is_measured(void)
{
    huge_pages_took(1);
    huge_pages_took(HUGE_PAGES_SLOW_US);
    map_large();
    T_CHECK(pause_of(1000) > 0, "no pause after a slow one");
    map_large();
    huge_pages_took(HUGE_PAGES_SLOW_US);
    const unsigned pause = pause_of(1000);
    T_CHECK((pause == 2 * FIRST) == !large_blocks_ask(), "the pause is %u", pause);
}

int main(void)
{
    T_RUN(quick_ones_are_due_every_time);
    T_RUN(pauses_after_slow_ones_grow_up_to_a_bound);
    T_RUN(a_quick_one_ends_the_pauses);
    T_RUN(the_first_access_is_measured);
    T_RUN(the_pool_keeps_to_the_pauses);
    T_RUN(the_pool_measures_the_superslab_that_asks);
    T_RUN(large_blocks_keep_to_the_pauses);
    T_RUN(the_large_block_that_asks_is_measured);
    return 0;
}
