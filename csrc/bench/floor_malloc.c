// The floor: the least that a malloc can do, which shows what is left to win. A reference, not for use.
//
// A thread takes blocks from its own lists and puts every block that it frees there, whichever thread allocated it:
// it looks up no owner, no list has a bound, and no pointer is checked. Memory that a thread has at its end is lost,
// and no page is ever returned. But blocks do not overlap, and threads share only the count of pages, so programs run
// on it.
//
// class: blocks of one size, in steps of 16 bytes.  list: a thread's free blocks of a class, linked through their
// first word.  page: 64 KiB of the region, blocks of one class.  map: the class of each page.  fresh: what is left
// of a thread's last page of a class.  A block of more than LARGEST bytes is a mapping of its own.

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <malloc.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define EXPORT __attribute__((visibility("default")))
#define SLOW __attribute__((noinline, cold))
#define OWN _Thread_local __attribute__((tls_model("initial-exec"))) // any other may call malloc
#define UNLIKELY(condition) __builtin_expect((condition), 0)

enum { STEP = 16, LARGEST = 2048, CLASSES = LARGEST / STEP + 1 }; // class 0 has no blocks

#define REGION ((size_t)1 << 34)
#define PAGE ((size_t)1 << 16)
#define UNIT ((size_t)4096) // of a mapping
#define NOWHERE (0 - (uintptr_t)REGION) // no block, NULL included, lies within REGION bytes above it

_Static_assert(sizeof(void *) == 8, "the region needs 64 bits");

typedef struct block {
    struct block *next;
} block_t;

typedef struct {
    char *at, *end;
} fresh_t;

typedef struct { // in front of a large block
    char *start;
    size_t bytes;
} mapping_t;

static OWN block_t *lists[CLASSES];
static OWN fresh_t fresh[CLASSES];
static unsigned char map[REGION / PAGE];
static uintptr_t region = NOWHERE;
static size_t pages; // that were taken

static void *map_memory(size_t bytes)
{
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    void *made = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, -1, 0);
    return made == MAP_FAILED ? NULL : made;
}

static uintptr_t round_up(uintptr_t value, size_t step)
{
    return (value + step - 1) & ~(uintptr_t)(step - 1);
}

// Where the region is; NOWHERE if it cannot be had. Of threads that come first at once, one's is kept.
static uintptr_t find_region(void)
{
    uintptr_t found = __atomic_load_n(&region, __ATOMIC_ACQUIRE);
    if (found != NOWHERE) return found;
    void *made = map_memory(REGION + PAGE);
    if (made == NULL) return NOWHERE;
    const uintptr_t own = round_up((uintptr_t)made, PAGE);
    const int order = __ATOMIC_ACQ_REL;
    if (__atomic_compare_exchange_n(&region, &found, own, false, order, __ATOMIC_ACQUIRE)) return own;
    munmap(made, REGION + PAGE);
    return found;
}

static bool take_page(size_t class)
{
    const uintptr_t first = find_region();
    if (first == NOWHERE) return false;
    const size_t page = __atomic_fetch_add(&pages, 1, __ATOMIC_RELAXED);
    if (page >= REGION / PAGE) return false;
    map[page] = (unsigned char)class;
    char *start = (char *)first + page * PAGE;
    fresh[class] = (fresh_t){start, start + PAGE};
    return true;
}

static SLOW void *take_fresh(size_t class)
{
    if (class == 0) return malloc(1);
    const size_t size = class * STEP;
    fresh_t *rest = &fresh[class];
    if ((size_t)(rest->end - rest->at) < size && !take_page(class)) {
        errno = ENOMEM;
        return NULL;
    }
    void *block = rest->at;
    rest->at += size;
    return block;
}

static SLOW void *take_large(size_t size, size_t align)
{
    const size_t most = PTRDIFF_MAX / 2;
    const bool possible = size <= most && align <= most;
    const size_t bytes = round_up(size + align + sizeof(mapping_t), UNIT);
    char *start = possible ? map_memory(bytes) : NULL;
    if (start == NULL) {
        errno = ENOMEM;
        return NULL;
    }
    mapping_t *block = (mapping_t *)round_up((uintptr_t)start + sizeof(mapping_t), align);
    block[-1] = (mapping_t){start, bytes};
    return block;
}

static SLOW void free_large(void *block)
{
    if (block == NULL) return;
    const mapping_t mapping = ((mapping_t *)block)[-1];
    munmap(mapping.start, mapping.bytes);
}

static size_t offset_of(const void *block)
{
    return (uintptr_t)block - __atomic_load_n(&region, __ATOMIC_RELAXED);
}

// Hit: the first block of a list.
EXPORT void *malloc(size_t size)
{
    if (UNLIKELY(size > LARGEST)) return take_large(size, STEP);
    const size_t class = (size + STEP - 1) / STEP;
    block_t *block = lists[class];
    if (UNLIKELY(block == NULL)) return take_fresh(class);
    lists[class] = block->next;
    return block;
}

EXPORT void free(void *given)
{
    const size_t offset = offset_of(given);
    if (UNLIKELY(offset >= REGION)) {
        free_large(given);
        return;
    }
    block_t *block = given;
    const size_t class = map[offset / PAGE];
    block->next = lists[class];
    lists[class] = block;
}

EXPORT void *calloc(size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) return take_large(SIZE_MAX, STEP);
    void *block = malloc(bytes);
    return block == NULL || bytes > LARGEST ? block : memset(block, 0, bytes); // a mapping is zeroes already
}

EXPORT size_t malloc_usable_size(void *block)
{
    const size_t offset = offset_of(block);
    if (offset < REGION) return (size_t)map[offset / PAGE] * STEP;
    if (block == NULL) return 0;
    const mapping_t mapping = ((mapping_t *)block)[-1];
    return (size_t)(mapping.start + mapping.bytes - (char *)block);
}

EXPORT void *realloc(void *block, size_t size)
{
    const size_t room = malloc_usable_size(block);
    if (block != NULL && size <= room && room - size <= room / 2) return block;
    void *made = malloc(size);
    if (block == NULL || made == NULL) return made;
    memcpy(made, block, room < size ? room : size);
    free(block);
    return made;
}

// Where a class's size is a multiple of `align`, its blocks are aligned: so is each page.
EXPORT void *memalign(size_t align, size_t size)
{
    if (align == 0 || (align & (align - 1)) != 0) {
        errno = EINVAL;
        return NULL;
    }
    if (align <= STEP) return malloc(size);
    if (align > LARGEST || size > LARGEST - align) return take_large(size, align);
    return malloc(round_up(size == 0 ? 1 : size, align));
}

EXPORT void *aligned_alloc(size_t align, size_t size)
{
    return memalign(align, size);
}

EXPORT int posix_memalign(void **block, size_t align, size_t size)
{
    if (align < sizeof(void *) || (align & (align - 1)) != 0) return EINVAL;
    void *made = memalign(align, size);
    if (made == NULL) return ENOMEM;
    *block = made;
    return 0;
}
