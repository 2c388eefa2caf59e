// operator new and delete of a program that is linked with the shared library.

#include "new_forms.h"

// The plain forms are the library's own; the nothrow forms are the C++ library's and call the plain ones.
static void the_library_serves()
{
    void *plain = dlsym(RTLD_DEFAULT, "_Znwm"), *malloc_itself = dlsym(RTLD_DEFAULT, "malloc");
    Dl_info of_new, of_malloc;
    CHECK(dladdr(plain, &of_new) && dladdr(malloc_itself, &of_malloc), "operator new or malloc is not found");
    CHECK(of_new.dli_fbase == of_malloc.dli_fbase, "operator new is not the allocator's");
}

int main()
{
    forms::require_replaceable(reinterpret_cast<const void *>(&the_library_serves));
    the_library_serves();
    forms::all();
    return 0;
}
