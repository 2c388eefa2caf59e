// Valgrind's memcheck is told of every block, in debug builds: where it begins and ends, that it is not written yet,
// that it is gone. So it finds leaks, overruns and reads of unwritten bytes in a program that has its blocks from here.
//
// watched: a request of the program, which is served by the memcheck_ functions.  unwatched: the allocator's own doings,
// of which memcheck keeps its books, but reports nothing.
// Without valgrind's header, or in release builds, nothing of this is there.
#ifndef HAK_MEMCHECK_H
#define HAK_MEMCHECK_H

#include "hak_types.h"

#if !HAKMEM_BUILD_RELEASE && defined(__has_include)
#if __has_include(<valgrind/memcheck.h>)
#define HAK_MEMCHECK 1
#endif
#endif
#ifndef HAK_MEMCHECK
#define HAK_MEMCHECK 0
#endif

#if HAK_MEMCHECK

// As the functions of hakmem_entry.h, each block with a redzone.
void *memcheck_alloc(size_t size, size_t alignment, bool *zeroed) COLD;
void memcheck_free(void *block) COLD;
void memcheck_free_sized(void *block, size_t size) COLD;
size_t memcheck_size(void *block, const char *misuse) COLD;
void memcheck_shrink(void *block, size_t size) COLD;

// Whether the process runs under memcheck, and the thread is in none of the allocator's own doings.
bool memcheck_watches(void);
#define HAK_IF_WATCHED(statement) \
    do { \
        if (UNLIKELY(memcheck_watches())) statement; \
    } while (0)

// The allocator's own doings, which may be nested.
void memcheck_unwatched_begin(void);
void memcheck_unwatched_end(void);

// Calls, from in there, of a function that may allocate for the program's sake: the depth is to be handed back.
unsigned memcheck_watch_again(void);
void memcheck_watch_no_more(unsigned depth);

// Memory that nobody but the allocator has any business with, and whose pointers keep no block alive. NULL is allowed.
void memcheck_own(void *start, size_t size);

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

static inline void memcheck_own(void *start, size_t size)
{
    (void)start;
    (void)size;
}

#endif
#endif
