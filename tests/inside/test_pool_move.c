// Full checks: the memory of free slabs moves to the addresses of other classes.
//
// This program's own mremap precedes the C library's, also for the linked allocator: it counts the calls and may refuse them.

#include "inside.h"

#include <sys/syscall.h>

#include "hardened/canary.h"
#include "heap/pool_superslabs.h"
#include "heap/shared_pool.h"
#include "heap/tiny_slabs.h"
#include "os/os.h"

#if TINY_CHECKS >= TINY_CHECKS_FULL

// ---- the system

typedef enum answer { MOVES, NOT_PERMITTED, UNKNOWN_FLAG, TARGET_LOST } answer_t;
static answer_t answer;
static unsigned calls;
static void *lost;
static size_t lost_bytes;

// Another thread maps the addresses that the kernel has unmapped before it fails.
static void *lose(void *target, size_t size)
{
    lost = mmap(target, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    memset(lost, 7, size);
    lost_bytes = size;
    errno = ENOMEM;
    return MAP_FAILED;
}

__attribute__((visibility("default"))) void *mremap(void *start, size_t old_size, size_t size, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    void *target = (flags & MREMAP_FIXED) != 0 ? va_arg(arguments, void *) : NULL;
    va_end(arguments);
    calls++;
    if (answer == TARGET_LOST) return lose(target, size);
    if (answer == MOVES) return (void *)syscall(SYS_mremap, start, old_size, size, flags, target);
    errno = answer == NOT_PERMITTED ? EPERM : EINVAL;
    return MAP_FAILED;
}

static bool is_accessible(const char *address)
{
    int ends[2];
    T_CHECK(pipe(ends) == 0, "pipe: %s", strerror(errno));
    bool accessible = syscall(SYS_write, ends[1], address, 1) == 1;
    close(ends[0]);
    close(ends[1]);
    return accessible;
}

// ---- slabs

enum { BYTES_A_PHASE = 16 << 20, SLABS_MOST = 256 };

typedef struct phase {
    size_t class;
    unsigned pages; // of each slab
    unsigned count;
    char *slab[SLABS_MOST];
} phase_t;

static size_t bytes_of(const phase_t *phase)
{
    return phase->pages * HAK_PAGE - canary_slab_guard();
}

// Takes slabs, and checks that none holds what another class has written.
static void take_some(phase_t *phase, size_t class, unsigned count)
{
    *phase = (phase_t){.class = class, .pages = tiny_slab_pages_for(class)};
    for (; phase->count < count; phase->count++) {
        char *slab = shared_pool_take(phase->pages, class, false);
        T_CHECK(slab != NULL, "no slab of class %zu", class);
        for (size_t i = 0; i < bytes_of(phase); i += 8)
            T_CHECK(slab[i] == 0 || slab[i] == (char)class, "slab %p holds contents of another class",
                    (void *)slab);
        T_CHECK(!is_accessible(slab + bytes_of(phase)), "slab %p has no guard", (void *)slab);
        memset(slab, (int)class, bytes_of(phase));
        phase->slab[phase->count] = slab;
    }
}

static void take(phase_t *phase, size_t class)
{
    take_some(phase, class, BYTES_A_PHASE / (tiny_slab_pages_for(class) * (unsigned)HAK_PAGE));
}

// Gives the last slabs until `left` are left.
static void give_down_to(phase_t *phase, unsigned left)
{
    while (phase->count > left) {
        const char *slab = phase->slab[--phase->count];
        T_CHECK(slab[0] == (char)phase->class && slab[bytes_of(phase) - 1] == (char)phase->class,
                "slab %u of class %zu has changed", phase->count, phase->class);
        shared_pool_give(phase->slab[phase->count], phase->pages);
    }
}

static void give(phase_t *phase)
{
    give_down_to(phase, 0);
}

// Of the slabs that were taken last.
static unsigned count_accessible(const phase_t *phase)
{
    unsigned count = 0;
    for (unsigned i = 0; i < SLABS_MOST && phase->slab[i] != NULL; i++)
        for (unsigned j = 0; j < phase->pages; j++) count += is_accessible(phase->slab[i] + j * HAK_PAGE);
    return count;
}

static size_t next_class_with(unsigned pages, size_t class)
{
    while (class < TINY_CLASSES && tiny_slab_pages_for(class) != pages) class++;
    T_CHECK(class < TINY_CLASSES, "no class has slabs of %u pages", pages);
    return class;
}

static void run_in_child(void (*run)(void))
{
    pid_t child = fork();
    if (child == 0) {
        run();
        _exit(0);
    }
    T_CHECK_CHILD(child);
}

// ---- cases

static phase_t first, second;
enum { PAGES_A_PHASE = BYTES_A_PHASE / HAK_PAGE, SLACK_PAGES = PAGES_A_PHASE / 8 + 1, GIVEN_PAGES = 15 };

static void check_total(void)
{
    shared_pool_usage_t usage = shared_pool_usage();
    T_CHECK(usage.pages_used + usage.dirty_pages <= PAGES_A_PHASE + SLACK_PAGES,
            "%zu pages are in use, %zu hold memory", usage.pages_used, usage.dirty_pages);
}

// The memory of the first phase serves the second one.
static void use_two_phases(size_t class, size_t next)
{
    take(&first, class);
    give(&first);
    unsigned before = calls;
    take(&second, next);
    check_total();
    unsigned moved = (calls - before) * (unsigned)(answer == MOVES);
    T_CHECK(answer != MOVES || moved >= second.count - SLACK_PAGES,
            "only %u of %u slabs got memory that was there", moved, second.count);
    unsigned kept = (unsigned)shared_pool_usage().dirty_pages;
    T_CHECK(count_accessible(&first) <= kept + GIVEN_PAGES,
            "%u pages of the first phase are accessible, %u kept", count_accessible(&first), kept);
}

static void end_of_two_phases(void)
{
    give(&second);
    shared_pool_return(SIZE_MAX, os_clock_ms(), 0);
    T_CHECK(count_accessible(&first) + count_accessible(&second) == 0, "pages without memory are accessible");
    T_CHECK(hak_pool.guards == 0 && hak_pool.seams == 0, "%u guards and %u seams are counted",
            hak_pool.guards, hak_pool.seams);
}

static void slabs_of_one_page(void)
{
    size_t class = next_class_with(1, 0);
    use_two_phases(class, next_class_with(1, class + 1));
    end_of_two_phases();
}

static void longer_slabs(void)
{
    size_t one = next_class_with(1, 0), two = next_class_with(2, 0), four = next_class_with(4, 0);
    use_two_phases(one, two);
    end_of_two_phases();
    use_two_phases(four, one);
    end_of_two_phases();
    use_two_phases(two, four);
    end_of_two_phases();
}

// The slabs of three classes take their memory from each other again and again.
static void phases_in_turn(void)
{
    size_t classes[] = {next_class_with(1, 0), next_class_with(2, 0), next_class_with(4, 0)};
    for (int i = 0; i < 12; i++) {
        take(&first, classes[i % 3]);
        check_total();
        give(&first);
    }
    take(&second, classes[0]);
    end_of_two_phases();
}

// A class takes pages that have just given their memory, or lie beside such, and gets memory of the other class for them.
static void pages_that_gave_memory(void)
{
    size_t class = next_class_with(1, 0), other = next_class_with(1, class + 1);
    enum { PAGES = 64, ROUNDS = 100 };
    take_some(&first, class, PAGES);
    give(&first);
    for (unsigned i = 0; i < ROUNDS; i++) {
        take_some(&second, other, PAGES / 2 + i % 8);
        give_down_to(&second, PAGES / 4);
        take_some(&first, class, PAGES - PAGES / 8);
        give(&first);
        give(&second);
    }
    end_of_two_phases();
}

// Slabs of some classes at a time are taken and given in any order; each keeps its contents meanwhile.
static void slabs_of_many_classes(void)
{
    enum { SLABS = 150, STEPS = 4000, STEPS_A_MIX = 100 };
    static struct {
        char *start;
        unsigned pages;
    } slabs[SLABS];
    uint64_t random = 5;
    size_t mix = 0;
    for (int step = 0; step < STEPS; step++) {
        if (step % STEPS_A_MIX == 0) mix = T_random(&random);
        size_t i = T_random(&random) % SLABS, class = (mix + T_random(&random) % 4) % TINY_CLASSES;
        for (unsigned j = 0; j < slabs[i].pages; j++) {
            const char *page = slabs[i].start + j * HAK_PAGE;
            T_CHECK(page[0] == (char)i && page[HAK_PAGE / 2] == (char)i, "page %u of slab %zu has changed", j,
                    i);
        }
        if (slabs[i].pages > 0) shared_pool_give(slabs[i].start, slabs[i].pages);
        slabs[i].pages = tiny_slab_pages_for(class);
        slabs[i].start = shared_pool_take(slabs[i].pages, class, false);
        T_CHECK(slabs[i].start != NULL, "no slab of class %zu", class);
        memset(slabs[i].start, (int)i, slabs[i].pages * HAK_PAGE - canary_slab_guard());
    }
    T_CHECK(calls > STEPS / 40, "only %u moves", calls);
}

// One attempt shows that no memory moves.
static void one_attempt(answer_t refusal)
{
    answer = refusal;
    size_t class = next_class_with(1, 0);
    use_two_phases(class, next_class_with(1, class + 1));
    T_CHECK(calls == 1, "%u attempts", calls);
    end_of_two_phases();
}

static void a_move_that_is_not_permitted(void)
{
    one_attempt(NOT_PERMITTED);
}

static void an_old_kernel(void)
{
    one_attempt(UNKNOWN_FLAG);
}

static void a_lost_target(void)
{
    answer = TARGET_LOST;
    size_t class = next_class_with(1, 0);
    take(&first, class);
    give(&first);
    take(&second, next_class_with(1, class + 1));
    T_CHECK(calls == 1 && lost != NULL, "%u attempts", calls);
    for (unsigned i = 0; i < second.count; i++)
        T_CHECK(second.slab[i] != lost, "addresses were used that belong to another mapping");
    give(&second);
    shared_pool_return(SIZE_MAX, os_clock_ms(), 0);
    for (size_t i = 0; i < lost_bytes; i++) T_CHECK(((char *)lost)[i] == 7, "another's mapping was changed");
}

static void free_memory_moves_to_other_classes(void)
{
    run_in_child(slabs_of_one_page);
    run_in_child(longer_slabs);
    run_in_child(phases_in_turn);
    run_in_child(pages_that_gave_memory);
    run_in_child(slabs_of_many_classes);
}

static void without_moves_memory_is_returned_and_mapped(void)
{
    run_in_child(a_move_that_is_not_permitted);
    run_in_child(an_old_kernel);
}

static void addresses_that_may_be_in_use_are_left_alone(void)
{
    run_in_child(a_lost_target);
}

#endif

int main(void)
{
#if TINY_CHECKS >= TINY_CHECKS_FULL
    if (canary_slab_guard() == 0) {
        puts("pages of the MMU are too large for guards, without which nothing moves");
        return 77;
    }
    T_RUN(free_memory_moves_to_other_classes);
    T_RUN(without_moves_memory_is_returned_and_mapped);
    T_RUN(addresses_that_may_be_in_use_are_left_alone);
#endif
    return 0;
}
