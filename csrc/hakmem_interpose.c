// The C names of malloc and its kin, for programs that are preloaded or linked with the library.
//
// malloc and free inline the fast path; the others go through the hak_ functions.
#include <errno.h>
#include <stddef.h>

#include "hakmem.h"
#include "hakmem_entry.h"

HAK_EXPORT void *malloc(size_t size)
{
    return hak_entry_alloc(size);
}

HAK_EXPORT void free(void *block)
{
    hak_entry_free(block);
}

HAK_EXPORT void *calloc(size_t count, size_t size)
{
    return hak_calloc(count, size);
}

HAK_EXPORT void *realloc(void *block, size_t size)
{
    return hak_realloc(block, size);
}

HAK_EXPORT void *reallocarray(void *block, size_t count, size_t size)
{
    return hak_reallocarray(block, count, size);
}

HAK_EXPORT void *aligned_alloc(size_t alignment, size_t size)
{
    return hak_aligned_alloc(alignment, size);
}

HAK_EXPORT void *memalign(size_t alignment, size_t size)
{
    return hak_memalign(alignment, size);
}

HAK_EXPORT int posix_memalign(void **block, size_t alignment, size_t size)
{
    return hak_posix_memalign(block, alignment, size);
}

HAK_EXPORT void *valloc(size_t size)
{
    return hak_valloc(size);
}

HAK_EXPORT void *pvalloc(size_t size)
{
    return hak_pvalloc(size);
}

HAK_EXPORT size_t malloc_usable_size(void *block)
{
    return hak_malloc_usable_size(block);
}

HAK_EXPORT int malloc_trim(size_t keep)
{
    return hak_malloc_trim(keep);
}

HAK_EXPORT void malloc_stats(void)
{
    hak_malloc_stats();
}

HAK_EXPORT void cfree(void *block)
{
    hak_entry_free(block);
}
