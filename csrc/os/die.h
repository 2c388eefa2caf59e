// The end of the process: one line on stderr, then abort.
#ifndef HAK_DIE_H
#define HAK_DIE_H

#include "os/hak_types.h"

// Writes one line to stderr, then aborts. Allocates nothing. `what` is a short phrase such as "double free".
_Noreturn void hak_die(const char *what, const void *where) COLD;
// The same; the line also gives the size in bytes of the blocks at `where`.
_Noreturn void hak_die_of_size(const char *what, const void *where, size_t size) COLD;

// An invariant of the allocator itself; checked in debug builds only.
#if HAKMEM_BUILD_RELEASE
#define HAK_CHECK(condition, what, where) ((void)0)
#else
#define HAK_CHECK(condition, what, where) (LIKELY(condition) ? (void)0 : hak_die(what, where))
#endif

// Called by hak_die before the thread's locks are released. It must neither wait nor call hak_die.
typedef void os_before_end_t(void);
extern _Atomic(os_before_end_t *) os_before_end;

#endif
