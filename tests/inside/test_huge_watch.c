// Huge pages for a program that writes to most of its memory.

#include "inside.h"

#include "../csrc/mapping_flags.h"
#include "heap/huge_pages.h"
#include "heap/huge_watch.h"
#include "heap/pool_superslabs.h"
#include "heap/shared_pool.h"
#include "heap/tiny_slabs.h"
#include "os/os.h"
#include "written.h"

enum { STEP = HAK_PAGE, SIZE = HUGE_WATCH_LOOKS * STEP, MISSED = 6 };

// Returns a mapping, at a page of the registry.
static char *map(void)
{
    char *pages = T_pages(SIZE + HAK_PAGE);
    return (char *)hak_round_up((uintptr_t)pages, HAK_PAGE);
}

// Writes to the first of the equal parts that are looked at.
static void write_parts(char *start, size_t parts)
{
    memset(start, 1, parts * STEP);
}

// Returns how many further mappings are granted.
static unsigned count_granted(huge_watch_t *watch)
{
    unsigned granted = 0;
    while (huge_watch_grants(watch, map(), SIZE)) T_CHECK(++granted < 100, "there is no bound");
    return granted;
}

static void the_first_mapping_is_watched(void)
{
    huge_watch_t watch = {.missed_most = MISSED};
    T_CHECK(count_granted(&watch) == 0, "the first one is granted");
    T_CHECK(count_granted(&watch) == 0, "one after an unwritten one is granted");
}

static void so_many_are_granted_after_one_that_was_written(void)
{
    huge_watch_t watch = {.missed_most = MISSED};
    for (int round = 0; round < 3; round++) {
        char *first = map();
        T_CHECK(!huge_watch_grants(&watch, first, SIZE), "granted before one was written");
        write_parts(first, HUGE_WATCH_LOOKS);
        const unsigned want = tells_what_is_written() ? HUGE_WATCH_WORTH : 0, got = count_granted(&watch);
        T_CHECK(got == want, "%u mappings are granted instead of %u", got, want);
    }
}

static void what_counts_is_how_much_was_written(void)
{
    for (unsigned most = 0; most < HUGE_WATCH_LOOKS; most++) {
        for (size_t parts = 0; parts <= HUGE_WATCH_LOOKS; parts++) {
            huge_watch_t watch = {.missed_most = most};
            char *first = map();
            T_CHECK(!huge_watch_grants(&watch, first, SIZE), "the first one is granted");
            write_parts(first, parts);
            const bool want = tells_what_is_written() && parts + most >= HUGE_WATCH_LOOKS;
            T_CHECK(huge_watch_grants(&watch, map(), SIZE) == want,
                    "%zu of %u parts written, %u may be missed", parts, HUGE_WATCH_LOOKS, most);
        }
    }
}

// In a pause the mapping is watched, as if none were left.
static void slow_huge_pages_are_not_granted(void)
{
    huge_watch_t watch = {.missed_most = MISSED};
    char *first = map();
    T_CHECK(!huge_watch_grants(&watch, first, SIZE), "the first one is granted");
    write_parts(first, HUGE_WATCH_LOOKS);
    huge_pages_took(HUGE_PAGES_SLOW_US);
    T_CHECK(!huge_watch_grants(&watch, map(), SIZE), "granted after a slow one");
    huge_pages_took(1);
}

// Takes pages for slabs of the class until a superslab is mapped for them, and returns the first of these. Fills the pages before
// that one with data if `written`; with full checks a guard lies in them, and no superslab asks anyway.
static char *map_superslab_for(size_t class, bool written)
{
    const unsigned pages = tiny_slab_pages_for(class);
    const size_t before = shared_pool_usage().superslabs;
    for (;;) {
        huge_pages_took(1); // no pause
        char *page = shared_pool_take(pages, class, true);
        T_CHECK(page != NULL, "the pool has no page");
        if (shared_pool_usage().superslabs != before) return page;
        if (written && T_CHECKS < 2) memset(page, 1, pages * HAK_PAGE);
    }
}

// Returns whether a superslab asks for huge pages, after one for the same class.
static bool asks_after_one(size_t class, bool written)
{
    char *first = map_superslab_for(class, false);
    if (written && T_CHECKS < 2) memset(first, 1, tiny_slab_pages_for(class) * HAK_PAGE);
    return has_flag(map_superslab_for(class, written), "hg");
}

static void superslabs_of_large_classes_ask_if_they_are_written(void)
{
    const size_t class = TINY_CLASSES - 1;
    const bool above_a_page = tiny_class_size[class] > OS_PAGE;
    T_CHECK(asks_after_one(class, false) == (T_CHECKS < 2 && !above_a_page), "after an unwritten one");
    const bool want = T_CHECKS < 2 && (!above_a_page || tells_what_is_written());
    T_CHECK(asks_after_one(class, true) == want, "after a written one");
}

static void superslabs_of_small_classes_ask_always(void)
{
    T_CHECK(asks_after_one(0, false) == (T_CHECKS < 2), "after an unwritten one");
}

int main(void)
{
    T_RUN(the_first_mapping_is_watched);
    T_RUN(so_many_are_granted_after_one_that_was_written);
    T_RUN(what_counts_is_how_much_was_written);
    T_RUN(slow_huge_pages_are_not_granted);
    T_RUN(superslabs_of_large_classes_ask_if_they_are_written);
    T_RUN(superslabs_of_small_classes_ask_always);
    return 0;
}
