// A process that has locked all its present and future memory, under a small limit: each mapping then counts as a
// whole. Memory that still fits can be allocated in small steps.

#include "test.h"

#include <sys/resource.h>

enum { LIMIT = 8 << 20, OVERFLOW_UID = 65534, SMALL_BLOCKS = 8192 };

// Runs as an unprivileged user: a privileged process may lock any amount.
static void limit_locked_memory(void)
{
    struct rlimit most = {LIMIT, LIMIT};
    T_CHECK(setrlimit(RLIMIT_MEMLOCK, &most) == 0, "setrlimit: %s", strerror(errno));
    if (geteuid() == 0) T_CHECK(setuid(OVERFLOW_UID) == 0, "setuid: %s", strerror(errno));
}

// Maps pages until no more can be locked, then unmaps that many bytes.
static void leave_room(size_t bytes)
{
    enum { PIECE = 64 << 10, MOST = 2 * LIMIT / PIECE };
    static char *pieces[MOST];
    size_t count = 0;
    while (count < MOST && (pieces[count] = mmap(NULL, PIECE, PROT_READ | PROT_WRITE,
                                                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) != (char *)MAP_FAILED)
        count++;
    for (size_t freed = 0; freed < bytes && count > 0; freed += PIECE) munmap(pieces[--count], PIECE);
}

static void use_small_blocks(void)
{
    static void *blocks[SMALL_BLOCKS];
    for (size_t i = 0; i < SMALL_BLOCKS; i++) {
        size_t size = 16 + i % 15 * 16;
        blocks[i] = T_must_malloc(size);
        T_fill(blocks[i], size, i);
    }
    for (size_t i = 0; i < SMALL_BLOCKS; i++) {
        T_CHECK_PATTERN(blocks[i], 16 + i % 15 * 16, i);
        T_free(blocks[i]);
    }
}

static void use_larger_ones(void)
{
    for (size_t size = 1000; size <= (200 << 10); size *= 2) {
        void *block = T_must_malloc(size);
        T_fill(block, size, 1);
        T_CHECK_PATTERN(block, size, 1);
        T_free(block);
    }
}

static void use_what_fits(void)
{
    leave_room(5 << 20);
    use_small_blocks();
    use_larger_ones();
    T_malloc_trim(0);
    use_small_blocks();
}

static void what_fits_under_the_limit_can_be_had(void)
{
    pid_t child = fork();
    T_CHECK(child >= 0, "no child: %s", strerror(errno));
    if (child == 0) {
        limit_locked_memory();
        if (mlockall(MCL_FUTURE) != 0) T_not_run("memory cannot be locked here");
        use_what_fits();
        _exit(0);
    }
    int status;
    T_CHECK(waitpid(child, &status, 0) == child, "waitpid: %s", strerror(errno));
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) _exit(77);
    T_CHECK(status == 0, "the child ended with %#x", (unsigned)status);
}

// Of this program, with the runtime of a sanitizer if that is linked into it: 3 MiB with zig's UBSan.
static bool has_many_variables(void)
{
    extern char __bss_start[], _end[];
    return _end - __bss_start > 1 << 20;
}

static int refusal; // errno of the lock of everything, 0: it was granted

// Called before anything allocates, and without a child: with a heap, more is mapped than may be locked.
static void lock_everything(void)
{
    refusal = ENOMEM;
    if (has_many_variables()) return; // they take what the small blocks would need
    limit_locked_memory();
    refusal = mlockall(MCL_CURRENT | MCL_FUTURE) == 0 ? 0 : errno;
}

static void small_blocks_fit_beside_what_is_already_mapped(void)
{
    if (refusal != 0) {
        dprintf(STDOUT_FILENO, "    not run: nothing could be locked: %s\n", strerror(refusal));
        return;
    }
    use_small_blocks();
    munlockall();
}

int main(void)
{
    if (T_SANITIZER) T_not_run("a sanitizer's shadow memory cannot be locked");
    lock_everything();
    T_RUN(small_blocks_fit_beside_what_is_already_mapped);
    T_RUN(what_fits_under_the_limit_can_be_had);
    return 0;
}
