// Misuse: what each level of `checks` detects, and when. Each case runs in its own child and is judged by how the child
// ends.
//
// The output has one line for each case and size, which docs/hardening.md shows as a table:
//
//   misuse: <case> | <size> | <what became of it>
//
// With OBSERVE_ONLY set, and another library preloaded, it prints what that library does with the same cases.
//
// The test asserts what a level promises: the line on stderr, and the time of detection. A misuse that a level does not
// detect must not be reported as another one.

#include "misuse/observed.h"

// A small block has 128 bytes of memory in every class table, with a canary or without.
enum { SMALL = 120, MEDIUM = 100000, LARGE = (3 << 20) - 100, STRIDE = 128, OS_PAGE_SIZE = 4096 };

// ---- what a child does

static void *make(size_t size)
{
    char *block = T_must_malloc(size);
    memset(block, 'x', size);
    return block;
}

// The block before it is in use, too.
static unsigned char *make_second(size_t size)
{
    make(size);
    return make(size);
}

static void *free_in_thread(void *block)
{
    T_free(block);
    return NULL;
}

static void free_elsewhere(void *block)
{
    T_join(T_thread(free_in_thread, block));
}

static void double_free_at_once(size_t size)
{
    void *block = make(size);
    T_free(block);
    T_free(block);
}

static void double_free_after_others(size_t size)
{
    void *block = make(size), *others[20];
    for (int i = 0; i < 20; i++) others[i] = make(size);
    T_free(block);
    for (int i = 0; i < 20; i++) T_free(others[i]);
    T_free(block);
}

static void double_free_interleaved(size_t size)
{
    void *first = make(size), *second = make(size);
    T_free(first);
    T_free(second);
    void *other = make(size / 2);
    T_free(first);
    T_free(other);
}

// The block is returned to its slab, and comes back to the caches together with another one.
static void double_free_after_trim(size_t size)
{
    enum { OTHERS = 40 };
    void *blocks[OTHERS];
    make(size); // keeps the slab in use
    for (int i = 0; i < OTHERS; i++) blocks[i] = make(size);
    for (int i = 0; i < OTHERS; i++) T_free(blocks[i]);
    T_malloc_trim(0);
    void *again = make(size);
    T_free(blocks[0] != again ? blocks[0] : blocks[1]);
}

// More blocks than any cache holds.
static void double_free_after_many_others(size_t size)
{
    enum { OTHERS = 4000 };
    void **blocks = T_pages(OTHERS * sizeof *blocks);
    for (int i = 0; i < OTHERS; i++) blocks[i] = make(size);
    for (int i = 0; i < OTHERS; i++) T_free(blocks[i]);
    T_free(blocks[10]);
}

// The block may have a new owner by the second free; then the new owner's own free detects it.
static void double_free_after_reuse(size_t size)
{
    void *block = make(size);
    T_free(block);
    void *again = make(size);
    T_free(block);
    misuse_is_done();
    T_free(again);
}

static void double_free_by_another_thread(size_t size)
{
    void *block = make(size);
    T_free(block);
    free_elsewhere(block);
    misuse_is_done();
    T_malloc_trim(0);
}

static void double_free_after_another_thread(size_t size)
{
    void *block = make(size);
    free_elsewhere(block);
    T_free(block);
    misuse_is_done();
    T_malloc_trim(0);
}

static void free_on_the_stack(size_t size)
{
    (void)size;
    _Alignas(64) char local[256];
    memset(local, 0, sizeof local);
    T_free(local + 64);
}

static void free_of_static_data(size_t size)
{
    (void)size;
    static _Alignas(64) char data[256];
    T_free(data + 64);
}

static void free_of_no_memory(size_t size)
{
    (void)size;
    T_free((void *)(uintptr_t)0x123450);
}

static void free_of_no_address(size_t size)
{
    (void)size;
    T_free((void *)~(uintptr_t)0xff);
}

static void free_in_another_mapping(size_t size)
{
    T_free((char *)T_pages(size) + 256);
}

static void free_inside(size_t size)
{
    char *block = make(size);
    T_free(block + 48);
    misuse_is_done();
    T_malloc_trim(0);
}

static void free_far_inside(size_t size)
{
    char *block = make(size);
    T_free(block + (size / 2 & ~(size_t)15));
    misuse_is_done();
    T_malloc_trim(0);
}

static void free_misaligned(size_t size)
{
    char *block = make(size);
    T_free(block + 1);
}

// Memory of the right class, in the same slab, where no block is allocated.
static void free_of_what_was_never_out(size_t size)
{
    char *block = make(size);
    bool high = ((uintptr_t)block & 0xffff) > 0x8000;
    T_free(high ? block - 100 * STRIDE : block + 100 * STRIDE);
    misuse_is_done();
    T_malloc_trim(0);
}

// The part of a slab before its first block; its size depends on the slab's colour.
static void free_of_a_slabs_rest(size_t size)
{
    enum { SLAB = 1 << 16, BLOCKS = 40 * SLAB / STRIDE };
    char *first[BLOCKS] = {NULL}; // by slab
    int slabs = 0;
    for (int i = 0; i < BLOCKS; i++) {
        char *block = make(size);
        int slab = 0;
        while (slab < slabs && (((uintptr_t)first[slab] ^ (uintptr_t)block) & -SLAB) != 0) slab++;
        if (slab == slabs) first[slabs++] = block;
        if (first[slab] > block) first[slab] = block;
    }
    for (int slab = 0; slab < slabs; slab++) {
        if ((uintptr_t)first[slab] % SLAB < STRIDE) continue;
        T_free(first[slab] - STRIDE);
        misuse_is_done();
        T_malloc_trim(0);
        return;
    }
    T_CHECK(false, "no slab of %d has a rest", slabs);
}

static void realloc_after_free(size_t size)
{
    void *block = make(size);
    T_free(block);
    T_realloc(block, size - 1);
}

static void realloc_inside(size_t size)
{
    char *block = make(size);
    T_realloc(block + 48, size - 1);
}

static void free_with_a_smaller_size(size_t size)
{
    must_offer("free_sized");
    T_free_sized(make(size), size - 1);
}

static void overflow_by_1(size_t size)
{
    unsigned char *block = make_second(size);
    flip(T_hidden(block + size), 1);
    T_free(block);
}

static void overflow_by_a_strings_end(size_t size)
{
    unsigned char *block = make_second(size);
    *(unsigned char *)T_hidden(block + size) = '\0';
    T_free(block);
}

static void overflow_by_32(size_t size)
{
    unsigned char *block = make_second(size);
    flip(T_hidden(block + size), 32);
    T_free(block);
}

static void overflow_by_a_page(size_t size)
{
    unsigned char *block = make_second(size);
    flip(T_hidden(block + size), OS_PAGE_SIZE);
}

static void overflow_seen_by_realloc(size_t size)
{
    unsigned char *block = make_second(size);
    flip(T_hidden(block + size), 1);
    T_realloc(block, size + 1);
}

static void underflow_by_1(size_t size)
{
    unsigned char *block = make_second(size);
    flip(T_hidden(block - 1), 1);
    T_free(block);
}

static void underflow_by_32(size_t size)
{
    unsigned char *block = make_second(size);
    flip(T_hidden(block - 32), 32);
    T_free(block);
}

static void write_after_free(size_t size)
{
    unsigned char *block = make(size);
    T_free(block);
    flip(T_hidden(block + size / 2), 1);
    misuse_is_done();
    T_malloc_trim(0);
}

static void write_after_free_at_the_start(size_t size)
{
    unsigned char *block = make(size);
    T_free(block);
    flip(T_hidden(block), 8);
    misuse_is_done();
    if (T_CHECKS >= 2) T_malloc_trim(0); // with lower levels, any end is possible
}

// Blocks freed since have pushed it out of the quarantine; or, if it is still there, it is found by the trim.
static void write_long_after_free(size_t size)
{
    enum { OTHERS = 4000, MOST_BYTES = 6 << 20 };
    size_t count = MOST_BYTES / size < OTHERS ? MOST_BYTES / size : OTHERS;
    unsigned char *block = make(size), **others = T_pages(OTHERS * sizeof *others);
    for (size_t i = 0; i < count; i++) others[i] = make(size);
    T_free(block);
    for (size_t i = 0; i < count; i++) T_free(others[i]);
    flip(T_hidden(block + size / 2), 1);
    misuse_is_done();
    for (size_t i = 0; i < 2 * count; i++) T_must_malloc(size);
    if (T_CHECKS >= 2) T_malloc_trim(0);
}

// Nothing is allocated or freed any more; the program returns from main.
static void write_after_last_free(size_t size)
{
    unsigned char *block = make(size);
    T_free(block);
    flip(T_hidden(block + size / 2), 1);
    misuse_is_done();
    exit(0);
}

static void write_to_no_bytes(size_t size)
{
    (void)size;
    make(SMALL);
    unsigned char *block = make(0);
    flip(T_hidden(block), 1);
    T_free(block);
}

static void size_of_a_freed_block(size_t size)
{
    void *block = make(size);
    T_free(block);
    (void)T_usable_size(block);
}

static void size_of_no_block(size_t size)
{
    (void)T_usable_size((char *)T_pages(size) + 256);
}

// The wrong size in delete of an over-aligned type arrives here.
static void free_aligned_with_a_smaller_size(size_t size)
{
    must_offer("free_aligned_sized");
    void *block = T_aligned_alloc(64, size + 8);
    T_CHECK(block != NULL, "no block of %zu bytes", size);
    T_free_aligned_sized(block, 64, size - 1);
}

// ---- the expected end

// How the child ends, and when. `line` is contained in the line on stderr.
typedef enum fate {
    UNNOTICED,
    AT_ONCE, // the free, or the realloc, ends the process
    LATER, // a later call ends the process
    NO_TOUCH, // the write itself fails with SIGSEGV
    BY_CHANCE, // unnoticed, a correct line, or SIGSEGV, depending on neighbouring memory
} fate_t;

typedef struct verdict {
    fate_t fate;
    const char *line;
} verdict_t;

#define NOT {UNNOTICED, NULL}
#define CHANCE(line) {BY_CHANCE, line}
#define GUARD {NO_TOUCH, NULL}
#define NOW(line) {AT_ONCE, line}
#define THEN(line) {LATER, line}

#define DOUBLE "double free"
#define NO_BLOCK "free of a pointer that is no block"
#define INSIDE "free of a pointer into a block"
#define DOUBLE_OR_INSIDE "double free, or free of a pointer into a block"
#define NO_REALLOC "realloc of a pointer that is no block"
#define NO_SIZE "size asked of a pointer"
#define OVER "overflow"
#define UNDER "underflow"
#define WRITTEN "use after free"

// `of` is indexed by level: none, basic, full.
typedef struct expectation {
    const char *size_name;
    size_t size;
    verdict_t of[3];
} expectation_t;

typedef struct misuse {
    const char *name;
    void (*act)(size_t size);
    expectation_t expect[3]; // by size; fewer if the sizes do not differ
} misuse_t;

#define SMALL_(none, basic, full) \
    { \
        "small", SMALL, \
        { \
            none, basic, full \
        } \
    }
#define MEDIUM_(none, basic, full) \
    { \
        "medium", MEDIUM, \
        { \
            none, basic, full \
        } \
    }
#define LARGE_(none, basic, full) \
    { \
        "large", LARGE, \
        { \
            none, basic, full \
        } \
    }
#define ANY_(none, basic, full) \
    { \
        "any", MEDIUM, \
        { \
            none, basic, full \
        } \
    }

// clang-format off
static const misuse_t misuses[] = {
    {"double free, at once", double_free_at_once, {
        SMALL_(NOT, NOW(DOUBLE), NOW(DOUBLE)),
        MEDIUM_(NOW(DOUBLE_OR_INSIDE), NOW(DOUBLE_OR_INSIDE), NOW(DOUBLE)),
        LARGE_(NOW(NO_BLOCK), NOW(NO_BLOCK), NOW(DOUBLE))}},
    {"double free, after other frees", double_free_after_others, {
        SMALL_(NOT, NOW(DOUBLE), NOW(DOUBLE)),
        MEDIUM_(NOW(DOUBLE_OR_INSIDE), NOW(DOUBLE_OR_INSIDE), NOW(DOUBLE)),
        LARGE_(NOW(NO_BLOCK), NOW(NO_BLOCK), NOW(DOUBLE))}},
    {"double free, interleaved with another block's", double_free_interleaved, {
        SMALL_(NOT, NOW(DOUBLE), NOW(DOUBLE)),
        MEDIUM_(NOW(DOUBLE_OR_INSIDE), NOW(DOUBLE_OR_INSIDE), NOW(DOUBLE)),
        LARGE_(NOW(NO_BLOCK), NOW(NO_BLOCK), NOW(DOUBLE))}},
    {"double free, after malloc_trim", double_free_after_trim, {
        SMALL_(NOT, NOW(DOUBLE), NOW(DOUBLE)),
        MEDIUM_(NOW(DOUBLE_OR_INSIDE), NOW(DOUBLE_OR_INSIDE), NOW(DOUBLE)),
        LARGE_(NOW(NO_BLOCK), NOW(NO_BLOCK), NOW(NO_BLOCK))}},
    {"double free, after more frees than a cache holds", double_free_after_many_others, {
        SMALL_(NOT, NOW(DOUBLE), NOW(DOUBLE))}},
    {"double free, the block allocated again in between", double_free_after_reuse, {
        SMALL_(NOT, THEN(DOUBLE), NOW(DOUBLE)),
        MEDIUM_(THEN(DOUBLE_OR_INSIDE), THEN(DOUBLE_OR_INSIDE), NOW(DOUBLE)),
        LARGE_(THEN(NO_BLOCK), THEN(NO_BLOCK), NOW(DOUBLE))}},
    {"double free, the second by another thread", double_free_by_another_thread, {
        SMALL_(THEN(DOUBLE), THEN(DOUBLE), NOW(DOUBLE)),
        MEDIUM_(NOW(DOUBLE_OR_INSIDE), NOW(DOUBLE_OR_INSIDE), NOW(DOUBLE)),
        LARGE_(NOW(NO_BLOCK), NOW(NO_BLOCK), NOW(DOUBLE))}},
    {"double free, the first by another thread", double_free_after_another_thread, {
        SMALL_(CHANCE(DOUBLE), THEN(DOUBLE), NOW(DOUBLE)),
        MEDIUM_(NOW(DOUBLE_OR_INSIDE), NOW(DOUBLE_OR_INSIDE), NOW(DOUBLE)),
        LARGE_(NOW(NO_BLOCK), NOW(NO_BLOCK), NOW(DOUBLE))}},
    {"free on the stack", free_on_the_stack, {ANY_(NOW(NO_BLOCK), NOW(NO_BLOCK), NOW(NO_BLOCK))}},
    {"free of static data", free_of_static_data, {ANY_(NOW(NO_BLOCK), NOW(NO_BLOCK), NOW(NO_BLOCK))}},
    {"free of an address without memory", free_of_no_memory, {ANY_(NOW(NO_BLOCK), NOW(NO_BLOCK), NOW(NO_BLOCK))}},
    {"free of an impossible address", free_of_no_address, {ANY_(NOW(NO_BLOCK), NOW(NO_BLOCK), NOW(NO_BLOCK))}},
    {"free in another mapping", free_in_another_mapping, {ANY_(NOW(NO_BLOCK), NOW(NO_BLOCK), NOW(NO_BLOCK))}},
    {"free of a pointer into a block", free_inside, {
        SMALL_(THEN(INSIDE), THEN(INSIDE), NOW(INSIDE)),
        MEDIUM_(NOW(INSIDE), NOW(INSIDE), NOW(INSIDE)),
        LARGE_(NOW(INSIDE), NOW(INSIDE), NOW(INSIDE))}},
    {"free of a pointer far into a block", free_far_inside, {
        MEDIUM_(NOW(INSIDE), NOW(INSIDE), NOW(INSIDE)),
        LARGE_(NOW(NO_BLOCK), NOW(NO_BLOCK), NOW(NO_BLOCK))}},
    {"free of a misaligned pointer", free_misaligned, {
        SMALL_(NOT, NOW(INSIDE), NOW(INSIDE)),
        MEDIUM_(NOW(INSIDE), NOW(INSIDE), NOW(INSIDE)),
        LARGE_(NOW(INSIDE), NOW(INSIDE), NOW(INSIDE))}},
    {"free of memory that was never allocated", free_of_what_was_never_out, {
        SMALL_(NOT, THEN(NO_BLOCK), NOW(NO_BLOCK))}},
    {"free of the unused space before a slab's first block", free_of_a_slabs_rest, {
        SMALL_(THEN(INSIDE), THEN(INSIDE), NOW(INSIDE))}},
    {"realloc of a freed block", realloc_after_free, {
        SMALL_(NOT, NOT, NOW(NO_REALLOC)),
        MEDIUM_(NOW(NO_REALLOC), NOW(NO_REALLOC), NOW(NO_REALLOC)),
        LARGE_(NOW(NO_REALLOC), NOW(NO_REALLOC), NOW(NO_REALLOC))}},
    {"realloc of a pointer into a block", realloc_inside, {
        SMALL_(NOT, NOW(NO_REALLOC), NOW(NO_REALLOC)),
        MEDIUM_(NOW(NO_REALLOC), NOW(NO_REALLOC), NOW(NO_REALLOC)),
        LARGE_(NOW(NO_REALLOC), NOW(NO_REALLOC), NOW(NO_REALLOC))}},
    {"free_sized with a smaller size", free_with_a_smaller_size, {
        SMALL_(NOT, NOT, NOW("free_sized")),
        MEDIUM_(NOT, NOT, NOW("free_sized")),
        LARGE_(NOT, NOT, NOW("free_sized"))}},
    {"overflow by 1 byte, then free", overflow_by_1, {
        SMALL_(NOT, NOT, NOW(OVER)), MEDIUM_(NOT, NOT, NOW(OVER)), LARGE_(NOT, NOT, NOW(OVER))}},
    {"overflow by a string's end, then free", overflow_by_a_strings_end, {
        SMALL_(NOT, NOT, NOW(OVER)), MEDIUM_(NOT, NOT, NOW(OVER)), LARGE_(NOT, NOT, NOW(OVER))}},
    {"overflow by 1 byte, then realloc", overflow_seen_by_realloc, {
        SMALL_(NOT, NOT, NOW(OVER)), MEDIUM_(NOT, NOT, NOW(OVER)), LARGE_(NOT, NOT, NOW(OVER))}},
    {"overflow by 32 bytes, then free", overflow_by_32, {
        SMALL_(NOT, NOT, NOW(OVER)), MEDIUM_(NOT, NOT, NOW(OVER)), LARGE_(NOT, NOT, NOW(OVER))}},
    {"overflow by a page", overflow_by_a_page, {
        LARGE_(CHANCE(OVER), CHANCE(OVER), GUARD)}},
    {"underflow by 1 byte, then free", underflow_by_1, {
        SMALL_(NOT, NOT, NOW(UNDER)), MEDIUM_(NOT, NOT, NOW(UNDER)), LARGE_(CHANCE(UNDER), CHANCE(UNDER), GUARD)}},
    {"underflow by 32 bytes, then free", underflow_by_32, {
        SMALL_(NOT, NOT, NOW(UNDER)), MEDIUM_(NOT, NOT, NOW(UNDER)), LARGE_(CHANCE(UNDER), CHANCE(UNDER), GUARD)}},
    {"write after free", write_after_free, {
        SMALL_(NOT, NOT, THEN(WRITTEN)), MEDIUM_(NOT, NOT, THEN(WRITTEN)), LARGE_(NOT, NOT, GUARD)}},
    {"write after free, at the block's start", write_after_free_at_the_start, {
        SMALL_(NOT, NOT, THEN(WRITTEN)), MEDIUM_(NOT, NOT, THEN(WRITTEN)), LARGE_(NOT, NOT, GUARD)}},
    {"write long after free", write_long_after_free, {
        SMALL_(NOT, NOT, THEN(WRITTEN)), MEDIUM_(NOT, NOT, THEN(WRITTEN))}},
    {"write after the last free, then exit", write_after_last_free, {
        SMALL_(NOT, NOT, THEN(WRITTEN)), MEDIUM_(NOT, NOT, THEN(WRITTEN)), LARGE_(NOT, NOT, GUARD)}},
    {"write to a block of 0 bytes, then free", write_to_no_bytes, {
        SMALL_(NOT, NOT, NOW(OVER))}},
    {"malloc_usable_size of a freed block", size_of_a_freed_block, {
        SMALL_(NOT, NOT, NOW(NO_SIZE)), MEDIUM_(NOW(NO_SIZE), NOW(NO_SIZE), NOW(NO_SIZE)),
        LARGE_(NOW(NO_SIZE), NOW(NO_SIZE), NOW(NO_SIZE))}},
    {"malloc_usable_size of a pointer that is no block", size_of_no_block, {
        ANY_(NOW(NO_SIZE), NOW(NO_SIZE), NOW(NO_SIZE))}},
    {"free_aligned_sized, or sized delete of an over-aligned type, with another size",
     free_aligned_with_a_smaller_size, {
        SMALL_(NOT, NOT, NOW("free_sized")), MEDIUM_(NOT, NOT, NOW("free_sized")),
        LARGE_(NOT, NOT, NOW("free_sized"))}},
};
// clang-format on

// ---- judging

static bool is_as_expected(const ending_t *ending, const verdict_t *verdict)
{
    switch (verdict->fate) {
    case UNNOTICED:
        return is_unnoticed(ending);
    case AT_ONCE:
        return printed_line(ending, verdict->line) && !ending->done;
    case LATER:
        return printed_line(ending, verdict->line) && ending->done;
    case NO_TOUCH:
        return is_refused(ending) && !ending->done;
    case BY_CHANCE:
        return is_unnoticed(ending) || is_refused(ending) || printed_line(ending, verdict->line);
    }
    return false;
}

static const char *fate_name(fate_t fate)
{
    static const char *const words[] = {
        [UNNOTICED] = "-",         [AT_ONCE] = "at once",     [LATER] = "later",
        [NO_TOUCH] = "guard page", [BY_CHANCE] = "by chance",
    };
    return words[fate];
}

static void judge(const misuse_t *misuse, const expectation_t *expectation)
{
    const verdict_t *verdict = &expectation->of[T_CHECKS];
    ending_t ending = try(misuse->act, expectation->size);
    T_CHECK(is_as_expected(&ending, verdict),
            "%s, %s: should be \"%s\" (%s), but ended with status %#x %s: %s", misuse->name,
            expectation->size_name, fate_name(verdict->fate), verdict->line ? verdict->line : "no line",
            (unsigned)ending.status, ending.done ? "later" : "at once", ending.errors);
    dprintf(STDOUT_FILENO, "misuse: %s | %s | %s\n", misuse->name, expectation->size_name,
            fate_name(verdict->fate));
}

// Prints what happens, without a judgement.
static void observe(const misuse_t *misuse, const expectation_t *expectation)
{
    dprintf(STDOUT_FILENO, "misuse: %s | %s | %s\n", misuse->name, expectation->size_name,
            observed(misuse->act, expectation->size));
}

static void with_each_misuse(void (*act)(const misuse_t *misuse, const expectation_t *expectation))
{
    for (size_t i = 0; i < sizeof misuses / sizeof misuses[0]; i++)
        for (int size = 0; size < 3 && misuses[i].expect[size].size > 0; size++)
            act(&misuses[i], &misuses[i].expect[size]);
}

static void each_misuse_is_judged(void)
{
    with_each_misuse(judge);
}

// ---- a SIGABRT handler

static void allocate_and_leave(int signal)
{
    (void)signal;
    void *block = T_malloc(MEDIUM), *tiny = T_malloc(SMALL);
    T_free(tiny);
    T_free(block);
    _exit(3);
}

static void free_with_a_handler(size_t size)
{
    signal(SIGABRT, allocate_and_leave);
    alarm(20); // in case the handler waits for a lock
    double_free_at_once(size);
}

static void a_handler_of_the_end_may_allocate(void)
{
    ending_t ending = try(free_with_a_handler, MEDIUM);
    T_CHECK(WIFEXITED(ending.status) && WEXITSTATUS(ending.status) == 3,
            "the handler did not come through: %#x %s", (unsigned)ending.status, ending.errors);
}

// ---- options of a variant that keep free blocks in further places

#define OPTION "HAKMEM_TINY_BG_SPILL"

static void with_the_options_it_is_the_same(void)
{
    pid_t child = fork();
    T_CHECK(child >= 0, "no child: %s", strerror(errno));
    if (child == 0) {
        int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
        dup2(nowhere, STDOUT_FILENO); // the table has been printed already
        setenv(OPTION, "1", 1);
        setenv("HAKMEM_TINY_HOTMAG", "1", 1);
        execl("/proc/self/exe", "test_misuse", (char *)NULL);
        _exit(9);
    }
    T_CHECK_CHILD(child);
}

// ---- an address that differs from a block's only above those that programs can have

static void *free_above(void *block)
{
    T_free(make(MEDIUM)); // the thread has a heap
    T_free((void *)((uintptr_t)block | (uintptr_t)1 << 50));
    _exit(0);
}

static void free_above_all_addresses(size_t size)
{
    T_join(T_thread(free_above, make(size)));
}

static void an_address_above_all_others_is_found_at_once(void)
{
    ending_t ending = try(free_above_all_addresses, SMALL);
    T_CHECK(WIFSIGNALED(ending.status) && WTERMSIG(ending.status) == SIGABRT &&
                strstr(ending.errors, NO_BLOCK) != NULL,
            "it ended with %#x and said: %s", (unsigned)ending.status, ending.errors);
}

int main(void)
{
    if (getenv("OBSERVE_ONLY") != NULL) {
        with_each_misuse(observe);
        return 0;
    }
    T_RUN(each_misuse_is_judged);
    T_RUN(a_handler_of_the_end_may_allocate);
    if (T_CHECKS >= 1) T_RUN(an_address_above_all_others_is_found_at_once);
    if (getenv(OPTION) == NULL) T_RUN(with_the_options_it_is_the_same);
    return 0;
}
