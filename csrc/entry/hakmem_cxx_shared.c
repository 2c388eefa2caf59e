// operator new without memory, in the shared library: it searches the process for the C++ library.
//
// It searches at that moment, not at start: an interpreter written in C may have loaded a C++ module privately
// since.
#define _GNU_SOURCE
#include <dlfcn.h>

#include "entry/hakmem_cxx.h"
#include "os/die.h"

static void *symbol_of_cxx(const char *name)
{
    static const char *const libraries[] = {"libstdc++.so.6", "libc++abi.so.1", "libc++.so.1"};
    void *symbol = dlsym(RTLD_DEFAULT, name);
    for (size_t i = 0; symbol == NULL && i < sizeof libraries / sizeof *libraries; i++) {
        void *library = dlopen(libraries[i], RTLD_LAZY | RTLD_NOLOAD);
        if (library == NULL) continue;
        symbol = dlsym(library, name);
        dlclose(library); // its loader keeps it loaded
    }
    return symbol;
}

cxx_handler_t *hak_cxx_new_handler(void)
{
    cxx_handler_t *(*get)(void) = (cxx_handler_t * (*)(void)) symbol_of_cxx("_ZSt15get_new_handlerv");
    return get != NULL ? get() : NULL;
}

void hak_cxx_throw_bad_alloc(size_t size)
{
    void (*throw_bad_alloc)(void) = (void (*)(void))symbol_of_cxx("_ZSt17__throw_bad_allocv");
    if (throw_bad_alloc != NULL) throw_bad_alloc();
    hak_die("operator new has no memory, and finds no C++ library to throw", (void *)size);
}
