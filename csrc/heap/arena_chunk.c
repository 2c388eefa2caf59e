// Chunks of the page arena: mapped, and listed in the registry.
#include "heap/arena_chunk.h"

#include "heap/large.h"
#include "os/os.h"

static void tag_pages(const arena_chunk_t *chunk, tiny_tag_t tag)
{
    for (size_t offset = 0; offset < PAGE_ARENA_CHUNK; offset += HAK_PAGE)
        tiny_registry_set(chunk->start + offset, tag);
}

void arena_chunk_unmap(arena_chunk_t *chunk)
{
    if (chunk->start != NULL) os_unmap_guarded(chunk->start, PAGE_ARENA_CHUNK, CANARY_GUARD);
    os_unmap_guarded(chunk, hak_round_up(sizeof *chunk, OS_PAGE), 0);
}

arena_chunk_t *arena_chunk_map(arena_age_t *age)
{
    arena_chunk_t *chunk = os_map(hak_round_up(sizeof *chunk, OS_PAGE), OS_PAGE);
    if (chunk == NULL) return NULL;
    *age = (arena_age_t){.freed_at = os_clock_ms()};
    chunk->start = large_give_up(PAGE_ARENA_CHUNK, HAK_PAGE, &age->freed_at);
    if (chunk->start != NULL) age->dirty = ARENA_CHUNK_UNITS;
    else chunk->start = os_map_guarded(PAGE_ARENA_CHUNK, HAK_PAGE, CANARY_GUARD);
    chunk->huge_pages = true;
    if (chunk->start != NULL && tiny_registry_reserve(chunk->start, PAGE_ARENA_CHUNK)) return chunk;
    arena_chunk_unmap(chunk);
    return NULL;
}

void arena_chunk_publish(arena_chunk_t *chunk)
{
    for (size_t offset = 0; offset < PAGE_ARENA_CHUNK; offset += HAK_PAGE)
        tiny_registry_record(chunk->start + offset)->owner = chunk;
    tag_pages(chunk, TINY_TAG(0, TINY_KIND_ARENA));
}

void arena_chunk_forget(const arena_chunk_t *chunk)
{
    tag_pages(chunk, 0);
}
