#include "heap/huge_watch.h"

#include "heap/huge_pages.h"
#include "os/os.h"

static void begin_to_watch(huge_watch_t *watch, const char *start, size_t size)
{
    const uint64_t first = (uintptr_t)start >> HAK_PAGE_SHIFT, pages = size >> HAK_PAGE_SHIFT;
    atomic_store_explicit(&watch->watched, first << 32 | (uint32_t)pages, memory_order_relaxed);
}

// Looks at some pages of the MMU.
static bool is_written(const huge_watch_t *watch, uintptr_t start, size_t size)
{
    const size_t step = size / HUGE_WATCH_LOOKS;
    unsigned missed = 0;
    for (size_t i = 0; i < HUGE_WATCH_LOOKS && missed <= watch->missed_most; i++) {
        bool present[OS_PRESENT_MOST];
        const uintptr_t middle = start + i * step + step / 2;
        if (!os_present((void *)(middle & ~(OS_PAGE - 1)), 1, present) || !present[0]) missed++;
    }
    return missed <= watch->missed_most;
}

static void look_at_watched(huge_watch_t *watch)
{
    uint64_t seen = atomic_load_explicit(&watch->watched, memory_order_relaxed);
    const size_t size = (size_t)(uint32_t)seen << HAK_PAGE_SHIFT;
    if (seen == 0 || !is_written(watch, (uintptr_t)(seen >> 32 << HAK_PAGE_SHIFT), size)) return;
    if (atomic_compare_exchange_strong_explicit(&watch->watched, &seen, 0, memory_order_relaxed,
                                                memory_order_relaxed))
        atomic_store_explicit(&watch->left, HUGE_WATCH_WORTH * size, memory_order_relaxed);
}

// True if so many bytes may get huge pages; they are used up then.
static bool use_up(huge_watch_t *watch, size_t size)
{
    size_t bytes = atomic_load_explicit(&watch->left, memory_order_relaxed);
    return bytes >= size &&
           atomic_compare_exchange_strong_explicit(&watch->left, &bytes, bytes - size, memory_order_relaxed,
                                                   memory_order_relaxed);
}

bool huge_watch_grants(huge_watch_t *watch, const char *start, size_t size)
{
    look_at_watched(watch);
    if (use_up(watch, size) && huge_pages_are_due(size)) return true;
    begin_to_watch(watch, start, size);
    return false;
}
