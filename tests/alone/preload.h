// For programs that are linked with no library of ours: where it is, and how to start again with it preloaded. C and C++.
#ifndef PRELOAD_H
#define PRELOAD_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// build/<cell>/libhakmem.so, for the program build/<cell>/bin/test_...
static inline const char *library_path(void)
{
    static char path[PATH_MAX + 32];
    ssize_t length = readlink("/proc/self/exe", path, PATH_MAX);
    if (length <= 0) _exit(1);
    path[length] = '\0';
    for (int up = 0; up < 2; up++) *strrchr(path, '/') = '\0';
    strcat(path, "/libhakmem.so");
    return path;
}

// Returns in the process that has it; checks that it is really there.
static inline void preload_library(char **argv)
{
    const char *library = library_path(), *loaded = getenv("LD_PRELOAD");
    if (loaded == NULL || strcmp(loaded, library) != 0) {
        setenv("LD_PRELOAD", library, 1);
        execv("/proc/self/exe", argv);
        _exit(1);
    }
    if (dlsym(RTLD_DEFAULT, "hak_malloc") != NULL) return;
    fprintf(stderr, "%s was not preloaded\n", library);
    _exit(1);
}

#endif
