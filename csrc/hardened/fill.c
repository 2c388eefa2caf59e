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

typedef bool visit_t(char *start, char *end);

// Calls `present` or `absent` for each row of pages that hold memory, or do not, until it returns false; false then.
static bool visit_rows(pages_t pages, visit_t *present, visit_t *absent)
{
    bool is_present[OS_PRESENT_MOST];
    while (pages.first < pages.end) {
        size_t count = (size_t)(pages.end - pages.first) / OS_PAGE, end;
        if (count > OS_PRESENT_MOST) count = OS_PRESENT_MOST;
        if (!os_present(pages.first, count, is_present)) memset(is_present, true, sizeof is_present);
        for (size_t i = 0; i < count; i = end) {
            for (end = i + 1; end < count && is_present[end] == is_present[i];) end++;
            visit_t *visit = is_present[i] ? present : absent;
            if (!visit(pages.first + i * OS_PAGE, pages.first + end * OS_PAGE)) return false;
        }
        pages.first += count * OS_PAGE;
    }
    return true;
}

static bool fill_row(char *start, char *end)
{
    canary_fill(start, end);
    return true;
}

// These pages were never touched, or the system has moved them to its swap space with the program's contents. Afterwards
// they read as zero in any case.
static bool empty_row(char *start, char *end)
{
    if (!os_purge(start, (size_t)(end - start))) canary_fill(start, end);
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

// A page that did not hold memory at the free, and does now, holds zeroes.
static bool row_is_whole(char *start, char *end)
{
    for (; start < end; start += OS_PAGE)
        if (!fill_or_zero(start, start + OS_PAGE)) return false;
    return true;
}

// Pages that hold no memory have not been written to; those in the swap space are not read for this.
static bool absent_is_whole(char *start, char *end)
{
    (void)start;
    (void)end;
    return true;
}

// The page of the first word, in which a link will be written, counts as present.
void fill_pages(char *start, char *end)
{
    pages_t pages = pages_in(start + sizeof(tiny_block_t), end);
    canary_fill(start, pages.first);
    visit_rows(pages, fill_row, empty_row);
    canary_fill(pages.end, end);
}

static bool zero_row(char *start, char *end)
{
    memset(start, 0, (size_t)(end - start));
    return true;
}

static bool zero_absent_row(char *start, char *end)
{
    return os_purge(start, (size_t)(end - start)) || zero_row(start, end);
}

void fill_with_zeroes(char *start, char *end)
{
    pages_t pages = pages_in(start, end);
    memset(start, 0, (size_t)(pages.first - start));
    visit_rows(pages, zero_row, zero_absent_row);
    memset(pages.end, 0, (size_t)(end - pages.end));
}

bool fill_pages_are_whole(const char *from, const char *end)
{
    pages_t pages = pages_in(from, end);
    return canary_is_filled(from, pages.first) && visit_rows(pages, row_is_whole, absent_is_whole) &&
           canary_is_filled(pages.end, end);
}

#else
typedef int fill_is_compiled_out; // ISO C requires a declaration in every file
#endif
