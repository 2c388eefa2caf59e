// The library as loaded by dlopen: its functions, found by dlsym, and a load that uses them. For C.
#ifndef LOADED_H
#define LOADED_H

#include "preload.h"

#include "../csrc/test.h"

// loaded: one copy of the library in this process.
struct loaded {
    void *handle;
    void *(*alloc)(size_t);
    void (*release)(void *);
    void *(*resize)(void *, size_t);
    size_t (*size_of)(void *);
    int (*trim)(size_t);
};

static inline void find_functions(struct loaded *loaded)
{
    *(void **)&loaded->alloc = dlsym(loaded->handle, "hak_malloc");
    *(void **)&loaded->release = dlsym(loaded->handle, "hak_free");
    *(void **)&loaded->resize = dlsym(loaded->handle, "hak_realloc");
    *(void **)&loaded->size_of = dlsym(loaded->handle, "hak_malloc_usable_size");
    *(void **)&loaded->trim = dlsym(loaded->handle, "hak_malloc_trim");
    T_CHECK(loaded->alloc && loaded->release && loaded->resize && loaded->size_of && loaded->trim,
            "a function is missing: %s", dlerror());
}

// If the thread-local state does not fit the space reserved at start, the test is not run: only `tls: initial_exec`
// causes this.
static inline struct loaded load_library(const char *path)
{
    require_loader();
    struct loaded loaded = {.handle = dlopen(path, RTLD_NOW | RTLD_LOCAL)};
    const char *error = loaded.handle == NULL ? dlerror() : "";
#ifdef T_TLS_initial_exec
    if (strstr(error, "static TLS block") != NULL)
        T_not_run("the thread-local state needs `tls: global_dynamic`");
#endif
    T_CHECK(loaded.handle != NULL, "dlopen: %s", error);
    find_functions(&loaded);
    return loaded;
}

// Allocates blocks of every kind and resizes some; another thread later frees half of them.
enum { LOAD_BLOCKS = 600 };

static inline void *load_block(const struct loaded *loaded, size_t i)
{
    static const size_t sizes[] = {1, 16, 100, 1000, 1025, 30000, 1500000};
    size_t size = sizes[i % 7];
    unsigned char *block = loaded->alloc(size);
    T_CHECK(block != NULL && loaded->size_of(block) >= size, "no block of %zu bytes", size);
    T_fill(block, size < 64 ? size : 64, i);
    if (i % 5 != 0) return block;
    block = loaded->resize(block, size + 200);
    T_CHECK(block != NULL, "realloc failed");
    T_CHECK_PATTERN(block, size < 64 ? size : 64, i);
    return block;
}

static inline void load_allocate(const struct loaded *loaded, void **blocks)
{
    for (size_t i = 0; i < LOAD_BLOCKS; i++) blocks[i] = load_block(loaded, i);
}

static inline void load_release(const struct loaded *loaded, void **blocks)
{
    for (size_t i = 0; i < LOAD_BLOCKS; i++) loaded->release(blocks[i]);
}

#endif
