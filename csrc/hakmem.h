// hakmem: a layered malloc. The public interface, for C and C++.
//
// Three ways to use the library:
// - preloaded, or linked before the C library: it replaces the program's malloc under the C names, and this header is
//   not needed;
// - beside another malloc: call the functions below. Do not pass a block of one allocator to the other;
// - loaded at run time with dlopen: find the functions below with dlsym. A variant with `tls: global_dynamic` can
//   always be loaded; one with `initial_exec` only if its thread-local state fits the space that the C library reserves
//   for this.
//
// Sizes are bytes. Unless stated otherwise:
// - a failed request returns NULL and sets errno to ENOMEM; existing blocks are unchanged;
// - blocks are aligned to 16 bytes; blocks below 16 bytes are aligned to 8 if the variant sets `min_align: 8`;
// - any thread may free any block, also one of a thread that has ended; a forked child may free its parent's blocks;
// - a pointer that is not a block ends the process with one line on stderr.
#ifndef HAKMEM_H
#define HAKMEM_H

#include <stddef.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

// ---- blocks

// Returns a block of at least `size` bytes, contents undefined. Size 0 returns a distinct block that can be freed.
void *hak_malloc(size_t size);

// Leaves errno unchanged. NULL is allowed and does nothing.
void hak_free(void *block);

// C23: free with the requested size: the size passed to malloc, calloc (count * size) or realloc; the alignment and
// size passed to aligned_alloc. Debug builds end the process if the block is smaller than that.
void hak_free_sized(void *block, size_t size);
void hak_free_aligned_sized(void *block, size_t alignment, size_t size);

// Returns `count * size` zeroed bytes; fails with ENOMEM if the product overflows.
void *hak_calloc(size_t count, size_t size);

// Resizes the block and preserves the contents up to the smaller size; on NULL the block is unchanged. With a NULL
// block: hak_malloc. Size 0 frees the block and returns NULL, as in glibc.
void *hak_realloc(void *block, size_t size);
void *hak_reallocarray(void *block, size_t count, size_t size);

// ---- aligned blocks

// An `alignment` that is not a power of two is rounded up to one, as in glibc: 0 becomes 1 and 3 becomes 4. Returns
// NULL with EINVAL if it is above 2^63, or, in hak_aligned_alloc with glibc 2.38 or newer, if it is not a power of two.
void *hak_aligned_alloc(size_t alignment, size_t size);
void *hak_memalign(size_t alignment, size_t size);

// Returns 0, EINVAL (alignment not a power of two, or not a multiple of sizeof(void *)) or ENOMEM; errno is unchanged.
int hak_posix_memalign(void **block, size_t alignment, size_t size);

// The block is aligned to the system's page, 4096 bytes on x86-64; pvalloc rounds the size up to a multiple of the
// page.
void *hak_valloc(size_t size);
void *hak_pvalloc(size_t size);

// ---- the heap

// Returns the number of bytes that may be used, at least the requested size; 0 for NULL.
size_t hak_malloc_usable_size(void *block);

// Returns free memory to the system at once: the calling thread's caches, free pages, free runs, cached mappings.
// Returns 1 if there was any. `keep` is ignored. The caches of other threads are unchanged.
int hak_malloc_trim(size_t keep);

// The heap's totals, with the meaning of glibc's struct mallinfo2. A page of small blocks counts as used as a whole,
// because only its thread knows which of its blocks are free.
typedef struct hak_mallinfo2 {
    size_t arena; // bytes mapped for small and medium blocks
    size_t ordblks; // free pages and free runs
    size_t smblks; // 0
    size_t hblks; // large blocks, each in its own mapping
    size_t hblkhd; // their bytes
    size_t usmblks; // 0
    size_t fsmblks; // bytes of freed mappings that are cached for large blocks
    size_t uordblks; // bytes of `arena` that are in use
    size_t fordblks; // bytes of `arena` that are free
    size_t keepcost; // bytes that hak_malloc_trim would return to the system, at most
} hak_mallinfo2_t;
hak_mallinfo2_t hak_mallinfo2(void);

// Writes these totals and the calling thread's layers to `file` as XML. Returns 0; EINVAL when `options` is not 0; EIO
// when the file cannot be written.
int hak_malloc_info(int options, FILE *file);

// Writes a summary of the heap to stderr. Allocates nothing.
void hak_malloc_stats(void);

#ifdef __cplusplus
}
#endif

#endif
