// The C names of malloc and related functions, for programs that are preloaded or linked with the library.
//
// malloc and free inline the fast path; the others call the hak_ functions. glibc's alternative names are defined,
// too.
#define _GNU_SOURCE
#include <limits.h>
#include <malloc.h>
#include <stddef.h>
#include <stdio.h>

#include "entry/hakmem_entry.h"
#include "hakmem.h"

HAK_HOT_ENTRY HAK_EXPORT void *malloc(size_t size)
{
    return hak_entry_alloc(size);
}

HAK_HOT_ENTRY HAK_EXPORT void free(void *block)
{
    hak_entry_free(block);
}

HAK_EXPORT void free_sized(void *block, size_t size)
{
    hak_free_sized(block, size);
}

HAK_EXPORT void free_aligned_sized(void *block, size_t alignment, size_t size)
{
    hak_free_aligned_sized(block, alignment, size);
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

HAK_EXPORT int malloc_info(int options, FILE *file)
{
    return hak_malloc_info(options, file);
}

#if defined(__GLIBC__)

#if __GLIBC_PREREQ(2, 33)
HAK_EXPORT struct mallinfo2 mallinfo2(void)
{
    hak_mallinfo2_t info = hak_mallinfo2();
    return (struct mallinfo2){info.arena,   info.ordblks, info.smblks,   info.hblks,    info.hblkhd,
                              info.usmblks, info.fsmblks, info.uordblks, info.fordblks, info.keepcost};
}
#endif

static int clamped(size_t value)
{
    return value < INT_MAX ? (int)value : INT_MAX;
}

// The old interface: its fields are too narrow for their counts.
HAK_EXPORT struct mallinfo mallinfo(void)
{
    hak_mallinfo2_t info = hak_mallinfo2();
    return (struct mallinfo){
        .arena = clamped(info.arena),
        .ordblks = clamped(info.ordblks),
        .hblks = clamped(info.hblks),
        .hblkhd = clamped(info.hblkhd),
        .fsmblks = clamped(info.fsmblks),
        .uordblks = clamped(info.uordblks),
        .fordblks = clamped(info.fordblks),
        .keepcost = clamped(info.keepcost),
    };
}

#endif

// Removed from glibc's headers in 2.26; old programs still call it.
HAK_EXPORT void cfree(void *block)
{
    hak_entry_free(block);
}

// ---- glibc's alternative names

// Programs and libraries call these to reach the C library's malloc behind an interposed one, and then release the
// block with free(). Both must be the same allocator.
#if defined(__GLIBC__)

HAK_EXPORT void *__libc_malloc(size_t size)
{
    return hak_malloc(size);
}

HAK_EXPORT void __libc_free(void *block)
{
    hak_free(block);
}

HAK_EXPORT void *__libc_calloc(size_t count, size_t size)
{
    return hak_calloc(count, size);
}

HAK_EXPORT void *__libc_realloc(void *block, size_t size)
{
    return hak_realloc(block, size);
}

HAK_EXPORT void *__libc_memalign(size_t alignment, size_t size)
{
    return hak_memalign(alignment, size);
}

HAK_EXPORT void *__libc_valloc(size_t size)
{
    return hak_valloc(size);
}

HAK_EXPORT void *__libc_pvalloc(size_t size)
{
    return hak_pvalloc(size);
}

#endif
