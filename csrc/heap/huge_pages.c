#include "heap/huge_pages.h"

#include "os/os.h"

static _Atomic(size_t) pause; // bytes of mappings that get small pages
static _Atomic(size_t) last_pause; // 0: the last huge page was quick

bool huge_pages_are_due(size_t bytes)
{
    const size_t left = atomic_load_explicit(&pause, memory_order_relaxed);
    if (left == 0) return true;
    atomic_store_explicit(&pause, left > bytes ? left - bytes : 0, memory_order_relaxed);
    return false;
}

void huge_pages_took(uint64_t us)
{
    size_t next = 0;
    if (us >= HUGE_PAGES_SLOW_US) {
        next = atomic_load_explicit(&last_pause, memory_order_relaxed) * 2;
        if (next == 0) next = HUGE_PAGES_PAUSE_FIRST;
        if (next > HUGE_PAGES_PAUSE_MOST) next = HUGE_PAGES_PAUSE_MOST;
    }
    atomic_store_explicit(&last_pause, next, memory_order_relaxed);
    atomic_store_explicit(&pause, next, memory_order_relaxed);
}

bool huge_pages_first_access(void *page)
{
    const uint64_t before = os_clock_us();
    *(volatile char *)page = 0;
    const uint64_t us = os_clock_us() - before;
    huge_pages_took(us);
    return us < HUGE_PAGES_SLOW_US;
}
