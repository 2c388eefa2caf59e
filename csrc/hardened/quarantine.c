// Quarantines lie in mappings of their own.
#include "hardened/quarantine.h"

#include "os/os.h"

#if TINY_CHECKS >= TINY_CHECKS_FULL

#define BYTES hak_round_up(sizeof(quarantine_t), OS_PAGE)

quarantine_t *quarantine_make(void)
{
    return os_map(BYTES, OS_PAGE);
}

void quarantine_unmake(quarantine_t *quarantine)
{
    os_unmap_guarded(quarantine, BYTES, 0);
}

#else
typedef int quarantine_is_compiled_out; // ISO C requires a declaration in every file
#endif
