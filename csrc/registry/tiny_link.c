// The secret that links and marks depend on.
#include "registry/tiny_link.h"

#include "os/secret.h"

#if TINY_CHECKS >= TINY_CHECKS_BASIC

_Atomic(uint64_t) tiny_secret_made;

// If several threads make a secret at the same time, all use that of the first one.
uint64_t tiny_make_secret(void)
{
    uint64_t made = os_secret(), first = 0;
    bool is_first = atomic_compare_exchange_strong_explicit(&tiny_secret_made, &first, made,
                                                            memory_order_relaxed, memory_order_relaxed);
    return is_first ? made : first;
}

#else
typedef int tiny_link_has_no_secret; // ISO C requires a declaration in every file
#endif
