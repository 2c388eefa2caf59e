// The fill of a free block of many pages, some of which hold no memory. The system's answers about them are simulated:
// these say nothing else about a page that was swapped out.
#define _GNU_SOURCE
#include "inside.h"

#include <sys/syscall.h>

#include "hardened/fill.h"
#include "os/os.h"

#if TINY_CHECKS >= TINY_CHECKS_FULL

enum { PAGES = 100 };
static const char *swapped, *swapped_end;

__attribute__((visibility("default"))) int mincore(void *start, size_t size, unsigned char *answers)
{
    int result = (int)syscall(SYS_mincore, start, size, answers);
    for (size_t i = 0; result == 0 && i < (size + OS_PAGE - 1) / OS_PAGE; i++) {
        const char *page = (const char *)start + i * OS_PAGE;
        if (page >= swapped && page < swapped_end) answers[i] = 0;
    }
    return result;
}

static char *block_of_pages(void)
{
    char *block = os_map(PAGES * OS_PAGE, OS_PAGE);
    T_CHECK(block != NULL, "no block");
    return block;
}

// Fills it while pages [first, end) are swapped out.
static void fill_while_swapped(char *block, size_t first, size_t end)
{
    swapped = block + first * OS_PAGE;
    swapped_end = block + end * OS_PAGE;
    fill_whole(block, block + PAGES * OS_PAGE);
    swapped = swapped_end = NULL;
}

static void a_page_that_comes_back_from_the_swap_space_is_whole(void)
{
    char *block = block_of_pages();
    memset(block, 1, PAGES * OS_PAGE);
    fill_while_swapped(block, 60, 70);
    T_CHECK(fill_is_whole(block, block + PAGES * OS_PAGE), "taken for written to");
    os_unmap(block, PAGES * OS_PAGE);
}

static void a_write_to_any_page_is_found(void)
{
    char *block = block_of_pages();
    memset(block + 3 * OS_PAGE, 1, 60 * OS_PAGE);
    fill_while_swapped(block, 20, 30);
    for (size_t page = 0; page < PAGES; page++) {
        char *byte = block + page * OS_PAGE + 100, before = *byte;
        *byte = 1;
        T_CHECK(!fill_is_whole(block, block + PAGES * OS_PAGE), "a write to page %zu is not found", page);
        *byte = before;
        T_CHECK(fill_is_whole(block, block + PAGES * OS_PAGE), "page %zu is taken for written to", page);
    }
    os_unmap(block, PAGES * OS_PAGE);
}

#endif

int main(void)
{
#if TINY_CHECKS >= TINY_CHECKS_FULL
    T_RUN(a_page_that_comes_back_from_the_swap_space_is_whole);
    T_RUN(a_write_to_any_page_is_found);
#endif
    return 0;
}
