// Whose malloc this program calls: the proof that a figure belongs to the library that was meant.
//
// Reads the loader's tables. A library that was not loaded, or that has no malloc, would otherwise leave figures of the
// system's malloc under its name.

#ifndef BENCH_ALLOCATOR_H
#define BENCH_ALLOCATOR_H

#include "bench_base.h"

#include <dlfcn.h>
#include <limits.h>

// The path of the object that holds this function, with links resolved; the program's own when it is linked in. A run
// that is counted prints the path as the loader got it: its length must not depend on the folder of the build.
static inline const char *bench_object_of(void *function, char path[PATH_MAX])
{
    Dl_info found;
    if (dladdr(function, &found) == 0 || found.dli_fname == NULL)
        bench_die("the loader does not know which object holds the function at %p", function);
    if (bench_is_counted()) return found.dli_fname;
    return realpath(found.dli_fname, path) != NULL ? path : found.dli_fname;
}

// Where malloc comes from. Blocks of one library that are freed by another would end in a crash or in a figure of
// both: the program ends with a message instead.
static inline const char *bench_allocator(char path[PATH_MAX])
{
    static const struct {
        const char *name;
        void *function;
    } others[] = {
        {"free", (void *)free},
        {"calloc", (void *)calloc},
        {"realloc", (void *)realloc},
        {"posix_memalign", (void *)posix_memalign},
    };
    const char *allocator = bench_object_of((void *)malloc, path);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        char other_path[PATH_MAX];
        const char *other = bench_object_of(others[i].function, other_path);
        if (strcmp(allocator, other) != 0)
            bench_die("malloc comes from %s, but %s from %s: preload one allocator only", allocator,
                      others[i].name, other);
    }
    return allocator;
}

#endif
