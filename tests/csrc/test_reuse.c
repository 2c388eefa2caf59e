// Free memory serves the program's next requests, of any size and by any thread: the most that a process has at a time is in
// proportion to what the program uses.

#include "test.h"

// ---- one thread, other sizes in each phase

enum { PHASES = 6, PHASE_BYTES = 8 << 20, CYCLES = 20, SMALLEST = 16 };

// Allocates PHASE_BYTES in blocks of `low` to four times as many bytes, then frees them. Returns the resident memory between.
static size_t phase(void **blocks, size_t low, uint64_t *random)
{
    size_t count = 0;
    for (size_t bytes = 0; bytes < PHASE_BYTES; count++) {
        size_t size = T_random_in(random, low, low * 4);
        blocks[count] = T_must_malloc(size);
        memset(blocks[count], 1, size);
        bytes += size;
    }
    size_t resident = T_resident_kib();
    for (size_t i = 0; i < count; i++) T_free(blocks[i]);
    return resident;
}

// True if classes reach the largest of these sizes: above them, a block is rounded up to pages only.
static bool has_classes_only(void)
{
    void *block = T_must_malloc(60000);
    bool is_of_class = T_usable_size(block) > 61440;
    T_free(block);
    return is_of_class;
}

// Without reuse, each of the PHASES has its own memory. With classes for the smaller ones only, the larger ones have theirs.
static void phases_of_sizes_need_the_memory_of_few(void)
{
    void **blocks = T_pages(PHASE_BYTES / SMALLEST * sizeof *blocks);
    memset(blocks, 0, PHASE_BYTES / SMALLEST * sizeof *blocks);
    T_malloc_trim(0);
    size_t before = T_resident_kib(), highest = before;
    uint64_t random = 1;
    for (int cycle = 0; cycle < (T_THREAD_SANITIZER ? 2 : CYCLES); cycle++) {
        for (size_t i = 0; i < PHASES; i++) {
            size_t now = phase(blocks, (size_t)SMALLEST << 2 * i, &random);
            if (now > highest) highest = now;
        }
    }
    dprintf(STDOUT_FILENO, "    %zu KiB\n", highest - before);
    if (T_SANITIZER) return;
    size_t most = (has_classes_only() ? 5 : 8) * PHASE_BYTES / 2 / 1024;
    T_CHECK(highest - before < most, "phases of %d KiB took %zu KiB", PHASE_BYTES / 1024, highest - before);
}

// ---- many threads, each of which frees what another one has allocated

enum { THREADS = 50, SLOTS = 200000, STEPS = 400000, SMALL = 500, LARGE = 8000 };

static _Atomic(void *) *slots;

// One block of sixteen may be large.
static size_t draw_size(uint64_t random)
{
    return 16 + (random >> 40) % (random % 16 == 0 ? LARGE : SMALL);
}

static void *replace(void *argument)
{
    uint64_t state = (uintptr_t)argument + 1;
    for (int step = 0; step < STEPS / (T_SANITIZER ? 20 : 1); step++) {
        uint64_t random = T_random(&state);
        size_t size = draw_size(random);
        void *block = T_must_malloc(size);
        memset(block, 1, size);
        T_free(atomic_exchange(&slots[(random >> 8) % SLOTS], block));
    }
    return NULL;
}

static void blocks_of_all_threads_need_what_is_used(void)
{
    pthread_t threads[THREADS];
    slots = T_pages(SLOTS * sizeof *slots);
    size_t before = T_resident_kib();
    for (size_t i = 0; i < THREADS; i++) threads[i] = T_thread(replace, (void *)i);
    for (size_t i = 0; i < THREADS; i++) T_join(threads[i]);
    size_t now = T_resident_kib() - before, used = 0;
    for (size_t i = 0; i < SLOTS; i++) {
        void *block = atomic_exchange(&slots[i], NULL);
        if (block != NULL) used += T_usable_size(block);
        T_free(block);
    }
    dprintf(STDOUT_FILENO, "    %zu of %zu KiB\n", now, used / 1024);
    if (T_SANITIZER) return;
    T_CHECK(now < 4 * used / 1024, "blocks of %zu KiB took %zu KiB", used / 1024, now);
}

int main(void)
{
    T_RUN(phases_of_sizes_need_the_memory_of_few);
    T_RUN(blocks_of_all_threads_need_what_is_used);
    return 0;
}
