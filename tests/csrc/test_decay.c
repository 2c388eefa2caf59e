// Memory is returned to the system after a burst: at once when the program requests it, otherwise within two seconds of
// further activity, without a background thread.
//
// usage: test_decay [MiB], the size of the burst; 256 by default.

#include "list.h"

// A burst: a third in small blocks, a third in medium ones, a third in large ones.
enum { MIB = 1 << 20, LOW_MIB = 64 };
enum { SMALL = 96, MEDIUM = 24 << 10, RUN = 100 << 10, LARGE = 3 << 20 };
enum { STRIDE = 683 }; // blocks of SMALL per page

static const double patience = 2.0; // seconds of activity
static size_t burst_mib = 256;

static struct node *push(struct node *list, size_t size)
{
    struct node *node = list_push(list, size);
    for (size_t at = 4096; at < size; at += 4096) ((char *)node)[at] = 1;
    return node;
}

// Frees one of every STRIDE small blocks last, so that the caches are full of blocks from different pages.
static size_t burst(void)
{
    size_t part = burst_mib / 3 * MIB;
    struct node *small = NULL, *last = NULL, *others = NULL;
    for (size_t i = 0; i < part / SMALL; i++) {
        if (i % STRIDE == 0) last = push(last, SMALL);
        else small = push(small, SMALL);
    }
    for (size_t i = 0; i < part / MEDIUM; i++) others = push(others, MEDIUM);
    for (size_t i = 0; i < part / LARGE; i++) others = push(others, LARGE);
    size_t peak = T_resident_kib();
    list_free(small);
    list_free(others);
    list_free(last);
    T_CHECK(peak > burst_mib * 1000, "the burst took %zu KiB only", peak);
    return peak;
}

static void check_resident(size_t most, const char *when)
{
    size_t now = T_resident_kib();
    if (T_SANITIZER) return; // its own tables and quarantine stay
    T_CHECK(now <= most, "%s %zu KiB are still resident, and %zu KiB are allowed", when, now, most);
}

// Runs slow paths, a few at a time, until at most `most` KiB are resident or the time limit is reached.
static void be_active_until(size_t most, size_t size)
{
    enum {
        ROUNDS = 400
    }; // the work of two seconds on a lightly loaded processor; a busy machine takes longer
    double end = T_seconds() + patience;
    for (int round = 0; (round < ROUNDS || T_seconds() < end) && T_resident_kib() > most; round++) {
        for (int i = 0; i < 20; i++) T_free(T_must_malloc(size));
        usleep(2000);
    }
    check_resident(most, "after two seconds of activity");
}

static void after_a_burst_trim_returns_memory_at_once(void)
{
    size_t peak = burst();
    T_malloc_trim(0);
    check_resident(peak / 20, "after malloc_trim");
}

static void after_a_burst_activity_returns_memory(void)
{
    be_active_until(burst() / 20, MEDIUM);
}

// ---- memory cached for reuse is stays cached for a second, not for ever

static void cached_mappings_go_back(void)
{
    struct node *list = NULL;
    T_malloc_trim(0);
    size_t before = T_resident_kib();
    for (int i = 0; i < 8; i++) list = push(list, LARGE);
    list_free(list);
    be_active_until(before + 2 * MIB / 1024, MEDIUM);
}

// Every 30th block stays, so that no chunk is completely free.
static void gaps_between_blocks_go_back(size_t size)
{
    enum { KEPT_KIB = LOW_MIB * 1024 / 30 };
    struct node *list = NULL, *kept = NULL;
    T_malloc_trim(0);
    size_t before = T_resident_kib();
    for (size_t i = 0; i < (size_t)LOW_MIB * MIB / size; i++) {
        if (i % 30 == 0) kept = push(kept, size);
        else list = push(list, size);
    }
    list_free(list);
    be_active_until(before + KEPT_KIB + 8 * MIB / 1024, LARGE);
    list_free(kept);
}

static void gaps_between_blocks_of_a_class_go_back(void)
{
    if (T_CANARY > 0) return; // with full checks, free blocks keep their fill
    gaps_between_blocks_go_back(MEDIUM);
}

static void gaps_between_runs_go_back(void)
{
    gaps_between_blocks_go_back(RUN);
}

// ---- small blocks alone, a burst that other threads freed, and one whose thread has ended

static struct node *allocate_small(void)
{
    struct node *list = NULL;
    for (int i = 0; i < LOW_MIB * MIB / SMALL; i++) list = push(list, SMALL);
    return list;
}

static void *free_list(void *list)
{
    list_free(list);
    return NULL;
}

static void *allocate_and_leave(void *list)
{
    *(struct node **)list = allocate_small();
    return NULL;
}

static void blocks_of_other_threads_and_for_other_threads_go_back(void)
{
    struct node *of_dead_thread = NULL, *for_other_thread;
    T_malloc_trim(0);
    size_t before = T_resident_kib();
    T_join(T_thread(allocate_and_leave, &of_dead_thread));
    for_other_thread = allocate_small();
    size_t peak = T_resident_kib();
    T_CHECK(peak > before + 2 * LOW_MIB * 1000, "the bursts took %zu KiB only", peak - before);
    list_free(of_dead_thread);
    T_join(T_thread(free_list, for_other_thread));
    be_active_until(before + 2 * LOW_MIB * 1024 / 20, MEDIUM);
}

// ---- a burst that other threads free while its owner waits for them

struct burst_to_free {
    struct node *list;
    size_t most; // KiB
};

static void *free_and_be_active(void *argument)
{
    struct burst_to_free *burst = argument;
    list_free(burst->list);
    be_active_until(burst->most, MEDIUM);
    return NULL;
}

static void *free_and_trim(void *argument)
{
    struct burst_to_free *burst = argument;
    list_free(burst->list);
    T_malloc_trim(0);
    check_resident(burst->most, "after malloc_trim by another thread");
    return NULL;
}

static void while_the_owner_waits(void *(*other)(void *))
{
    T_malloc_trim(0);
    size_t before = T_resident_kib();
    struct burst_to_free burst = {allocate_small(), before + LOW_MIB * 1024 / 10};
    T_join(T_thread(other, &burst));
}

static void what_others_free_goes_back_while_the_owner_waits(void)
{
    while_the_owner_waits(free_and_be_active);
}

static void what_others_free_goes_back_by_their_trim(void)
{
    while_the_owner_waits(free_and_trim);
}

int main(int argc, char **argv)
{
    if (argc > 1) burst_mib = strtoull(argv[1], NULL, 10);
    if ((double)sysconf(_SC_AVPHYS_PAGES) * (double)sysconf(_SC_PAGESIZE) < 1.5 * (double)burst_mib * MIB)
        T_not_run("there is not enough free memory for the burst");
    T_RUN(after_a_burst_trim_returns_memory_at_once);
    T_RUN(after_a_burst_activity_returns_memory);
    T_RUN(cached_mappings_go_back);
    T_RUN(gaps_between_blocks_of_a_class_go_back);
    T_RUN(gaps_between_runs_go_back);
    T_RUN(what_others_free_goes_back_while_the_owner_waits);
    T_RUN(what_others_free_goes_back_by_their_trim);
    T_RUN(blocks_of_other_threads_and_for_other_threads_go_back);
    return 0;
}
