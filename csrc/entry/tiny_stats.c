// Statistics: prints the generated table of layers, and the blocks that each holds for the calling thread.
#include "entry/tiny_stats.h"

#include "debug/text.h"
#include "entry/hardened.h"
#include "front/tiny_front.h"
#include "heap/page_arena.h"
#include "heap/shared_pool.h"

static void print_held(const char *title, const char *role, const char *storage, size_t blocks, size_t bytes)
{
    hak_text_t line = {.length = 0};
    hak_text_add(&line, title);
    hak_text_column(&line, 17);
    hak_text_add(&line, role);
    hak_text_column(&line, 26);
    hak_text_add(&line, storage);
    hak_text_column(&line, 39);
    hak_text_number(&line, blocks, 8);
    hak_text_add(&line, " blocks ");
    hak_text_number(&line, bytes, 10);
    hak_text_add(&line, " bytes\n");
    hak_text_write(&line);
}

static void print_layer(const tiny_layer_info_t *layer)
{
    size_t blocks = 0, bytes = 0;
    for (size_t class = 0; class < TINY_CLASSES; class++) {
        size_t held = layer->held(class);
        blocks += held;
        bytes += held * tiny_class_size[class];
    }
    print_held(layer->title, layer->role, layer->storage, blocks, bytes);
}

// With full checks: prints the blocks that are freed but still in the quarantine, and those that have left it.
static void print_quarantine(void)
{
    hardened_waiting_t waiting = hardened_waiting(), ready = hardened_ready();
    print_held("Quarantine", "checks", "row", waiting.blocks, waiting.bytes);
    print_held("Ready", "checks", "stack", ready.blocks, ready.bytes);
}

void tiny_stats_print(void)
{
    for (unsigned i = 0; i < TINY_LAYERS; i++) print_layer(&tiny_layer_table[i]);
    if (TINY_CHECKS >= TINY_CHECKS_FULL) print_quarantine();
    shared_pool_usage_t pool = shared_pool_usage();
    page_arena_usage_t arena = page_arena_usage();
    hak_text_t line = {.length = 0};
    hak_text_number(&line, pool.superslabs, 0);
    hak_text_add(&line, " superslabs, ");
    hak_text_number(&line, pool.pages_used, 0);
    hak_text_add(&line, " slabs in use; ");
    hak_text_number(&line, arena.chunks, 0);
    hak_text_add(&line, " arena chunks, ");
    hak_text_number(&line, arena.bytes_used, 0);
    hak_text_add(&line, " bytes in use\n");
    hak_text_write(&line);
}
