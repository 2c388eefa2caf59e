// Requests to Valgrind, if its headers are installed: is the process run by it; and, in debug builds, those of memcheck.
#ifndef OS_VALGRIND_H
#define OS_VALGRIND_H

#if defined(__has_include)
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#endif
#if !HAKMEM_BUILD_RELEASE && __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>
#define HAK_MEMCHECK 1 // blocks are reported to memcheck
#endif
#endif

#ifndef RUNNING_ON_VALGRIND
#define RUNNING_ON_VALGRIND false
#endif
#ifndef HAK_MEMCHECK
#define HAK_MEMCHECK 0
#endif

#endif
