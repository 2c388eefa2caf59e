// Huge pages are asked for less often while they are slow.

#include "inside.h"

#include "heap/huge_pages.h"
#include "heap/shared_pool.h"

// Returns how many superslabs have small pages before the next one that asks.
static unsigned pause_of(unsigned most)
{
    unsigned superslabs = 0;
    while (superslabs < most && !huge_pages_are_due()) superslabs++;
    return superslabs;
}

static void quick_ones_are_due_every_time(void)
{
    for (int i = 0; i < 10; i++) {
        T_CHECK(huge_pages_are_due(), "a pause after quick ones");
        huge_pages_took(HUGE_PAGES_SLOW_US - 1);
    }
}

static void pauses_after_slow_ones_grow_up_to_a_bound(void)
{
    unsigned want = 4;
    for (int i = 0; i < 10; i++) {
        huge_pages_took(HUGE_PAGES_SLOW_US);
        unsigned got = pause_of(1000);
        T_CHECK(got == want, "%u superslabs with small pages instead of %u", got, want);
        want = want * 2 < HUGE_PAGES_PAUSE_MOST ? want * 2 : HUGE_PAGES_PAUSE_MOST;
    }
}

static void a_quick_one_ends_the_pauses(void)
{
    huge_pages_took(HUGE_PAGES_SLOW_US);
    huge_pages_took(1);
    T_CHECK(huge_pages_are_due(), "a pause after a quick one");
    huge_pages_took(HUGE_PAGES_SLOW_US);
    T_CHECK(pause_of(1000) == 4, "the pauses do not begin anew");
}

static void the_first_access_is_measured(void)
{
    enum { TRIES = 100 }; // a busy machine may interrupt some
    char *pages = T_pages(TRIES * 65536);
    int quick = 0;
    for (int i = 0; i < TRIES; i++) {
        huge_pages_took(HUGE_PAGES_SLOW_US);
        huge_pages_first_access(pages + i * 65536);
        quick += huge_pages_are_due();
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

// With full checks, superslabs ask for none.
static void the_pool_keeps_to_the_pauses(void)
{
    huge_pages_took(1);
    huge_pages_took(HUGE_PAGES_SLOW_US);
    map_one();
    const unsigned left = pause_of(1000), want = T_CHECKS >= 2 ? 4 : 3;
    T_CHECK(left == want, "after one of 4 superslabs with small pages, %u are left", left);
}

// A pause of 8 after the next slow one would mean that the pool has told nothing: it is 4 after a quick one, 16 after a slow one.
static void the_pool_measures_the_superslab_that_asks(void)
{
    huge_pages_took(1);
    huge_pages_took(HUGE_PAGES_SLOW_US);
    T_CHECK(pause_of(1000) == 4, "no pause after a slow one");
    map_one();
    huge_pages_took(HUGE_PAGES_SLOW_US);
    const unsigned pause = pause_of(1000);
    T_CHECK((pause == 8) == (T_CHECKS >= 2), "the pause is %u", pause);
}

int main(void)
{
    T_RUN(quick_ones_are_due_every_time);
    T_RUN(pauses_after_slow_ones_grow_up_to_a_bound);
    T_RUN(a_quick_one_ends_the_pauses);
    T_RUN(the_first_access_is_measured);
    T_RUN(the_pool_keeps_to_the_pauses);
    T_RUN(the_pool_measures_the_superslab_that_asks);
    return 0;
}
