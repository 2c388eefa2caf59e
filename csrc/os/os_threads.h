// Whether other threads may exist.
#ifndef OS_THREADS_H
#define OS_THREADS_H

#include <stdbool.h>

#if defined(__has_include)
#if __has_include(<sys/single_threaded.h>)
#include <sys/single_threaded.h> // glibc 2.32
#define OS_KNOWS_THREADS 1
#endif
#endif

// True if the process has only one thread; false if it may have more.
static inline bool os_has_one_thread(void)
{
#ifdef OS_KNOWS_THREADS
    return __libc_single_threaded != 0;
#else
    return false;
#endif
}

#endif
