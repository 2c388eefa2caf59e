// Huge pages of large blocks: what is watched is one word, so no lock is held while the system is asked.
#include "heap/large_huge_pages.h"

#include "hardened/tiny_checks.h"
#include "heap/huge_pages.h"
#include "os/os.h"
#include "registry/tiny_state.h"

_Static_assert(LARGE_HUGE_PAGES_LEAST >= 2 * HUGE_PAGE_BYTES, "contains a whole huge page");

// The watched mapping, as `first page << 32 | number of pages`; 0: none. Another mapping may lie there by now; then that one is
// looked at, and a wrong answer costs time or memory within the bounds of huge pages.
static _Atomic(uint64_t) watched;
static _Atomic(size_t) left; // bytes of new mappings that may get huge pages

static void watch(const char *start, size_t size)
{
    const uint64_t first = (uintptr_t)start >> HAK_PAGE_SHIFT, pages = size >> HAK_PAGE_SHIFT;
    atomic_store_explicit(&watched, first << 32 | (uint32_t)pages, memory_order_relaxed);
}

// Looks at some pages of the MMU, at equal distances.
static bool is_written(char *start, size_t size)
{
    enum { LOOKS = 16, MISSED_MOST = 1 };
    const size_t step = size / LOOKS;
    unsigned missed = 0;
    for (size_t i = 0; i < LOOKS && missed <= MISSED_MOST; i++) {
        bool present[OS_PRESENT_MOST];
        const uintptr_t middle = (uintptr_t)start + i * step + step / 2;
        if (!os_present((void *)(middle & ~(OS_PAGE - 1)), 1, present) || !present[0]) missed++;
    }
    return missed <= MISSED_MOST;
}

static void look_at_watched(void)
{
    uint64_t seen = atomic_load_explicit(&watched, memory_order_relaxed);
    const size_t size = (size_t)(uint32_t)seen << HAK_PAGE_SHIFT;
    if (seen == 0 || !is_written((char *)(uintptr_t)(seen >> 32 << HAK_PAGE_SHIFT), size)) return;
    if (atomic_compare_exchange_strong_explicit(&watched, &seen, 0, memory_order_relaxed,
                                                memory_order_relaxed))
        atomic_store_explicit(&left, LARGE_HUGE_PAGES_WORTH * size, memory_order_relaxed);
}

// True if so many bytes may get huge pages; they are used up then.
static bool use_up(size_t size)
{
    size_t bytes = atomic_load_explicit(&left, memory_order_relaxed);
    return bytes >= size && atomic_compare_exchange_strong_explicit(
                                &left, &bytes, bytes - size, memory_order_relaxed, memory_order_relaxed);
}

void large_huge_pages_mapped(char *start, size_t size)
{
    if (TINY_CHECKS >= TINY_CHECKS_FULL || TINY_OPTION_HUGE_PAGES == 0 || size < LARGE_HUGE_PAGES_LEAST)
        return;
    look_at_watched();
    if (!use_up(size) || !huge_pages_are_due(size)) {
        watch(start, size);
        return;
    }
    os_huge_pages(start, size);
    char *first = (char *)hak_round_up((uintptr_t)start, HUGE_PAGE_BYTES);
    if (!huge_pages_first_access(first)) os_no_huge_pages(start, size);
}
