// The operating system interface: mappings, metadata, and the lock.

#include "inside.h"

#include <sys/resource.h>

#include "os/lock.h"
#include "os/os.h"
#include "os/os_addresses.h"

static void mappings_are_aligned_and_zero(void)
{
    for (size_t alignment = OS_PAGE; alignment <= (16 << 20); alignment *= 4) {
        char *start = os_map(3 * OS_PAGE, alignment);
        T_CHECK(start != NULL, "no mapping aligned to %zu", alignment);
        T_CHECK_ALIGNED(start, alignment);
        T_CHECK(T_is_zero(start, 3 * OS_PAGE), "a new mapping is not zero");
        memset(start, 1, 3 * OS_PAGE);
        os_unmap(start, 3 * OS_PAGE);
    }
}

static void mappings_that_cannot_be_had_are_null_and_leave_errno(void)
{
    errno = 1234;
    T_CHECK(os_map((size_t)1 << 60, OS_PAGE) == NULL, "2^60 bytes were mapped");
    T_CHECK(os_map(SIZE_MAX & ~(OS_PAGE - 1), HAK_PAGE) == NULL, "everything was mapped");
    T_CHECK(errno == 1234, "errno is %d", errno);
}

static void unmapping_leaves_errno(void)
{
    char *start = os_map(OS_PAGE, OS_PAGE);
    T_CHECK(start != NULL, "no mapping");
    errno = 1234;
    os_unmap(start, OS_PAGE);
    T_CHECK(errno == 1234, "errno is %d", errno);
}

static void purged_memory_is_zero(void)
{
    char *start = os_map(4 * OS_PAGE, OS_PAGE);
    memset(start, 1, 4 * OS_PAGE);
    T_CHECK(os_purge(start + OS_PAGE, 2 * OS_PAGE), "not purged");
    T_CHECK(T_is_zero(start + OS_PAGE, 2 * OS_PAGE), "purged memory is not zero");
    T_CHECK(start[0] == 1 && start[3 * OS_PAGE] == 1, "more was purged than requested");
    os_unmap(start, 4 * OS_PAGE);
}

static void a_mapping_moves_with_its_contents(void)
{
    char *from = os_map(2 * HAK_PAGE, HAK_PAGE), *to = os_map(4 * HAK_PAGE, HAK_PAGE);
    T_fill(from, 2 * HAK_PAGE, 1);
    T_CHECK(os_move(from, 2 * HAK_PAGE, to, 4 * HAK_PAGE) == OS_MOVED, "not moved");
    T_CHECK_PATTERN(to, 2 * HAK_PAGE, 1);
    T_CHECK(T_is_zero(to + 2 * HAK_PAGE, 2 * HAK_PAGE), "the new part is not zero");
    bool movable;
    T_CHECK(os_resize(to, 4 * HAK_PAGE, HAK_PAGE, &movable), "not shrunk");
    T_CHECK_PATTERN(to, HAK_PAGE, 1);
    os_unmap(to, HAK_PAGE);
}

static void guards_cannot_be_touched(void)
{
    char *start = os_map_guarded(HAK_PAGE, HAK_PAGE, OS_PAGE);
    T_CHECK_ALIGNED(start, HAK_PAGE);
    memset(start, 1, HAK_PAGE);
    for (int side = 0; side < 2; side++) {
        pid_t child = fork();
        if (child == 0) {
            signal(SIGSEGV, SIG_DFL); // a sanitizer would print a long report
            signal(SIGBUS, SIG_DFL);
            *(volatile char *)(side ? start - 1 : start + HAK_PAGE) = 1;
            _exit(0);
        }
        int status;
        T_CHECK(waitpid(child, &status, 0) == child, "waitpid: %s", strerror(errno));
        T_CHECK(WIFSIGNALED(status), "the guard %s it can be written to", side ? "before" : "after");
    }
    os_unmap_guarded(start, HAK_PAGE, OS_PAGE);
}

static void metadata_is_zero_and_lies_apart(void)
{
    enum { RECORDS = 3000 };
    char *before = NULL;
    for (size_t i = 0; i < RECORDS; i++) {
        size_t size = i % 500 == 499 ? 100000 : i % 200 + 1;
        char *record = os_metadata(size);
        T_CHECK(record != NULL, "no record of %zu bytes", size);
        T_CHECK_ALIGNED(record, 64);
        T_CHECK(T_is_zero(record, size), "a record is not zero");
        memset(record, 0xff, size);
        T_CHECK(record != before, "a record came twice");
        before = record;
    }
}

// ---- addresses that the system did not unmap; nothing touches them here

enum { RANGES = 5000, PLACE = 1 << 16 };

static char *place_at(size_t index)
{
    return (char *)((uintptr_t)1 << 40) + index * PLACE;
}

static void keep_place(size_t index, bool is_ready)
{
    os_range_t *range = os_addresses_unused_record();
    if (range == NULL) range = os_metadata(sizeof *range);
    *range = (os_range_t){.start = place_at(index), .end = place_at(index + 1), .is_ready = is_ready};
    os_addresses_keep(range);
}

// Every index below RANGES once, in no order.
static size_t shuffled(size_t i)
{
    return i * 2731 % RANGES;
}

static void kept_neighbours_are_joined_in_any_order(void)
{
    for (size_t i = 0; i < RANGES; i++) keep_place(shuffled(i), true);
    os_taken_t taken = os_addresses_take((size_t)RANGES * PLACE, PLACE, 0);
    T_CHECK(taken.start == place_at(0) && taken.is_ready && taken.rest == 0, "%p, with a rest of %zu bytes",
            (void *)taken.start, taken.rest);
    T_CHECK(os_addresses_take(1, 1, 0).start == NULL, "more was kept than there is");
}

static void ranges_that_are_not_ready_stay_apart(void)
{
    keep_place(0, true);
    keep_place(1, false);
    T_CHECK(os_addresses_take(2 * PLACE, 1, 0).start == NULL, "they were joined");
    T_CHECK(os_addresses_take_ready(2 * PLACE, 1, 0).start == NULL, "they were joined");
    T_CHECK(os_addresses_take(PLACE, 1, 0).is_ready, "the lower one is ready");
    T_CHECK(!os_addresses_take(PLACE, 1, 0).is_ready, "the upper one is not");
}

static void a_ready_place_is_found_behind_many_others(void)
{
    for (size_t i = 0; i < RANGES; i++) keep_place(shuffled(i), shuffled(i) == RANGES - 2);
    T_CHECK(os_addresses_take_ready(PLACE, PLACE, 0).start == place_at(RANGES - 2), "it is not found");
    T_CHECK(os_addresses_take_ready(1, 1, 0).start == NULL, "there is no other");
    T_CHECK(os_addresses_take((RANGES - 2) * (size_t)PLACE, 1, 0).start == place_at(0), "not below it");
    T_CHECK(os_addresses_take(PLACE, 1, 0).start == place_at(RANGES - 1), "not behind it");
}

static void each_place_is_taken_once(void)
{
    static bool is_taken[RANGES];
    for (size_t i = 0; i < RANGES; i++)
        if (shuffled(i) % 3 != 0) keep_place(shuffled(i), true);
    size_t count = 0;
    for (char *start; (start = os_addresses_take(PLACE, PLACE, 0).start) != NULL; count++) {
        size_t index = (size_t)(start - place_at(0)) / PLACE;
        T_CHECK(index < RANGES && index % 3 != 0 && !is_taken[index], "place %zu", index);
        is_taken[index] = true;
    }
    T_CHECK(count == RANGES - (RANGES + 2) / 3, "%zu places", count);
}

static void an_aligned_place_leaves_a_part_on_each_side(void)
{
    for (size_t i = 1; i < 8; i++) keep_place(i, true);
    os_taken_t taken = os_addresses_take(PLACE, 4 * PLACE, 0);
    T_CHECK(taken.start == place_at(4) && taken.rest == 3 * PLACE, "%p, with a rest of %zu bytes",
            (void *)taken.start, taken.rest);
    T_CHECK(os_addresses_take(3 * PLACE, 1, 0).start == place_at(1), "the part in front is not kept");
    T_CHECK(os_addresses_take(1, 1, 0).start == NULL, "the part behind is kept twice");
}

static void addresses_beside_a_kept_range_need_no_record(void)
{
    keep_place(1, true);
    T_CHECK(!os_addresses_keep_beside(place_at(2), PLACE, false), "joined, although it is not ready");
    T_CHECK(os_addresses_keep_beside(place_at(2), PLACE, true), "not joined behind the range");
    T_CHECK(os_addresses_keep_beside(place_at(0), PLACE, true), "not joined in front of the range");
    T_CHECK(os_addresses_take(3 * PLACE, 1, 0).start == place_at(0), "they are not one range");
}

// Kept addresses are inaccessible, and the system gives no memory for them, nor for more records.
static void no_memory_for_kept_addresses(void)
{
    enum { RECORDS = 10000 };
    const size_t size = (size_t)1 << 30;
    os_range_t *range = os_metadata(sizeof *range);
    char *start = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    T_CHECK(range != NULL && start != MAP_FAILED, "no addresses: %s", strerror(errno));
    *range = (os_range_t){.start = start, .end = start + size};
    os_addresses_keep(range);
    const struct rlimit none = {0, 0};
    T_CHECK(setrlimit(RLIMIT_DATA, &none) == 0, "setrlimit: %s", strerror(errno));
    if (os_map(OS_PAGE, OS_PAGE) != NULL) _exit(0); // this system does not count such memory
    while (os_addresses_unused_record() != NULL) continue;
    for (size_t i = 0; i < RECORDS && os_metadata(64) != NULL; i++) continue;
    T_CHECK(os_addresses_take(size, 1, 0).start == start, "kept addresses are lost");
}

static void addresses_that_stay_inaccessible_are_not_lost(void)
{
    if (T_SANITIZER) return; // its runtime needs memory
    pid_t child = fork();
    if (child == 0) {
        no_memory_for_kept_addresses();
        _exit(0);
    }
    T_CHECK_CHILD(child);
}

// ---- the lock

enum { THREADS = 4, ROUNDS = 20000 };

static os_lock_t lock;
static unsigned long counter; // protected by the lock

static void *count_up(void *unused)
{
    for (int i = 0; i < ROUNDS; i++) {
        os_lock(&lock);
        counter++;
        os_unlock(&lock);
    }
    return unused;
}

static void the_lock_keeps_others_out(void)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) threads[i] = T_thread(count_up, NULL);
    for (int i = 0; i < THREADS; i++) T_join(threads[i]);
    T_CHECK(counter == (unsigned long)THREADS * ROUNDS, "%lu of %d were counted", counter, THREADS * ROUNDS);
    T_CHECK(lock.state == 0, "the lock is left in state %u", lock.state);
}

static void *unlock_soon(void *unused)
{
    usleep(20000);
    counter = 1;
    os_unlock(&lock);
    return unused;
}

static void who_waits_is_woken(void)
{
    os_lock(&lock);
    counter = 0;
    T_CHECK(!os_try_lock(&lock), "a lock that is held was taken");
    pthread_t other = T_thread(unlock_soon, NULL);
    os_lock(&lock);
    T_CHECK(counter == 1, "the lock was taken before it was released");
    os_unlock(&lock);
    T_join(other);
    T_CHECK(os_try_lock(&lock), "a free lock was not taken");
    os_unlock(&lock);
}

int main(void)
{
    T_RUN(mappings_are_aligned_and_zero);
    T_RUN(mappings_that_cannot_be_had_are_null_and_leave_errno);
    T_RUN(unmapping_leaves_errno);
    T_RUN(purged_memory_is_zero);
    T_RUN(a_mapping_moves_with_its_contents);
    T_RUN(guards_cannot_be_touched);
    T_RUN(metadata_is_zero_and_lies_apart);
    T_RUN(kept_neighbours_are_joined_in_any_order);
    T_RUN(ranges_that_are_not_ready_stay_apart);
    T_RUN(a_ready_place_is_found_behind_many_others);
    T_RUN(each_place_is_taken_once);
    T_RUN(an_aligned_place_leaves_a_part_on_each_side);
    T_RUN(addresses_beside_a_kept_range_need_no_record);
    T_RUN(addresses_that_stay_inaccessible_are_not_lost);
    T_RUN(the_lock_keeps_others_out);
    T_RUN(who_waits_is_woken);
    return 0;
}
