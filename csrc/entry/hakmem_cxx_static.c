// operator new without memory, in the static library: the linker finds the C++ library of the program.
#include "entry/hakmem_cxx.h"

extern cxx_handler_t *cxx_get_new_handler(void) __asm__("_ZSt15get_new_handlerv");
extern _Noreturn void cxx_throw_bad_alloc(void) __asm__("_ZSt17__throw_bad_allocv");

cxx_handler_t *hak_cxx_new_handler(void)
{
    return cxx_get_new_handler();
}

void hak_cxx_throw_bad_alloc(size_t size)
{
    (void)size;
    cxx_throw_bad_alloc();
}
