// What operator new asks of the program's C++ library when memory cannot be had.
//
// The library itself is linked with none. So there are two answers: the shared library looks for one in the process
// when it comes to that; the static one, whose file is only linked into programs that use operator new, refers to it.
#ifndef HAKMEM_CXX_H
#define HAKMEM_CXX_H

#include "hak_types.h"

typedef void cxx_handler_t(void);

// std::get_new_handler(); NULL is none.
cxx_handler_t *hak_cxx_new_handler(void);

// Throws std::bad_alloc. Ends the process, with one line on stderr, where no C++ library is there that could.
_Noreturn void hak_cxx_throw_bad_alloc(size_t size);

#endif
