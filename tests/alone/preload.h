// For programs that are not linked with the library: finds it, and restarts the program with it preloaded. C and C++.
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
#include <sys/auxv.h>
#include <unistd.h>

// Returns build/<cell>/libhakmem.so for the program build/<cell>/bin/test_...
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

static inline int is_library(const char *path)
{
    char real[PATH_MAX], library[PATH_MAX];
    return realpath(path, real) != NULL && realpath(library_path(), library) != NULL &&
           strcmp(real, library) == 0;
}

// A program that is linked statically has no loader, which preloads and loads libraries. zig links so for musl.
static inline void require_loader(void)
{
    if (getauxval(AT_BASE) != 0) return;
    puts("not run: the program is linked statically, so no library can be loaded into it");
    exit(77);
}

// Preloads the library into programs started from now on. LD_PRELOAD names a link to it, because it is split at spaces
// and colons.
static inline void preload_into_children(void)
{
    require_loader();
    if (access(library_path(), R_OK) != 0) { // the program would be restarted without end
        fprintf(stderr, "%s cannot be read: build it first\n", library_path());
        _exit(1);
    }
    static char link[] = "/tmp/preload-XXXXXX/library.so";
    char *const name = strrchr(link, '/');
    *name = '\0';
    if (mkdtemp(link) == NULL) _exit(1);
    *name = '/';
    if (symlink(library_path(), link) != 0) _exit(1);
    setenv("LD_PRELOAD", link, 1);
}

static inline void remove_preload_link(void)
{
    char link[PATH_MAX];
    snprintf(link, sizeof link, "%s", getenv("LD_PRELOAD"));
    unlink(link);
    *strrchr(link, '/') = '\0';
    rmdir(link);
}

// Returns only in a process that has the library preloaded, which it checks.
static inline void preload_library(char **argv)
{
    const char *loaded = getenv("LD_PRELOAD");
    if (loaded == NULL || !is_library(loaded)) {
        preload_into_children();
        execv("/proc/self/exe", argv);
        _exit(1);
    }
    Dl_info found;
    void *function = dlsym(RTLD_DEFAULT, "hak_malloc");
    int is_there = function != NULL && dladdr(function, &found) != 0 && is_library(found.dli_fname);
    remove_preload_link();
    if (is_there) return;
    fprintf(stderr, "%s was not preloaded\n", library_path());
    _exit(1);
}

#endif
