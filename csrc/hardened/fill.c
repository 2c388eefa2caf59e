// Filling blocks as a whole, for variants with full checks: its allowance, and blocks of many pages.
#include "hardened/fill.h"

#include "os/os.h"

#if TINY_CHECKS >= TINY_CHECKS_FULL

bool fill_allowance_renew(fill_allowance_t *allowance, size_t size)
{
    uint32_t now = os_clock_ms();
    uint64_t gained = (uint64_t)(now - allowance->read_at) * FILL_ALLOWANCE_A_MS;
    allowance->read_at = now;
    allowance->spent = gained < allowance->spent ? allowance->spent - (uint32_t)gained : 0;
    return allowance->spent + size <= FILL_ALLOWANCE_MOST;
}

// ---- by page

// pages: those that lie in the memory as a whole. Its bytes before and after them are treated as present.
typedef struct pages {
    char *first;
    char *end;
} pages_t;

static pages_t pages_in(const char *start, const char *end)
{
    return (pages_t){(char *)hak_round_up((uintptr_t)start, OS_PAGE),
                     (char *)((uintptr_t)end & ~(OS_PAGE - 1))};
}

// Calls `visit` for each page that holds memory, until it returns false; false then.
static bool visit_present(pages_t pages, bool (*visit)(char *page))
{
    bool present[OS_PRESENT_MOST];
    while (pages.first < pages.end) {
        size_t count = (size_t)(pages.end - pages.first) / OS_PAGE;
        if (count > OS_PRESENT_MOST) count = OS_PRESENT_MOST;
        bool known = os_present(pages.first, count, present);
        for (size_t i = 0; i < count; i++, pages.first += OS_PAGE)
            if ((!known || present[i]) && !visit(pages.first)) return false;
    }
    return true;
}

static bool fill_page(char *page)
{
    canary_fill(page, page + OS_PAGE);
    return true;
}

bool fill_or_zero(const char *start, const char *end)
{
    const canary_word_t *word = (const canary_word_t *)(const void *)start,
                        *stop = (const canary_word_t *)(const void *)end;
    if (*word == CANARY_FILL) return canary_is_filled(start, end);
    uint64_t bits = 0;
    for (; word < stop; word++) bits |= *word;
    return bits == 0;
}

// A page that was not touched before the free, and has memory now, holds zeroes.
static bool page_is_whole(char *page)
{
    return fill_or_zero(page, page + OS_PAGE);
}

// The page of the first word, in which a link will be written, counts as present.
void fill_pages(char *start, char *end)
{
    pages_t pages = pages_in(start + sizeof(tiny_block_t), end);
    canary_fill(start, pages.first);
    visit_present(pages, fill_page);
    canary_fill(pages.end, end);
}

bool fill_pages_are_whole(const char *from, const char *end)
{
    pages_t pages = pages_in(from, end);
    return canary_is_filled(from, pages.first) && visit_present(pages, page_is_whole) &&
           canary_is_filled(pages.end, end);
}

#else
typedef int fill_is_compiled_out; // ISO C requires a declaration in every file
#endif
