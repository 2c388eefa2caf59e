#include "heap/large_huge_pages.h"

#include "hardened/tiny_checks.h"
#include "heap/huge_pages.h"
#include "heap/huge_watch.h"
#include "os/os.h"
#include "registry/tiny_state.h"

_Static_assert(LARGE_HUGE_PAGES_LEAST >= 2 * HUGE_PAGE_BYTES, "contains a whole huge page");

// Nearly all of a block must have been written to.
static huge_watch_t blocks = {.missed_most = 1};

void large_huge_pages_mapped(char *start, size_t size)
{
    if (TINY_CHECKS >= TINY_CHECKS_FULL || TINY_OPTION_HUGE_PAGES == 0 || size < LARGE_HUGE_PAGES_LEAST)
        return;
    if (!huge_watch_grants(&blocks, start, size)) return;
    os_huge_pages(start, size);
    char *first = (char *)hak_round_up((uintptr_t)start, HUGE_PAGE_BYTES);
    if (!huge_pages_first_access(first)) os_no_huge_pages(start, size);
}
