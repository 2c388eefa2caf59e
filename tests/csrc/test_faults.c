// Failing system calls: the n-th call of mmap, munmap, mremap, madvise or mprotect fails, for every n up to 200.
//
// usage: test_faults                       every plan, each in a process of its own
//        FAULTS='FIRST LAST' test_faults   one plan: these calls fail, counted from the process' start
//
// This program's own mmap and related functions precede the C library's, also for the linked allocator. The process
// runs a fixed load twice. In the first run, a request may be refused with ENOMEM only after an mmap for it has failed.
// Existing blocks stay unchanged; frees succeed and leave errno unchanged. If just one call fails, the same request
// succeeds when it is repeated. In the second run no call fails, and every request is served.

#include "test.h"

#include <spawn.h>
#include <sys/syscall.h>

enum { CALLS = 200, STRETCH = 40, MARKED = 256, STEP = T_SANITIZER ? 9 : 1, HELD = 6000 };

// ---- calls that fail

extern char **environ;

static atomic_uint calls, mmap_failures, failures;
static atomic_bool failing_is_over;
static unsigned first, last;

// The allocator makes calls before main, so the plan is read from the environment.
__attribute__((no_sanitize("address", "thread"))) static void read_plan(void)
{
    const char *plan = getenv("FAULTS");
    if (last != 0 || plan == NULL) return;
    char *end;
    first = (unsigned)strtoul(plan, &end, 10);
    last = (unsigned)strtoul(end, NULL, 10);
}

__attribute__((no_sanitize("address", "thread"))) static bool fails(int error)
{
    if (environ == NULL) return false; // too early for the allocator: a sanitizer's runtime is starting
    read_plan();
    unsigned number = atomic_fetch_add(&calls, 1) + 1;
    if (number < first || number > last || failing_is_over) return false;
    atomic_fetch_add(&failures, 1);
    errno = error;
    return true;
}

// A sanitizer's runtime calls these before it is ready for instrumented code.
#define SHOWN __attribute__((visibility("default"), no_sanitize("address", "thread")))

// A sanitizer records mappings, so its interceptor must be called.
#define REAL(type, name, ...) __attribute__((weak)) type __interceptor_##name(__VA_ARGS__);
REAL(void *, mmap, void *, size_t, int, int, int, off_t)
REAL(int, munmap, void *, size_t)

SHOWN void *mmap(void *start, size_t size, int protection, int flags, int file, off_t offset)
{
    if (fails(ENOMEM)) {
        atomic_fetch_add(&mmap_failures, 1);
        return MAP_FAILED;
    }
    if (__interceptor_mmap != NULL) return __interceptor_mmap(start, size, protection, flags, file, offset);
    return (void *)syscall(SYS_mmap, start, size, protection, flags, file, offset);
}

SHOWN int munmap(void *start, size_t size)
{
    if (fails(ENOMEM)) return -1;
    if (__interceptor_munmap != NULL) return __interceptor_munmap(start, size);
    return (int)syscall(SYS_munmap, start, size);
}

SHOWN void *mremap(void *start, size_t old_size, size_t size, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    void *target = (flags & MREMAP_FIXED) != 0 ? va_arg(arguments, void *) : NULL;
    va_end(arguments);
    if (fails(ENOMEM)) return MAP_FAILED;
    return (void *)syscall(SYS_mremap, start, old_size, size, flags, target);
}

SHOWN int madvise(void *start, size_t size, int advice)
{
    return fails(EAGAIN) ? -1 : (int)syscall(SYS_madvise, start, size, advice);
}

SHOWN int mprotect(void *start, size_t size, int protection)
{
    return fails(ENOMEM) ? -1 : (int)syscall(SYS_mprotect, start, size, protection);
}

// ---- requests

// held: a live block, whose first and last bytes hold patterns.
struct held {
    unsigned char *start;
    size_t size;
};

static struct held held[HELD];
static size_t held_count, refused;

static size_t head_of(size_t size)
{
    return size < MARKED ? size : MARKED;
}

static size_t tail_of(size_t size)
{
    return size < 2 * MARKED ? size - head_of(size) : MARKED;
}

static void mark(const struct held *block)
{
    size_t tail = tail_of(block->size);
    T_fill(block->start, head_of(block->size), 1);
    T_fill(block->start + block->size - tail, tail, block->size);
}

// Checks that the first `kept` bytes are unchanged.
static void check_mark(const struct held *block, size_t kept)
{
    size_t head = head_of(block->size), tail = tail_of(block->size);
    T_CHECK_PATTERN(block->start, head < kept ? head : kept, 1);
    if (kept >= block->size) T_CHECK_PATTERN(block->start + block->size - tail, tail, block->size);
}

// Checks the refusal: errno is ENOMEM, and an mmap has failed since `before`.
static void check_refusal(size_t size, unsigned before)
{
    T_CHECK(errno == ENOMEM, "%zu bytes: errno is %d instead of ENOMEM", size, errno);
    T_CHECK(mmap_failures != before, "%zu bytes were refused, and no mmap had failed", size);
    refused++;
}

static void *request(size_t size, size_t alignment, bool zeroed)
{
    errno = 0;
    if (alignment > 0) return T_memalign(alignment, size);
    return zeroed ? T_calloc(1, size) : T_malloc(size);
}

static struct held *allocate(size_t size, size_t alignment, bool zeroed)
{
    unsigned before = mmap_failures;
    void *start = request(size, alignment, zeroed);
    if (start == NULL) {
        check_refusal(size, before);
        if (first != last) return NULL;
        start = request(size, alignment, zeroed);
        T_CHECK(start != NULL, "%zu bytes were refused again, although one call only had failed", size);
    }
    if (zeroed) T_CHECK(T_is_zero(start, size), "calloc of %zu bytes is not zero", size);
    if (alignment > 0) T_CHECK_ALIGNED(start, alignment);
    T_CHECK(held_count < HELD, "the table of blocks is too short");
    struct held *block = &held[held_count++];
    *block = (struct held){start, size};
    mark(block);
    return block;
}

static void release(struct held *block)
{
    check_mark(block, block->size);
    errno = 1234;
    T_free(block->start);
    T_CHECK(errno == 1234, "free of %zu bytes changed errno to %d", block->size, errno);
    *block = held[--held_count];
}

static void resize(struct held *block, size_t size)
{
    unsigned before = mmap_failures;
    errno = 0;
    void *start = T_realloc(block->start, size);
    if (start == NULL) {
        T_CHECK(size > block->size, "realloc from %zu down to %zu bytes was refused", block->size, size);
        check_refusal(size, before);
        check_mark(block, block->size);
        if (first != last) return;
        start = T_realloc(block->start, size);
        T_CHECK(start != NULL, "realloc to %zu bytes was refused again", size);
    }
    block->start = start;
    check_mark(block, size);
    block->size = size;
    mark(block);
}

// ---- the load

enum { TINY = 2300, MEDIUM = 25, MAPPED = 340, LIVES = 3 };

static void tiny_blocks(void)
{
    for (size_t i = 0; i < TINY; i++) allocate(i % 4 == 0 ? i % 1000 + 1 : 1024, 0, i % 16 == 0);
}

static void medium_blocks(void)
{
    for (size_t i = 0; i < MEDIUM; i++) allocate(200000 + i * 100, i % 8 == 0 ? 4096 : 0, i % 16 == 1);
}

// Blocks of a size that is cached, and larger ones.
static void mapped_blocks(void)
{
    for (size_t i = 0; i < MAPPED; i++) {
        struct held *block = allocate(((size_t)(i % 2 ? 2 : 17) << 20) + i, i % 4 == 3 ? 1 << 20 : 0, false);
        if (block != NULL && i % 3 == 0) release(block);
    }
}

static void growing_blocks(void)
{
    size_t begin = held_count;
    for (int i = 0; i < 2; i++) allocate(100, 0, false);
    for (size_t size = 1000; size < ((size_t)40 << 20); size *= 5)
        for (size_t i = begin; i < held_count; i++) resize(&held[i], size + i % 7);
    for (size_t size = (size_t)3 << 20; size > 1000; size /= 30)
        for (size_t i = begin; i < held_count; i++) resize(&held[i], size + i % 7);
}

// Allocates a thread's first blocks, and frees blocks of another thread.
static void *live(void *unused)
{
    for (int i = 0; i < 300; i++) allocate(16 + (size_t)i * 3, 0, false);
    for (int i = 0; i < 300 && held_count > 0; i++) release(&held[held_count / 2]);
    return unused;
}

static void threads(void)
{
    for (int i = 0; i < LIVES; i++) {
        unsigned before = mmap_failures;
        pthread_t thread;
        int error = pthread_create(&thread, NULL, live, NULL);
        if (error == 0) T_join(thread);
        else T_CHECK(mmap_failures != before, "no thread: %s", strerror(error));
    }
}

static void release_all(void)
{
    while (held_count > 0) release(&held[held_count - 1]);
    T_malloc_trim(0);
}

static void run_load(void)
{
    tiny_blocks();
    medium_blocks();
    mapped_blocks();
    growing_blocks();
    threads();
    release_all();
}

// Runs one plan, which read_plan has read from the environment.
static void run_plan(void)
{
    run_load();
    T_CHECK(failures > 0, "call %u never came: only %u calls were made", first, calls);
    atomic_store(&failing_is_over, true);
    refused = 0;
    run_load();
    T_CHECK(refused == 0, "%zu requests were refused when nothing failed any more", refused);
}

// ---- every plan

static void start_with_plan(unsigned from, unsigned to)
{
    char plan[64], *arguments[] = {(char *)"test_faults", NULL}, *variables[] = {plan, NULL};
    snprintf(plan, sizeof plan, "FAULTS=%u %u", from, to);
    pid_t child;
    int error = posix_spawn(&child, "/proc/self/exe", NULL, NULL, arguments, variables);
    T_CHECK(error == 0, "no process: %s", strerror(error));
    int status = 0;
    T_CHECK(waitpid(child, &status, 0) == child, "waitpid: %s", strerror(errno));
    T_CHECK(status == 0, "calls %u to %u failed: the process %s %d; run: FAULTS='%u %u' test_faults", from,
            to, WIFSIGNALED(status) ? "died of signal" : "ended with status",
            WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), from, to);
}

static void one_call_fails(void)
{
    for (unsigned n = 1; n <= CALLS; n += STEP) start_with_plan(n, n);
}

static void a_stretch_of_calls_fails(void)
{
    for (unsigned n = 1; n <= CALLS; n += 10 * STEP) start_with_plan(n, n + STRETCH - 1);
}

static void every_call_fails(void)
{
    for (unsigned n = 1; n <= CALLS; n += 30 * STEP) start_with_plan(n, UINT32_MAX);
}

int main(int argc, char **argv)
{
    if (getenv("FAULTS") != NULL) {
        run_plan();
        return 0;
    }
    (void)argv;
    T_CHECK(argc == 1, "usage: [FAULTS='FIRST LAST'] test_faults");
    T_RUN(one_call_fails);
    T_RUN(a_stretch_of_calls_fails);
    T_RUN(every_call_fails);
    return 0;
}
