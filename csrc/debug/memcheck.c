// Layout of blocks under memcheck: the requested size, then a redzone, whose last word holds that size.
#include "debug/memcheck.h"

#if HAK_MEMCHECK

#include <errno.h>
#include <valgrind/memcheck.h>

#include "entry/hakmem_entry.h"

#define REDZONE ((size_t)32)

static HAK_TLS unsigned unwatched;

enum { UNKNOWN, ABSENT, PRESENT };

// Other tools of valgrind do not know this request and answer 0.
static bool is_memcheck(void)
{
    static _Atomic(int) answer;
    int known = atomic_load_explicit(&answer, memory_order_relaxed);
    if (LIKELY(known != UNKNOWN)) return known == PRESENT;
    char byte = 0;
    bool present = RUNNING_ON_VALGRIND && VALGRIND_MAKE_MEM_DEFINED(&byte, 1) != 0;
    atomic_store_explicit(&answer, present ? PRESENT : ABSENT, memory_order_relaxed);
    return present;
}

bool memcheck_watches(void)
{
    return is_memcheck() && unwatched == 0;
}

void memcheck_unwatched_begin(void)
{
    if (!is_memcheck()) return;
    unwatched++;
    VALGRIND_DISABLE_ERROR_REPORTING;
}

void memcheck_unwatched_end(void)
{
    if (!is_memcheck()) return;
    VALGRIND_ENABLE_ERROR_REPORTING;
    unwatched--;
}

unsigned memcheck_watch_again(void)
{
    unsigned depth = unwatched;
    unwatched = 0;
    return depth;
}

void memcheck_watch_no_more(unsigned depth)
{
    unwatched = depth;
}

void memcheck_own(void *start, size_t size)
{
    if (start != NULL && is_memcheck()) VALGRIND_MAKE_MEM_NOACCESS(start, size);
}

static size_t *size_word(void *block, size_t has)
{
    return (size_t *)(void *)((char *)block + ((has & ~(sizeof(size_t) - 1)) - sizeof(size_t)));
}

void *memcheck_alloc(size_t size, size_t alignment, bool *zeroed)
{
    if (size > HAK_MAX_REQUEST - REDZONE) {
        errno = ENOMEM;
        return NULL;
    }
    memcheck_unwatched_begin();
    char *block = unwatched_alloc_aligned(size + REDZONE, alignment, zeroed);
    if (block != NULL) {
        size_t has = unwatched_size(block, "a new block is none");
        *size_word(block, has) = size;
        VALGRIND_MALLOCLIKE_BLOCK(block, size, 0, *zeroed);
        VALGRIND_MAKE_MEM_NOACCESS(block + size, has - size);
    }
    memcheck_unwatched_end();
    return block;
}

// Comes first, outside the unwatched part, so that memcheck reports a pointer that is not a block.
void memcheck_free(void *block)
{
    if (block == NULL) return;
    VALGRIND_FREELIKE_BLOCK(block, 0);
    memcheck_unwatched_begin();
    unwatched_free(block);
    memcheck_unwatched_end();
}

void memcheck_free_sized(void *block, size_t size)
{
    HAK_CHECK(block == NULL || memcheck_size(block, "free of a pointer that is no block") >= size,
              "free_sized of a smaller block", block);
    memcheck_free(block);
}

size_t memcheck_size(void *block, const char *misuse)
{
    memcheck_unwatched_begin();
    size_t size = *size_word(block, unwatched_size(block, misuse));
    memcheck_unwatched_end();
    return size;
}

void memcheck_shrink(void *block, size_t size)
{
    memcheck_unwatched_begin();
    size_t *word = size_word(block, unwatched_size(block, "a block is lost"));
    VALGRIND_RESIZEINPLACE_BLOCK(block, *word, size, 0);
    *word = size;
    VALGRIND_MAKE_MEM_NOACCESS(word, sizeof *word);
    memcheck_unwatched_end();
}

#else
typedef int hak_memcheck_is_compiled_out; // ISO C requires a declaration in every file
#endif
