// Layout of blocks under memcheck: the requested size, then a redzone, whose last word holds that size.
#include "entry/watched.h"

#if HAK_MEMCHECK

#include <errno.h>

#include "entry/unwatched.h"
#include "os/die.h"

#define REDZONE ((size_t)32)

static size_t *size_word(void *block, size_t has)
{
    return (size_t *)(void *)((char *)block + ((has & ~(sizeof(size_t) - 1)) - sizeof(size_t)));
}

void *watched_alloc(size_t size, size_t alignment, bool *zeroed)
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
void watched_free(void *block)
{
    if (block == NULL) return;
    VALGRIND_FREELIKE_BLOCK(block, 0);
    memcheck_unwatched_begin();
    unwatched_free(block);
    memcheck_unwatched_end();
}

void watched_free_sized(void *block, size_t size)
{
    HAK_CHECK(block == NULL || watched_size(block, "free of a pointer that is no block") >= size,
              "free_sized of a smaller block", block);
    watched_free(block);
}

size_t watched_size(void *block, const char *misuse)
{
    memcheck_unwatched_begin();
    size_t size = *size_word(block, unwatched_size(block, misuse));
    memcheck_unwatched_end();
    return size;
}

void watched_shrink(void *block, size_t size)
{
    memcheck_unwatched_begin();
    size_t *word = size_word(block, unwatched_size(block, "a block is lost"));
    VALGRIND_RESIZEINPLACE_BLOCK(block, *word, size, 0);
    *word = size;
    VALGRIND_MAKE_MEM_NOACCESS(word, sizeof *word);
    memcheck_unwatched_end();
}

#else
typedef int hak_watched_is_compiled_out; // ISO C requires a declaration in every file
#endif
