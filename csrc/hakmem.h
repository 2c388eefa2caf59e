// hakmem: a layered malloc. The public interface, for static use beside another malloc.
//
// libhakmem.so also defines the C names (malloc, free, ...), which do the same; preload it, or link with it.
// Sizes are bytes. Unless said otherwise: a failed request returns NULL and sets errno to ENOMEM; blocks are aligned to
// 16 bytes (to 8 below 16 bytes where the variant says `min_align: 8`); any thread may free any block; a pointer that is
// no block ends the process with one line on stderr.
#ifndef HAKMEM_H
#define HAKMEM_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

// A block of at least `size` bytes, contents undefined; size 0 gives a block of its own that can be freed.
void *hak_malloc(size_t size);

// errno is left as it is. NULL is allowed and does nothing.
void hak_free(void *block);

// `count * size` zeroed bytes; ENOMEM when the product overflows.
void *hak_calloc(size_t count, size_t size);

// The block resized, with the contents that both sizes share; NULL leaves it untouched. NULL as block: hak_malloc.
// Size 0 frees the block and returns NULL, as glibc's does.
void *hak_realloc(void *block, size_t size);
void *hak_reallocarray(void *block, size_t count, size_t size);

// `alignment` a power of two, else NULL and EINVAL.
void *hak_aligned_alloc(size_t alignment, size_t size);
void *hak_memalign(size_t alignment, size_t size);

// Returns 0, EINVAL (alignment no power of two, or no multiple of sizeof(void *)) or ENOMEM; errno is left as it is.
int hak_posix_memalign(void **block, size_t alignment, size_t size);

// Aligned to 4096 bytes; pvalloc rounds the size up to a multiple of that.
void *hak_valloc(size_t size);
void *hak_pvalloc(size_t size);

// Bytes that may be used, at least what was asked for; 0 for NULL.
size_t hak_malloc_usable_size(void *block);

// Returns free memory to the system at once; 1 if there was any. `keep` is ignored.
int hak_malloc_trim(size_t keep);

// Writes what the allocator holds to stderr.
void hak_malloc_stats(void);

#ifdef __cplusplus
}
#endif

#endif
