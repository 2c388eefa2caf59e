// The allowance for filling blocks as a whole, for variants with full checks.
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

#else
typedef int fill_is_compiled_out; // ISO C requires a declaration in every file
#endif
