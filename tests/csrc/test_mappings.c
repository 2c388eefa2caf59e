// The process has used up its mappings (vm.max_map_count): by holes between large blocks, or by mappings of its own.
//
// Blocks that the library frees there leave mappings to the program: requests of every size succeed, and threads start.
// Where the program itself has taken the last mapping, requests that need one are refused, and later ones succeed.

#include "test.h"

// With guards, an area is three mappings, but at most 8,000 areas have guards.
enum { LEFT = T_CHECKS >= 2 ? 27000 : 3000, MOST_BLOCKS = T_CHECKS >= 2 ? 20000 : 10000 };
enum { LARGE = 1200000, SMALL = 300, SMALL_BLOCKS = 20000, ROUNDS = T_CHECKS >= 2 ? 1 : 2 };

static size_t page;

static long most_mappings(void)
{
    char text[32] = "";
    int file = open("/proc/sys/vm/max_map_count", O_RDONLY | O_CLOEXEC);
    if (file < 0 || read(file, text, sizeof text - 1) <= 0) T_not_run("vm.max_map_count cannot be read");
    close(file);
    return strtol(text, NULL, 10);
}

// Every second page is writable, so each page is a mapping. Returns false when no more can be had.
static bool take_a_mapping(char *area, long index)
{
    return mprotect(area + (size_t)index * 2 * page, page, PROT_READ | PROT_WRITE) == 0;
}

static char *reserve(long mappings)
{
    void *area =
        mmap(NULL, (size_t)mappings * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    T_CHECK(area != MAP_FAILED, "no addresses: %s", strerror(errno));
    return area;
}

static void leave_mappings(long most, long left)
{
    char *area = reserve(most);
    for (long i = 0; i < (most - left) / 2; i++)
        T_CHECK(take_a_mapping(area, i), "mapping %ld: %s", 2 * i, strerror(errno));
}

static void use_small_blocks(void)
{
    static unsigned char *blocks[SMALL_BLOCKS];
    for (size_t i = 0; i < SMALL_BLOCKS; i++) {
        blocks[i] = T_must_malloc(SMALL);
        T_fill(blocks[i], SMALL, i);
    }
    for (size_t i = 0; i < SMALL_BLOCKS; i++) {
        T_CHECK_PATTERN(blocks[i], SMALL, i);
        T_free(blocks[i]);
    }
}

static void *use_in_thread(void *unused)
{
    T_free(T_must_malloc(SMALL));
    return unused;
}

// Each kind of request, in a process whose blocks have made holes. Areas with guards are
// unmapped even then, so holes between those without guards can use up the mappings: a large request may be refused.
static void use_everything(bool may_be_refused)
{
    use_small_blocks();
    T_join(T_thread(use_in_thread, NULL));
    for (size_t size = 5000; size < 5 * LARGE; size *= 2) {
        unsigned char *block = T_calloc(1, size);
        if (block == NULL && may_be_refused && T_CHECKS >= 2) continue;
        T_CHECK(block != NULL, "no block of %zu bytes", size);
        T_CHECK(T_is_zero(block, size), "calloc of %zu bytes is not zero", size);
        memset(block, 1, size);
        T_free(block);
    }
}

static unsigned char *blocks[MOST_BLOCKS];

// The first and the last byte tell whether a block is still whole.
static size_t fill_with_large_blocks(void)
{
    size_t count = 0;
    for (; count < MOST_BLOCKS && (blocks[count] = T_malloc(LARGE)) != NULL; count++)
        blocks[count][0] = blocks[count][LARGE - 1] = (unsigned char)count;
    T_CHECK(count == MOST_BLOCKS, "only %zu blocks of %d bytes", count, LARGE);
    return count;
}

static void free_from(size_t first, size_t step, size_t count)
{
    for (size_t i = first; i < count; i += step) {
        T_CHECK(blocks[i][0] == (unsigned char)i && blocks[i][LARGE - 1] == (unsigned char)i,
                "the contents of block %zu are lost", i);
        T_free(blocks[i]);
    }
}

static void holes_between_large_blocks(void)
{
    leave_mappings(most_mappings(), LEFT);
    for (int round = 0; round < ROUNDS; round++) {
        size_t count = fill_with_large_blocks();
        free_from(0, 2, count);
        T_malloc_trim(0);
        use_everything(true);
        free_from(1, 2, count);
        T_malloc_trim(0);
        use_everything(false);
    }
    size_t kept = T_resident_kib();
    T_CHECK(kept < 200 << 10, "%zu KiB are kept", kept);
}

static void the_program_has_the_last_mapping(void)
{
    long most = most_mappings(), taken = 0;
    char *area = reserve(2 * most);
    T_free(T_must_malloc(SMALL));
    while (take_a_mapping(area, taken)) taken++;
    while (mmap(NULL, page, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0) != MAP_FAILED) continue;
    for (size_t size = 16; size < 4 * LARGE; size += size / 2) {
        unsigned char *block = T_malloc(size);
        if (block != NULL) memset(block, 1, size);
        else T_CHECK(errno == ENOMEM, "errno is %d", errno);
        T_free(block);
    }
    T_CHECK(munmap(area, (size_t)most * page) == 0, "munmap: %s", strerror(errno));
    use_everything(false);
}

static void in_a_child(void (*act)(void))
{
    pid_t child = fork();
    T_CHECK(child >= 0, "no child: %s", strerror(errno));
    if (child == 0) {
        act();
        _exit(0);
    }
    T_CHECK_CHILD(child);
}

static void holes_leave_mappings_to_the_program(void)
{
    in_a_child(holes_between_large_blocks);
}

static void later_requests_succeed(void)
{
    in_a_child(the_program_has_the_last_mapping);
}

int main(void)
{
    page = (size_t)sysconf(_SC_PAGESIZE);
    if (T_SANITIZER) T_not_run("a sanitizer's runtime needs mappings of its own");
    if (most_mappings() > 300000) T_not_run("vm.max_map_count is too large to be used up in a test");
    T_RUN(holes_leave_mappings_to_the_program);
    T_RUN(later_requests_succeed);
    return 0;
}
