// The requested sizes of large blocks, for variants with full checks.
#include "heap/large_asked.h"

#include "heap/large_extents.h"
#include "os/die.h"
#include "registry/tiny_registry.h"

#if TINY_CHECKS >= TINY_CHECKS_FULL

// Without the lock: only the block's owner gets past the checks, and it alone changes the block.
static large_extent_t *extent_at(const void *block)
{
    if (((uintptr_t)block & (HAK_PAGE - 1)) != 0) return NULL;
    if (tiny_registry_tag(block) != TINY_TAG(0, TINY_KIND_LARGE)) return NULL;
    return tiny_registry_record(block)->owner;
}

static size_t memory_of(const large_extent_t *extent, size_t asked)
{
    return extent->has_canary ? large_memory_for(asked) : 0;
}

size_t large_note(void *block, size_t asked)
{
    large_extent_t *extent = extent_at(block);
    if (UNLIKELY(extent == NULL)) hak_die("a large block is lost", block);
    atomic_store(&extent->asked, asked + 1);
    size_t size = memory_of(extent, asked);
    if (size > 0) canary_set_post((char *)block + size);
    return size;
}

size_t large_asked(const void *block, const char *misuse, size_t *size)
{
    const large_extent_t *extent = extent_at(block);
    size_t asked = extent != NULL ? atomic_load(&extent->asked) : 0;
    if (UNLIKELY(asked == 0)) hak_die(misuse, block);
    *size = memory_of(extent, asked - 1);
    return asked - 1;
}

size_t large_claim(const void *block, size_t *size)
{
    large_extent_t *extent = extent_at(block);
    if (UNLIKELY(extent == NULL)) hak_die("double free, or free of a pointer into a block", block);
    size_t asked = atomic_exchange(&extent->asked, 0);
    if (UNLIKELY(asked == 0)) hak_die_of_size(CANARY_DOUBLE_FREE, block, extent->size);
    *size = memory_of(extent, asked - 1);
    return asked - 1;
}

#else
typedef int large_asked_is_compiled_out; // ISO C requires a declaration in every file
#endif
