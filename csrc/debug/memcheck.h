// Reports every block to Valgrind's memcheck, in debug builds: its start and end, that it is not written yet, that it
// is freed. So memcheck finds leaks, overruns and reads of uninitialised bytes in a program that uses this allocator.
//
// watched: a request of the program, served by the memcheck_ functions. unwatched: the allocator's own work;
// memcheck records it, but reports no error in it.
// Without valgrind's header, and in release builds, this file defines nothing.
#ifndef HAK_MEMCHECK_H
#define HAK_MEMCHECK_H

#include "os/hak_types.h"

#if !HAKMEM_BUILD_RELEASE && defined(__has_include)
#if __has_include(<valgrind/memcheck.h>)
#define HAK_MEMCHECK 1
#endif
#endif
#ifndef HAK_MEMCHECK
#define HAK_MEMCHECK 0
#endif

#if HAK_MEMCHECK

// As the functions of hakmem_entry.h; each block has a redzone.
void *memcheck_alloc(size_t size, size_t alignment, bool *zeroed) COLD;
void memcheck_free(void *block) COLD;
void memcheck_free_sized(void *block, size_t size) COLD;
size_t memcheck_size(void *block, const char *misuse) COLD;
void memcheck_shrink(void *block, size_t size) COLD;

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

// Marks memory that only the allocator uses; pointers in it do not keep blocks alive. NULL is allowed.
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
