// C++: operator new and delete, under the names that the Itanium C++ ABI gives them.
//
// Written in C, so that building the library needs no C++ compiler, and a C program that uses it needs no C++ library.
// The C++ library handles the case of no memory: `hakmem_cxx_shared.c` and `hakmem_cxx_static.c` find it.
//
// A program may replace operator new and delete. The forms that it does not replace must then call its own, as they
// would in the C++ library. So all forms are weak, and a form that is defined by another one calls it, or does the same
// work itself while that one is still this library's.
// The nothrow forms are left to the C++ library. They call operator new, which this library defines, and only C++ code
// can catch an exception of a new_handler. The same holds for the nothrow deletes.
#include "entry/hakmem_cxx.h"
#include "entry/hakmem_entry.h"
#include "hakmem.h"

_Static_assert(__builtin_types_compatible_p(size_t, unsigned long), "std::size_t is `m` in these names");

#define CXX_EXPORT HAK_EXPORT __attribute__((weak))
#define HERE(symbol) __attribute__((alias(symbol), visibility("hidden"))) // never replaced

CXX_EXPORT void *cxx_new(size_t size) __asm__("_Znwm");
CXX_EXPORT void *cxx_new_array(size_t size) __asm__("_Znam");
CXX_EXPORT void *cxx_new_aligned(size_t size, size_t alignment) __asm__("_ZnwmSt11align_val_t");
CXX_EXPORT void *cxx_new_array_aligned(size_t size, size_t alignment) __asm__("_ZnamSt11align_val_t");

CXX_EXPORT void cxx_delete(void *block) __asm__("_ZdlPv");
CXX_EXPORT void cxx_delete_array(void *block) __asm__("_ZdaPv");
CXX_EXPORT void cxx_delete_sized(void *block, size_t size) __asm__("_ZdlPvm");
CXX_EXPORT void cxx_delete_array_sized(void *block, size_t size) __asm__("_ZdaPvm");
CXX_EXPORT void cxx_delete_aligned(void *block, size_t alignment) __asm__("_ZdlPvSt11align_val_t");
CXX_EXPORT void cxx_delete_array_aligned(void *block, size_t alignment) __asm__("_ZdaPvSt11align_val_t");
CXX_EXPORT void cxx_delete_sized_aligned(void *block, size_t size,
                                         size_t alignment) __asm__("_ZdlPvmSt11align_val_t");
CXX_EXPORT void cxx_delete_array_sized_aligned(void *block, size_t size,
                                               size_t alignment) __asm__("_ZdaPvmSt11align_val_t");

extern void *our_new(size_t size) HERE("_Znwm");
extern void our_delete(void *block) HERE("_ZdlPv");
extern void our_delete_array(void *block) HERE("_ZdaPv");
extern void our_delete_aligned(void *block, size_t alignment) HERE("_ZdlPvSt11align_val_t");
extern void our_delete_array_aligned(void *block, size_t alignment) HERE("_ZdaPvSt11align_val_t");

// [new.delete.single]: calls the handler until memory is available, or until the handler is removed or throws.
static COLD void *new_again(size_t size, size_t alignment)
{
    for (;;) {
        cxx_handler_t *handler = hak_cxx_new_handler();
        if (handler == NULL) hak_cxx_throw_bad_alloc(size);
        handler();
        void *block = hak_memalign(alignment, size);
        if (block != NULL) return block;
    }
}

HAK_HOT_ENTRY void *cxx_new(size_t size)
{
    void *block = hak_entry_alloc(size);
    return LIKELY(block != NULL) ? block : new_again(size, TINY_MIN_ALIGN);
}

void *cxx_new_aligned(size_t size, size_t alignment)
{
    void *block = hak_memalign(alignment, size);
    return LIKELY(block != NULL) ? block : new_again(size, alignment);
}

void *cxx_new_array(size_t size)
{
    if (UNLIKELY(cxx_new != our_new)) return cxx_new(size);
    void *block = hak_entry_alloc(size);
    return LIKELY(block != NULL) ? block : new_again(size, TINY_MIN_ALIGN);
}

void *cxx_new_array_aligned(size_t size, size_t alignment)
{
    return cxx_new_aligned(size, alignment);
}

HAK_HOT_ENTRY void cxx_delete(void *block)
{
    hak_entry_free(block);
}

void cxx_delete_array(void *block)
{
    if (LIKELY(cxx_delete == our_delete)) hak_entry_free(block);
    else cxx_delete(block);
}

ALWAYS_INLINE void delete_sized(void *block, size_t size)
{
    if (LIKELY(cxx_delete == our_delete)) hak_entry_free_sized(block, size);
    else cxx_delete(block);
}

void cxx_delete_sized(void *block, size_t size)
{
    delete_sized(block, size);
}

void cxx_delete_array_sized(void *block, size_t size)
{
    if (LIKELY(cxx_delete_array == our_delete_array)) delete_sized(block, size);
    else cxx_delete_array(block);
}

void cxx_delete_aligned(void *block, size_t alignment)
{
    (void)alignment;
    hak_entry_free(block);
}

void cxx_delete_array_aligned(void *block, size_t alignment)
{
    cxx_delete_aligned(block, alignment);
}

// The size is checked as that of a sized delete without an alignment is.
ALWAYS_INLINE void delete_sized_aligned(void *block, size_t size, size_t alignment)
{
    if (LIKELY(cxx_delete_aligned == our_delete_aligned)) hak_free_aligned_sized(block, alignment, size);
    else cxx_delete_aligned(block, alignment);
}

void cxx_delete_sized_aligned(void *block, size_t size, size_t alignment)
{
    delete_sized_aligned(block, size, alignment);
}

void cxx_delete_array_sized_aligned(void *block, size_t size, size_t alignment)
{
    if (LIKELY(cxx_delete_array_aligned == our_delete_array_aligned))
        delete_sized_aligned(block, size, alignment);
    else cxx_delete_array_aligned(block, alignment);
}
