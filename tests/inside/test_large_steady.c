// Large blocks in a steady load: once its memory is there, no system call is made for it. Blocks that grow get room to
// grow in place, and the room is no one's for ever.
//
// This program's own mmap and related functions precede the C library's, also for the linked allocator; they count the
// calls.

#include "inside.h"

#include <sys/syscall.h>

#include "entry/blocks.h"
#include "heap/large.h"
#include "os/os.h"

#define MIB ((size_t)1 << 20)
#define IS_HARDENED (TINY_CHECKS >= TINY_CHECKS_FULL)

// ---- counted calls

static atomic_uint calls;

// A sanitizer's runtime calls these before it is ready for instrumented code.
#define SHOWN __attribute__((visibility("default"), no_sanitize("address", "thread")))

// A sanitizer records mappings, so its interceptor must be called.
#define REAL(type, name, ...) __attribute__((weak)) type __interceptor_##name(__VA_ARGS__);
REAL(void *, mmap, void *, size_t, int, int, int, off_t)
REAL(int, munmap, void *, size_t)

SHOWN void *mmap(void *start, size_t size, int protection, int flags, int file, off_t offset)
{
    atomic_fetch_add(&calls, 1);
    if (__interceptor_mmap != NULL) return __interceptor_mmap(start, size, protection, flags, file, offset);
    return (void *)syscall(SYS_mmap, start, size, protection, flags, file, offset);
}

SHOWN int munmap(void *start, size_t size)
{
    atomic_fetch_add(&calls, 1);
    if (__interceptor_munmap != NULL) return __interceptor_munmap(start, size);
    return (int)syscall(SYS_munmap, start, size);
}

SHOWN void *mremap(void *start, size_t old_size, size_t size, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    void *target = (flags & MREMAP_FIXED) != 0 ? va_arg(arguments, void *) : NULL;
    va_end(arguments);
    atomic_fetch_add(&calls, 1);
    return (void *)syscall(SYS_mremap, start, old_size, size, flags, target);
}

// ---- blocks that come and go

static void give_back_all(void)
{
    (void)large_return(SIZE_MAX, os_clock_ms(), 0);
}

static void *take(size_t size)
{
    bool zeroed;
    void *block = large_alloc(size, 16, &zeroed);
    T_CHECK(block != NULL, "no block of %zu bytes", size);
    return block;
}

enum { SLOTS = 16 };

static void replace_blocks(void **blocks, uint64_t *random, int steps)
{
    for (int step = 0; step < steps; step++) {
        size_t i = T_random(random) % SLOTS;
        if (blocks[i] != NULL) large_free(blocks[i]);
        blocks[i] = take(T_random_in(random, MIB, 32 * MIB));
    }
}

// Its memory is what fragmentation needs: 1.5 times the bytes in use at the peak. The decay may return a little of it.
static void blocks_that_are_replaced_make_no_calls(void)
{
    enum { WARM_UP = 4000, STEPS = 4000 };
    void *blocks[SLOTS] = {NULL};
    uint64_t random = 5;
    if (IS_HARDENED) return; // freed blocks wait there; each is a new mapping
    replace_blocks(blocks, &random, WARM_UP);
    unsigned before = calls;
    replace_blocks(blocks, &random, STEPS);
    unsigned made = calls - before;
    T_CHECK(made < STEPS / 100, "%u calls for %d blocks", made, STEPS);
    large_usage_t usage = large_usage();
    T_CHECK(usage.bytes + usage.cached_bytes < (SLOTS * 32 * MIB) * 3 / 2, "%zu bytes are cached",
            usage.cached_bytes);
    for (int i = 0; i < SLOTS; i++) large_free(blocks[i]);
    give_back_all();
}

// A block that is longer than the gap at the edge of the extents maps only the difference.
static void the_gap_at_the_edge_becomes_part_of_a_longer_block(void)
{
    if (IS_HARDENED) return;
    give_back_all();
    unsigned char *behind = take(2 * MIB), *edge = take(4 * MIB);
    memset(edge, 1, 4 * MIB);
    large_free(edge);
    bool zeroed = true;
    unsigned char *longer = large_alloc(6 * MIB, 16, &zeroed);
    bool used = longer == edge - 2 * MIB; // unless something else lies there
    T_CHECK(used || large_usage().cached_bytes >= 4 * MIB, "the gap is lost");
    T_CHECK(!used || !zeroed, "memory that was written to is called zeroed");
    memset(longer, 2, 6 * MIB);
    large_free(longer);
    large_free(behind);
    give_back_all();
}

// ---- blocks that grow

static unsigned char *grow_by_doubling(size_t last, size_t *moves)
{
    unsigned char *block = T_must_malloc(16);
    block[0] = 7;
    for (size_t size = 32; size <= last; size *= 2) {
        unsigned char *grown = T_realloc(block, size);
        T_CHECK(grown != NULL, "no growth to %zu bytes", size);
        T_CHECK(grown[0] == 7 && (size == 32 || grown[size / 2 - 1] == 7), "a byte of %zu was lost",
                size / 2);
        *moves += size >= 8192 && grown != block;
        block = grown;
        block[size - 1] = 7;
    }
    return block;
}

// The memory that the first block needed is there for the next one: it grows within it.
static void a_block_that_doubles_makes_no_calls_and_stays_in_place(void)
{
    enum { ROUNDS = 50 };
    size_t moves = 0;
    if (IS_HARDENED || T_SANITIZER) return; // the public names may be the sanitizer's
    T_free(grow_by_doubling(16 * MIB, &moves));
    moves = 0;
    unsigned before = calls;
    for (int round = 0; round < ROUNDS; round++) T_free(grow_by_doubling(16 * MIB, &moves));
    T_CHECK(calls - before < ROUNDS / 10, "%u calls in %d rounds", calls - before, ROUNDS);
    T_CHECK(moves <= ROUNDS + ROUNDS / 10, "%zu moves of blocks above 4 KiB in %d rounds", moves, ROUNDS);
    give_back_all();
}

// Returns a block with at least 16 MiB of room.
static unsigned char *take_with_room(size_t size)
{
    large_free(take(32 * MIB));
    unsigned char *block = large_alloc_to_grow(size);
    T_CHECK(block != NULL, "no room for a block of %zu bytes", size);
    return block;
}

static void a_room_ends_when_another_block_needs_the_memory(void)
{
    if (IS_HARDENED) return; // freed extents are not reused there
    give_back_all();
    unsigned char *grows = take_with_room(256 << 10);
    T_CHECK(large_fits(grows, MIB), "a block does not grow into its room");
    T_CHECK(large_usable_size(grows) == MIB, "%zu bytes after growth", large_usable_size(grows));
    T_CHECK(large_usage().bytes == MIB, "%zu bytes are counted", large_usage().bytes);
    unsigned before = calls;
    unsigned char *other = take(20 * MIB);
    T_CHECK(calls == before && other == grows + MIB, "new memory was mapped while a room was lent");
    T_CHECK(!large_fits(grows, 2 * MIB), "a block grows into another one");
    T_CHECK(large_fits(grows, MIB), "a block has lost memory");
    T_CHECK(large_usage().bytes == 21 * MIB, "%zu bytes are counted", large_usage().bytes);
    large_free(grows);
    large_free(other);
    T_CHECK(large_usage().cached == 1 && large_usage().bytes == 0, "the extents were not joined");
    give_back_all();
}

static void a_room_ends_when_its_block_stops_growing(void)
{
    if (IS_HARDENED) return;
    give_back_all();
    unsigned char *grows = take_with_room(256 << 10);
    uint32_t now = os_clock_ms();
    large_return(SIZE_MAX, now, 100000); // notes its size
    T_CHECK(large_fits(grows, MIB), "the room of a block that has just begun was ended");
    large_return(SIZE_MAX, now, 100000);
    T_CHECK(large_fits(grows, 2 * MIB), "the room of a block that grows was ended");
    large_return(SIZE_MAX, now, 100000);
    large_return(SIZE_MAX, now, 100000);
    T_CHECK(!large_fits(grows, 4 * MIB), "the room of a block that grows no more was not ended");
    large_free(grows);
    give_back_all();
    T_CHECK(large_usage().cached_bytes == 0, "memory of a room was not returned");
}

// Blocks that grow a little and are freed again and again use a long extent's front: the rest of it must grow old.
static void room_that_is_not_used_is_returned_to_the_system(void)
{
    if (IS_HARDENED) return;
    give_back_all();
    large_free(take(48 * MIB));
    uint32_t freed = os_clock_ms();
    usleep(100000);
    for (int i = 0; i < 100; i++) {
        unsigned char *grows = large_alloc_to_grow(64 << 10);
        if (grows == NULL) continue;
        large_fits(grows, 128 << 10);
        large_free(grows);
    }
    uint32_t age = os_clock_ms() - freed;
    T_CHECK(large_usage().cached_bytes == 48 * MIB, "%zu bytes are cached", large_usage().cached_bytes);
    large_return(SIZE_MAX, os_clock_ms(), age);
    T_CHECK(large_usage().cached_bytes < MIB, "%zu bytes are as new as the blocks that did not use them",
            large_usage().cached_bytes);
    give_back_all();
}

// Small blocks waste most of a granule, so only a few may be placed in extents.
static void few_small_blocks_are_placed_in_extents(void)
{
    enum { BLOCKS = 200, MOST = 32 };
    void *blocks[BLOCKS];
    int placed = 0;
    if (IS_HARDENED) return;
    give_back_all();
    large_free(take(32 * MIB));
    for (int i = 0; i < BLOCKS; i++) {
        blocks[placed] = large_alloc_to_grow(8192);
        if (blocks[placed] != NULL) placed++;
        large_return(0, os_clock_ms(), 100000); // ends rooms that do not grow
        large_return(0, os_clock_ms(), 100000);
    }
    T_CHECK(placed > 0 && placed <= MOST, "%d small blocks were placed in extents", placed);
    for (int i = 0; i < placed; i++) large_free(blocks[i]);
    void *again = large_alloc_to_grow(8192);
    T_CHECK(again != NULL, "freed small blocks are still counted");
    large_free(again);
    give_back_all();
}

// ---- many threads: blocks that grow in place while other threads end their rooms

static void *grow_and_take(void *argument)
{
    enum { BLOCKS = 6, STEPS = T_SANITIZER ? 3000 : 30000 };
    unsigned char *blocks[BLOCKS] = {NULL};
    size_t sizes[BLOCKS] = {0};
    uint64_t seed = (uintptr_t)argument, random = seed;
    for (int step = 0; step < STEPS; step++) {
        size_t i = T_random(&random) % BLOCKS;
        unsigned char *block = blocks[i];
        size_t size = sizes[i] * 2;
        if (block != NULL) {
            T_CHECK_PATTERN(block, 64, seed + i);
            T_CHECK_PATTERN(block + sizes[i] - 64, 64, seed + i);
        }
        if (block != NULL && size <= 8 * MIB && T_random(&random) % 8 != 0) {
            if (!large_fits(block, size)) continue;
        } else {
            if (block != NULL) large_free(block);
            size = (size_t)64 << 10 << T_random(&random) % 6;
            block = T_random(&random) % 2 == 0 ? large_alloc_to_grow(size) : NULL;
            if (block == NULL) block = take(size);
        }
        T_fill(block, 64, seed + i);
        T_fill(block + size - 64, 64, seed + i);
        blocks[i] = block;
        sizes[i] = size;
        if (step % 500 == 0) large_return(MIB, os_clock_ms(), (uint32_t)(step % 1000));
    }
    for (int i = 0; i < BLOCKS; i++)
        if (blocks[i] != NULL) large_free(blocks[i]);
    return NULL;
}

static void blocks_lie_apart_while_rooms_come_and_go(void)
{
    enum { THREADS = 3 };
    pthread_t threads[THREADS];
    if (IS_HARDENED) return;
    for (uintptr_t i = 0; i < THREADS; i++) threads[i] = T_thread(grow_and_take, (void *)(i * 100 + 1));
    for (int i = 0; i < THREADS; i++) T_join(threads[i]);
    T_CHECK(large_usage().blocks == 0 && large_usage().bytes == 0, "%zu blocks of %zu bytes are left over",
            large_usage().blocks, large_usage().bytes);
    give_back_all();
}

// ---- steps

// With full checks each page of growth is made accessible where it lies; the addresses were reserved.
static void a_block_that_grows_in_small_steps_moves_rarely(void)
{
    enum { STEP = 1000, MOST_MOVES = 64 };
    size_t moves = 0;
    if (T_SANITIZER) return;
    unsigned char *block = T_must_malloc(STEP);
    for (size_t size = 2 * STEP; size < 24 * MIB; size += STEP) {
        unsigned char *grown = T_realloc(block, size);
        T_CHECK(grown != NULL, "no growth to %zu bytes", size);
        moves += grown != block;
        block = grown;
        memset(block + size - STEP, (int)(size / STEP % 251), STEP);
    }
    for (size_t size = 2 * STEP; size < 24 * MIB; size += STEP)
        T_CHECK(block[size - 1] == size / STEP % 251, "byte %zu was lost", size - 1);
    T_CHECK(moves <= MOST_MOVES, "%zu moves", moves);
    T_free(block);
}

int main(void)
{
    T_RUN(blocks_that_are_replaced_make_no_calls);
    T_RUN(the_gap_at_the_edge_becomes_part_of_a_longer_block);
    T_RUN(a_block_that_doubles_makes_no_calls_and_stays_in_place);
    T_RUN(a_room_ends_when_another_block_needs_the_memory);
    T_RUN(a_room_ends_when_its_block_stops_growing);
    T_RUN(room_that_is_not_used_is_returned_to_the_system);
    T_RUN(few_small_blocks_are_placed_in_extents);
    T_RUN(blocks_lie_apart_while_rooms_come_and_go);
    T_RUN(a_block_that_grows_in_small_steps_moves_rarely);
    return 0;
}
