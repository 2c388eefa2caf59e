// Tells Valgrind's memcheck, in debug builds, which code is the allocator's own.
//
// watched: a request of the program, served by the functions of watched.h. unwatched: the allocator's own work; memcheck
// records it, but reports no error in it.
// Without valgrind's header, and in release builds, this file defines nothing.
#ifndef HAK_MEMCHECK_H
#define HAK_MEMCHECK_H

#include "os/hak_types.h"
#include "os/valgrind.h"

#if HAK_MEMCHECK

// True if the process runs under memcheck and the thread is not in an unwatched part.
bool memcheck_watches(void);
#define HAK_IF_WATCHED(statement) \
    do { \
        if (UNLIKELY(memcheck_watches())) statement; \
    } while (0)

// Begin and end an unwatched part; they nest.
void memcheck_unwatched_begin(void);
void memcheck_unwatched_end(void);

// Around a call, from an unwatched part, of a function that may allocate on behalf of the program. Pass the returned
// depth to the second function.
unsigned memcheck_watch_again(void);
void memcheck_watch_no_more(unsigned depth);

#else

#define HAK_IF_WATCHED(statement) ((void)0)

static inline void memcheck_unwatched_begin(void)
{
}

static inline void memcheck_unwatched_end(void)
{
}

static inline unsigned memcheck_watch_again(void)
{
    return 0;
}

static inline void memcheck_watch_no_more(unsigned depth)
{
    (void)depth;
}

#endif
#endif
