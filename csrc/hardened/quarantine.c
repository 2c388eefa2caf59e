// Quarantines are records of the allocator.
#include "hardened/quarantine.h"

#include "os/os.h"

#if TINY_CHECKS >= TINY_CHECKS_FULL

quarantine_t *quarantine_make(void)
{
    return os_metadata(sizeof(quarantine_t));
}

#else
typedef int quarantine_is_compiled_out; // ISO C requires a declaration in every file
#endif
