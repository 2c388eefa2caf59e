// hakmem: a layered malloc. The public interface, for C and C++.
//
// Three ways to use the library:
// - preloaded, or linked in front of the C library, it is the program's malloc, under the C names. This header is not
//   needed then.
// - beside another malloc: call the functions below. A block of one allocator must not be given to the other.
// - loaded late with dlopen: the functions below by dlsym. A variant with `tls: global_dynamic` can always be loaded,
//   one with `initial_exec` only where its thread-local state fits the room that the C library leaves for that.
//
// Sizes are bytes. Unless said otherwise:
// - a failed request returns NULL and sets errno to ENOMEM; what was allocated before stays as it is;
// - blocks are aligned to 16 bytes, to 8 below 16 bytes where the variant says `min_align: 8`;
// - any thread may free any block, also one whose thread has ended, and a forked child those of its parent;
// - a pointer that is no block ends the process with one line on stderr.
#ifndef HAKMEM_H
#define HAKMEM_H

#include <stddef.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

// ---- blocks

// A block of at least `size` bytes, contents undefined; size 0 gives a block of its own that can be freed.
void *hak_malloc(size_t size);

// errno is left as it is. NULL is allowed and does nothing.
void hak_free(void *block);

// C23: the same, told what was asked for: the size given to malloc, calloc (count * size) or realloc; alignment and
// size given to aligned_alloc. Debug builds end the process when the block is smaller than that.
void hak_free_sized(void *block, size_t size);
void hak_free_aligned_sized(void *block, size_t alignment, size_t size);

// `count * size` zeroed bytes; ENOMEM when the product overflows.
void *hak_calloc(size_t count, size_t size);

// The block resized, with the contents that both sizes share; NULL leaves it untouched. NULL as block: hak_malloc.
// Size 0 frees the block and returns NULL, as glibc's does.
void *hak_realloc(void *block, size_t size);
void *hak_reallocarray(void *block, size_t count, size_t size);

// ---- aligned blocks

// An `alignment` that is no power of two is rounded up to one, as glibc does: 0 and 3 are taken for 1 and 4. Above 2^63, and
// for hak_aligned_alloc where glibc is 2.38 or newer: NULL and EINVAL.
void *hak_aligned_alloc(size_t alignment, size_t size);
void *hak_memalign(size_t alignment, size_t size);

// Returns 0, EINVAL (alignment no power of two, or no multiple of sizeof(void *)) or ENOMEM; errno is left as it is.
int hak_posix_memalign(void **block, size_t alignment, size_t size);

// Aligned to the system's page, 4096 bytes on x86-64; pvalloc rounds the size up to a multiple of that.
void *hak_valloc(size_t size);
void *hak_pvalloc(size_t size);

// ---- the heap

// Bytes that may be used, at least what was asked for; 0 for NULL.
size_t hak_malloc_usable_size(void *block);

// Returns free memory to the system at once: the calling thread's caches, free pages, free runs, cached mappings.
// 1 if there was any. `keep` is ignored. What other threads have in their caches stays there.
int hak_malloc_trim(size_t keep);

// What the heap holds, with the meaning of glibc's struct mallinfo2. Pages of small blocks count as used whole: which of
// their blocks are free is known to their threads only.
typedef struct hak_mallinfo2 {
    size_t arena; // bytes mapped for small and medium blocks
    size_t ordblks; // free pages and free runs
    size_t smblks; // 0
    size_t hblks; // large blocks, each with a mapping of its own
    size_t hblkhd; // their bytes
    size_t usmblks; // 0
    size_t fsmblks; // bytes of freed mappings that are kept for the next large block
    size_t uordblks; // bytes of `arena` that are in use
    size_t fordblks; // bytes of `arena` that are free
    size_t
        keepcost; // bytes that hak_malloc_trim would return to the system, as far as the threads' caches let go
} hak_mallinfo2_t;
hak_mallinfo2_t hak_mallinfo2(void);

// Writes the same, and what the calling thread's layers hold, to `file` as XML. Returns 0; EINVAL when `options` is not
// 0; EIO when the file cannot be written.
int hak_malloc_info(int options, FILE *file);

// Writes what the allocator holds to stderr. Allocates nothing.
void hak_malloc_stats(void);

#ifdef __cplusplus
}
#endif

#endif
