// Out of memory: requests return NULL with ENOMEM, existing blocks stay intact, and requests succeed again after blocks
// are freed.

#include "test.h"

#include <sys/resource.h>

enum { ROOM = 48 << 20 }; // bytes that may be mapped in addition

// node: a block in a list, newest first; its content follows the header.
struct node {
    struct node *next;
    size_t size;
};

static struct rlimit unlimited;

static void limit_address_space(void)
{
    struct rlimit limit = unlimited;
    T_malloc_trim(0); // memory that an earlier test left would add to the room
    limit.rlim_cur = T_mapped_bytes() + ROOM;
    T_CHECK(setrlimit(RLIMIT_AS, &limit) == 0, "setrlimit: %s", strerror(errno));
}

static void lift_limit(void)
{
    T_CHECK(setrlimit(RLIMIT_AS, &unlimited) == 0, "setrlimit: %s", strerror(errno));
}

static struct node *push(struct node *list, struct node *node, size_t size)
{
    node->next = list;
    node->size = size;
    T_fill(node + 1, size - sizeof *node, size);
    return node;
}

// Allocates blocks of one size until no memory is left.
static struct node *exhaust(size_t size, size_t *count)
{
    struct node *list = NULL;
    for (*count = 0;; ++*count) {
        T_CHECK(*count * size < (size_t)4 * ROOM, "no limit for blocks of %zu bytes", size);
        errno = 0;
        struct node *node = T_malloc(size);
        if (node == NULL) break;
        list = push(list, node, size);
    }
    T_CHECK(errno == ENOMEM, "errno is %d instead of ENOMEM", errno);
    return list;
}

static void free_list(struct node *list)
{
    while (list != NULL) {
        struct node *next = list->next;
        size_t content = list->size - sizeof *list;
        T_CHECK_PATTERN(list + 1, content, list->size);
        T_free(list);
        list = next;
    }
}

static void refuse_everything(struct node *list)
{
    T_CHECK_REFUSED(T_malloc(ROOM), ENOMEM);
    T_CHECK_REFUSED(T_calloc(ROOM / 8, 8), ENOMEM);
    T_CHECK_REFUSED(T_memalign(1 << 16, ROOM), ENOMEM);
    if (list == NULL) return;
    T_CHECK_REFUSED(T_realloc(list, ROOM), ENOMEM);
}

// A third of the blocks must succeed again: caches and half-empty slabs may keep a share of the rest.
static void check_it_works_again(size_t size, size_t count)
{
    struct node *list = NULL;
    for (size_t i = 0; i < count / 3; i++) {
        struct node *node = T_malloc(size);
        T_CHECK(node != NULL, "after all was freed, block %zu of %zu bytes failed; %zu were there", i, size,
                count);
        list = push(list, node, size);
    }
    free_list(list);
}

static void check_exhaustion(size_t size)
{
    size_t count;
    limit_address_space();
    struct node *list = exhaust(size, &count);
    T_CHECK(count * size > ROOM / 4, "only %zu blocks of %zu bytes in %d bytes", count, size, ROOM);
    refuse_everything(list);
    free_list(list);
    check_it_works_again(size, count);
    lift_limit();
}

static void tiny_blocks(void)
{
    check_exhaustion(64);
}

static void small_blocks(void)
{
    check_exhaustion(1024);
}

static void medium_blocks(void)
{
    check_exhaustion(10000);
}

static void big_blocks(void)
{
    check_exhaustion(200000);
}

static void mapped_blocks(void)
{
    check_exhaustion(3 << 20);
}

// Memory of one size is usable for another: large blocks can use what small ones have freed.
static void freed_small_blocks_make_room_for_a_large_one(void)
{
    static const size_t sizes[] = {64, 1024, 10000, 200000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        size_t count;
        limit_address_space();
        free_list(exhaust(sizes[i], &count));
        void *large = T_malloc(ROOM / 8);
        T_CHECK(large != NULL, "%zu freed blocks of %zu bytes made no room for a large one", count, sizes[i]);
        T_free(large);
        free_list(exhaust(sizes[(i + 1) % 4], &count));
        T_CHECK(count * sizes[(i + 1) % 4] > ROOM / 8,
                "after blocks of %zu bytes only %zu of %zu could be had", sizes[i], count,
                sizes[(i + 1) % 4]);
        lift_limit();
    }
}

// No memory is left to move the smaller block to, so it has to stay in place.
static void less_is_never_refused(void)
{
    enum { KINDS = 5, LESS = 24 };
    static const size_t sizes[KINDS] = {3 << 20, 200000, 10000, 1024, 32};
    struct node *lists[KINDS];
    size_t count;
    limit_address_space();
    for (size_t i = 0; i < KINDS; i++) lists[i] = exhaust(sizes[i], &count);
    for (size_t i = 0; i < KINDS; i++) {
        if (lists[i] == NULL) continue;
        errno = 1234;
        struct node *less = T_realloc(lists[i], LESS);
        T_CHECK(less != NULL, "realloc from %zu down to %d bytes was refused", sizes[i], LESS);
        T_CHECK(errno == 1234, "realloc from %zu down to %d bytes set errno to %d", sizes[i], LESS, errno);
        T_CHECK(T_CHECKS < 2 || T_usable_size(less) == LESS, "%zu bytes may be used of %d",
                T_usable_size(less), LESS);
        T_CHECK(less->size == sizes[i], "realloc from %zu down to %d bytes lost bytes", sizes[i], LESS);
        T_CHECK_PATTERN((char *)(less + 1), LESS - sizeof *less, sizes[i]);
        lists[i] = less->next;
        T_free(less);
    }
    for (size_t i = 0; i < KINDS; i++) free_list(lists[i]);
    check_it_works_again(1024, 1000);
    lift_limit();
}

// The limit is set once all threads exist, because creating one needs address space.
static pthread_barrier_t limit_is_set;

static void *exhaust_in_thread(void *argument)
{
    size_t count;
    pthread_barrier_wait(&limit_is_set);
    free_list(exhaust((size_t)(uintptr_t)argument, &count));
    return NULL;
}

static void threads_run_out_together(void)
{
    pthread_t threads[4];
    pthread_barrier_init(&limit_is_set, NULL, 5);
    for (uintptr_t i = 0; i < 4; i++) threads[i] = T_thread(exhaust_in_thread, (void *)(48 + i * 500));
    limit_address_space();
    pthread_barrier_wait(&limit_is_set);
    for (int i = 0; i < 4; i++) T_join(threads[i]);
    lift_limit();
    T_free(T_must_malloc(ROOM));
}

int main(void)
{
    if (T_SANITIZER) T_not_run("a sanitizer's shadow memory needs more address space than any limit leaves");
    T_CHECK(getrlimit(RLIMIT_AS, &unlimited) == 0, "getrlimit: %s", strerror(errno));
    T_RUN(tiny_blocks);
    T_RUN(small_blocks);
    T_RUN(medium_blocks);
    T_RUN(big_blocks);
    T_RUN(mapped_blocks);
    T_RUN(freed_small_blocks_make_room_for_a_large_one);
    T_RUN(less_is_never_refused);
    T_RUN(threads_run_out_together);
    return 0;
}
