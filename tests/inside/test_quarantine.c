// The quarantine: what it counts, how much waits in it, and in which order blocks leave it.
#include "inside.h"

#include "entry/hardened.h"
#include "hardened/quarantine.h"

#if TINY_CHECKS >= TINY_CHECKS_FULL

static uint64_t state = 88172645463325252u;

static uint32_t drawn(uint32_t below)
{
    return (uint32_t)((uint64_t)tiny_draw(&state) * below >> 32);
}

static size_t bytes_of(const quarantine_row_t *row)
{
    size_t bytes = 0;
    for (unsigned i = 0; i < row->count; i++) bytes += row->waiting[i].size;
    return bytes;
}

static void a_row_counts_the_bytes_of_its_blocks(void)
{
    static quarantine_row_t row;
    for (int i = 0; i < 10000; i++) {
        quarantine_block_t block = {.start = (char *)(uintptr_t)(i + 1), .size = 16 * (1 + drawn(1000))};
        unsigned choice = drawn(3);
        if (row.count == 0 || (choice == 0 && row.count < QUARANTINE_ROW)) quarantine_add(&row, block);
        else if (choice == 1) (void)quarantine_take(&row, &state);
        else (void)quarantine_exchange(&row, block, &state);
        T_CHECK(row.bytes == bytes_of(&row), "%zu bytes are counted, %zu wait", row.bytes, bytes_of(&row));
    }
}

static void free_one(size_t size)
{
    void *block = hardened_alloc(size);
    T_CHECK(block != NULL, "no block of %zu bytes", size);
    hardened_free(block);
}

// The bound of one thread; see TINY_MOST in hardened.c, and its margin in quarantine.h.
enum { BOUND = 128 << 10 };

static void blocks_of_mixed_sizes_wait_up_to_the_bound(void)
{
    for (int i = 0; i < 20000; i++) free_one(drawn(1000));
    hardened_waiting_t waiting = hardened_waiting();
    T_CHECK(waiting.bytes > BOUND * 3 / 4, "%zu bytes wait", waiting.bytes);
    T_CHECK(waiting.bytes <= BOUND, "%zu bytes wait", waiting.bytes);
    T_CHECK(waiting.blocks > 64 && waiting.blocks <= QUARANTINE_ROW, "%zu blocks wait", waiting.blocks);
}

static void large_blocks_make_room_for_small_ones_and_back(void)
{
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < 2000; i++) free_one(round % 2 == 0 ? 8000 : 40);
        hardened_waiting_t waiting = hardened_waiting();
        T_CHECK(waiting.bytes <= BOUND && waiting.blocks > 8, "%zu blocks wait, %zu bytes", waiting.blocks,
                waiting.bytes);
    }
}

static void a_few_blocks_that_have_left_are_allocated_next(void)
{
    enum { SIZE = 100 };
    void *blocks[2000];
    for (size_t i = 0; i < 2000; i++) blocks[i] = hardened_alloc(SIZE);
    for (size_t i = 0; i < 2000; i++) hardened_free(blocks[i]);
    hardened_waiting_t ready = hardened_ready();
    T_CHECK(ready.blocks > 0 && ready.bytes >= ready.blocks * 16, "%zu blocks are ready", ready.blocks);
    void *block = hardened_alloc(SIZE);
    T_CHECK(hardened_ready().blocks == ready.blocks - 1, "%zu blocks are ready instead of %zu",
            hardened_ready().blocks, ready.blocks - 1);
    T_CHECK(hardened_size(block, "no block") == SIZE, "the block has %zu bytes",
            hardened_size(block, "no block"));
    hardened_free(block);
}

static void a_class_has_few_blocks_and_bytes_ready(void)
{
    static quarantine_ready_t ready;
    for (size_t size = 16; size <= 65536; size *= 2) {
        ready.count = 0;
        unsigned added = 0;
        while (added <= READY_MOST && quarantine_make_ready(&ready, (quarantine_block_t){NULL, 0, size}))
            added++;
        T_CHECK(added <= READY_MOST && added * size <= READY_BYTES, "%u blocks of %zu bytes", added, size);
        T_CHECK(added == READY_MOST || (added + 1) * size > READY_BYTES, "only %u blocks of %zu bytes", added,
                size);
    }
}

// Blocks 0, 1, 2, ... enter a full row. When a block leaves does not depend on when it came.
static void the_order_in_which_blocks_leave_is_not_that_of_their_frees(void)
{
    static quarantine_row_t row;
    enum { WAITING = 100, TRIES = 10000 };
    unsigned oldest = 0;
    uintptr_t next = 1;
    while (row.count < WAITING) quarantine_add(&row, (quarantine_block_t){(char *)next++, 0, 16});
    for (int i = 0; i < TRIES; i++) {
        uintptr_t first = UINTPTR_MAX;
        for (unsigned k = 0; k < row.count; k++)
            if ((uintptr_t)row.waiting[k].start < first) first = (uintptr_t)row.waiting[k].start;
        quarantine_block_t gone =
            quarantine_exchange(&row, (quarantine_block_t){(char *)next++, 0, 16}, &state);
        oldest += (uintptr_t)gone.start == first;
    }
    T_CHECK(oldest < TRIES / WAITING * 2, "the oldest block left in %u of %d cases", oldest, TRIES);
}

#endif

int main(void)
{
#if TINY_CHECKS >= TINY_CHECKS_FULL
    T_RUN(a_row_counts_the_bytes_of_its_blocks);
    T_RUN(blocks_of_mixed_sizes_wait_up_to_the_bound);
    T_RUN(large_blocks_make_room_for_small_ones_and_back);
    T_RUN(a_few_blocks_that_have_left_are_allocated_next);
    T_RUN(a_class_has_few_blocks_and_bytes_ready);
    T_RUN(the_order_in_which_blocks_leave_is_not_that_of_their_frees);
#endif
    return 0;
}
