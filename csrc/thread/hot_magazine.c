// Hot magazines: one stack of blocks per class.
#include "thread/hot_magazine.h"

#if TINY_HAS_OPTION_HOTMAG

#include "heap/tiny_superslab.h"
#include "thread/tiny_give.h"

unsigned hot_magazine_take(size_t class, tiny_row_t *row)
{
    if (!TINY_OPTION_HOTMAG || class >= TINY_HOT_CLASSES || tiny_thread.hot[class].count == 0) return 0;
    tiny_row_add(row, tiny_thread.hot[class].block[--tiny_thread.hot[class].count]);
    return 1;
}

void hot_magazine_fill(size_t class)
{
    if (!TINY_OPTION_HOTMAG || class >= TINY_HOT_CLASSES) return;
    tiny_hot_magazine_t *hot = &tiny_thread.hot[class];
    tiny_row_t row;
    row.count = 0;
    tiny_heap_take(tiny_thread.heap, class, TINY_HOT_BLOCKS - hot->count, &row);
    for (unsigned i = 0; i < row.count; i++) {
        hot->block[hot->count] = row.block[i];
        HAK_WRITTEN();
        hot->count++;
    }
}

bool hot_magazine_holds(const tiny_block_t *block)
{
    for (size_t class = 0; class < TINY_HOT_CLASSES; class++)
        for (unsigned i = 0; i < tiny_thread.hot[class].count; i++)
            if (tiny_thread.hot[class].block[i] == block) return true;
    return false;
}

void hot_magazine_drain(void)
{
    for (size_t class = 0; class < TINY_HOT_CLASSES; class++)
        while (tiny_thread.hot[class].count > 0)
            tiny_backend_give(tiny_thread.hot[class].block[--tiny_thread.hot[class].count]);
}

#else
typedef int hot_magazine_is_compiled_out; // ISO C requires a declaration in every file
#endif
