// Which code memcheck watches.
#include "debug/memcheck.h"

#if HAK_MEMCHECK

#include <stdatomic.h>

static HAK_TLS unsigned unwatched;

enum { UNKNOWN, ABSENT, PRESENT };

// Other tools of valgrind do not know this request and answer 0.
static bool is_memcheck(void)
{
    static _Atomic(int) answer;
    int known = atomic_load_explicit(&answer, memory_order_relaxed);
    if (LIKELY(known != UNKNOWN)) return known == PRESENT;
    char byte = 0;
    bool present = RUNNING_ON_VALGRIND && VALGRIND_MAKE_MEM_DEFINED(&byte, 1) != 0;
    atomic_store_explicit(&answer, present ? PRESENT : ABSENT, memory_order_relaxed);
    return present;
}

bool memcheck_watches(void)
{
    return is_memcheck() && unwatched == 0;
}

void memcheck_unwatched_begin(void)
{
    if (!is_memcheck()) return;
    unwatched++;
    VALGRIND_DISABLE_ERROR_REPORTING;
}

void memcheck_unwatched_end(void)
{
    if (!is_memcheck()) return;
    VALGRIND_ENABLE_ERROR_REPORTING;
    unwatched--;
}

unsigned memcheck_watch_again(void)
{
    unsigned depth = unwatched;
    unwatched = 0;
    return depth;
}

void memcheck_watch_no_more(unsigned depth)
{
    unwatched = depth;
}

#else
typedef int hak_memcheck_is_compiled_out; // ISO C requires a declaration in every file
#endif
