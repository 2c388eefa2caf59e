// Statistics: the generated table of layers, with what each holds for the calling thread.
#include "tiny_stats.h"

#include <stdio.h>
#include <unistd.h>

#include "page_arena.h"
#include "shared_pool.h"
#include "tiny_front.h"

static void write_line(const char *line, int length, size_t room)
{
    if (length <= 0) return;
    size_t bytes = (size_t)length < room ? (size_t)length : room - 1;
    ssize_t written = write(STDERR_FILENO, line, bytes);
    (void)written; // statistics that nobody can read are no reason to fail
}

static void print_layer(const tiny_layer_info_t *layer)
{
    char line[160];
    size_t blocks = 0, bytes = 0;
    for (size_t class = 0; class < TINY_CLASSES; class++) {
        size_t held = layer->held(class);
        blocks += held;
        bytes += held * tiny_class_size[class];
    }
    int length = snprintf(line, sizeof line, "%-16s %-8s %-12s %8zu blocks %10zu bytes\n", layer->title,
                          layer->role, layer->storage, blocks, bytes);
    write_line(line, length, sizeof line);
}

void tiny_stats_print(void)
{
    char line[160];
    for (unsigned i = 0; i < TINY_LAYERS; i++) print_layer(&tiny_layer_table[i]);
    shared_pool_usage_t pool = shared_pool_usage();
    page_arena_usage_t arena = page_arena_usage();
    int length =
        snprintf(line, sizeof line, "%zu superslabs, %zu slabs in use; %zu arena chunks, %zu bytes in use\n",
                 pool.superslabs, pool.pages_used, arena.chunks, arena.bytes_used);
    write_line(line, length, sizeof line);
}
