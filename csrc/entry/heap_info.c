// Totals of the heap: collected from the parts of the backend, and reported by the two public functions.
#include "entry/heap_info.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "debug/memcheck.h"
#include "entry/hardened.h"
#include "front/tiny_front.h"
#include "hakmem.h"

heap_usage_t heap_usage(void)
{
    memcheck_unwatched_begin();
    heap_usage_t usage = {shared_pool_usage(), page_arena_usage(), large_usage()};
    memcheck_unwatched_end();
    return usage;
}

HAK_EXPORT hak_mallinfo2_t hak_mallinfo2(void)
{
    heap_usage_t usage = heap_usage();
    size_t pages = usage.pool.pages;
    size_t mapped = pages * HAK_PAGE + usage.arena.chunks * PAGE_ARENA_CHUNK;
    size_t used = usage.pool.pages_used * HAK_PAGE + usage.arena.bytes_used;
    size_t arena_free = usage.arena.chunks * PAGE_ARENA_CHUNK - usage.arena.bytes_used;
    return (hak_mallinfo2_t){
        .arena = mapped,
        .ordblks = pages - usage.pool.pages_used + usage.arena.free_runs,
        .hblks = usage.large.blocks,
        .hblkhd = usage.large.bytes,
        .fsmblks = usage.large.cached_bytes,
        .uordblks = used,
        .fordblks = mapped - used,
        .keepcost = usage.pool.dirty_pages * HAK_PAGE + arena_free + usage.large.cached_bytes,
    };
}

// ---- malloc_info

// Writes one line. The file's buffer may come from this heap, so no lock is held here.
__attribute__((format(printf, 2, 3))) static bool write_line(FILE *file, const char *format, ...)
{
    char line[320];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    return length >= 0 && (size_t)length < sizeof line && fputs(line, file) >= 0;
}

static bool write_layer(FILE *file, const tiny_layer_info_t *layer)
{
    size_t blocks = 0, bytes = 0;
    for (size_t class = 0; class < TINY_CLASSES; class++) {
        size_t held = layer->held(class);
        blocks += held;
        bytes += held * tiny_class_size[class];
    }
    return write_line(file,
                      "    <layer name=\"%s\" role=\"%s\" storage=\"%s\" blocks=\"%zu\" bytes=\"%zu\"/>\n",
                      layer->name, layer->role, layer->storage, blocks, bytes);
}

static bool write_thread(FILE *file)
{
    if (!write_line(file, "  <thread>\n")) return false;
    for (unsigned i = 0; i < TINY_LAYERS; i++)
        if (!write_layer(file, &tiny_layer_table[i])) return false;
    hardened_waiting_t waiting = hardened_waiting(), ready = hardened_ready();
    bool written =
        TINY_CHECKS < TINY_CHECKS_FULL ||
        (write_line(file, "    <quarantine blocks=\"%zu\" bytes=\"%zu\"/>\n", waiting.blocks,
                    waiting.bytes) &&
         write_line(file, "    <ready blocks=\"%zu\" bytes=\"%zu\"/>\n", ready.blocks, ready.bytes));
    return written && write_line(file, "  </thread>\n");
}

static bool write_parts(FILE *file, const heap_usage_t *usage)
{
    return write_line(file,
                      "  <superslabs count=\"%zu\" size=\"%zu\" pages_used=\"%zu\" pages_dirty=\"%zu\"/>\n",
                      usage->pool.superslabs, SHARED_POOL_SUPERSLAB, usage->pool.pages_used,
                      usage->pool.dirty_pages) &&
           write_line(file, "  <arena chunks=\"%zu\" size=\"%zu\" used=\"%zu\" free_runs=\"%zu\"/>\n",
                      usage->arena.chunks, PAGE_ARENA_CHUNK, usage->arena.bytes_used,
                      usage->arena.free_runs) &&
           write_line(file, "  <large blocks=\"%zu\" bytes=\"%zu\" cached=\"%zu\" cached_bytes=\"%zu\"/>\n",
                      usage->large.blocks, usage->large.bytes, usage->large.cached,
                      usage->large.cached_bytes);
}

HAK_EXPORT int hak_malloc_info(int options, FILE *file)
{
    if (options != 0) return EINVAL;
    heap_usage_t usage = heap_usage();
    bool written = write_line(file, "<malloc version=\"hakmem-1\" variant=\"%s\">\n", TINY_VARIANT) &&
                   write_thread(file) && write_parts(file, &usage) && write_line(file, "</malloc>\n");
    return written ? 0 : EIO;
}
