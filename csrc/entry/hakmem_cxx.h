// What operator new needs from the program's C++ library when no memory is available.
//
// The library is linked with no C++ library, so there are two implementations. The shared library searches the
// process for one when it needs it. The static library refers to it directly: this file is only linked into programs
// that use operator new.
#ifndef HAKMEM_CXX_H
#define HAKMEM_CXX_H

#include "os/hak_types.h"

typedef void cxx_handler_t(void);

// std::get_new_handler(); NULL if there is none.
cxx_handler_t *hak_cxx_new_handler(void);

// Throws std::bad_alloc. Ends the process with one line on stderr if the process has no C++ library.
_Noreturn void hak_cxx_throw_bad_alloc(size_t size);

#endif
