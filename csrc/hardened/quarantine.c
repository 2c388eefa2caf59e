// Quarantines are records of the allocator.
#include "hardened/quarantine.h"

#include "os/os.h"

#if TINY_CHECKS >= TINY_CHECKS_FULL

quarantine_t *quarantine_make(void)
{
    quarantine_t *made = os_metadata(sizeof *made);
    if (made != NULL) (void)tiny_draw(&made->random); // from now on the state is not 0
    return made;
}

#else
typedef int quarantine_is_compiled_out; // ISO C requires a declaration in every file
#endif
