// The harness of the C tests: checks, named runs, patterns, threads, and the allocator under test.
//
// A test program includes this file, writes one function per case, and calls them from main with T_RUN. It takes no
// arguments. Exit status: 0 passed, 1 failed (`file:line: what` on stderr), 77 not run (the reason on stdout).
//
// T_malloc, T_free, ... call the allocator under test: the C names, or hakmem's own with HAKMEM_NO_INTERPOSE, when a
// sanitizer defines the C names.
// The harness itself does not allocate: tables of a test come from T_pages, output goes through write.

#ifndef TEST_H
#define TEST_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <malloc.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifdef __GLIBC__
#define T_GLIBC 1
#else
#define T_GLIBC 0 // another C library, such as musl
#endif

#ifdef HAKMEM_NO_INTERPOSE
#include "hakmem.h"
#define T_NAME(name) hak_##name
#else
#define T_NAME(name) name
#endif

#if defined(__SANITIZE_THREAD__)
#define T_THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define T_THREAD_SANITIZER 1
#endif
#endif
#ifndef T_THREAD_SANITIZER
#define T_THREAD_SANITIZER 0 // 1: everything takes ten times as long
#endif

#ifndef T_TSAN_OPTIONS
#define T_TSAN_OPTIONS "atexit_sleep_ms=0"
#endif

#if T_THREAD_SANITIZER
// The sanitizer's runtime calls this at start. Without it each process would wait for a second at its end.
__attribute__((visibility("default"))) const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
    return T_TSAN_OPTIONS;
}
#endif

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define T_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define T_SANITIZER 1
#endif
#endif
#ifndef T_SANITIZER
#define T_SANITIZER 0 // 1: shadow memory makes address space and resident memory useless as measures
#endif

// Every block is aligned to this; a variant with `min_align: 8` compiles the tests with another value.
#ifndef T_MIN_ALIGN
#define T_MIN_ALIGN 16
#endif

// The checks on frees: 0 none, 1 basic, 2 full; and the bytes that a canary then takes of each block.
#ifndef T_CHECKS
#define T_CHECKS 1
#endif
#define T_CANARY (T_CHECKS >= 2 ? 8 : 0)

#define T_UNUSED __attribute__((unused))

// ---- checks ---------------------------------------------------------------------------------------------

__attribute__((noreturn, format(printf, 3, 4))) static inline void t_fail(const char *file, int line,
                                                                          const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    dprintf(STDERR_FILENO, "%s:%d: %s\n", file, line, text);
    _exit(1); // not exit(): its handlers would run on a heap that is known to be corrupt
}

// T_CHECK(condition, "what is wrong, with %s", values): ends the program if the condition does not hold.
#define T_CHECK(condition, ...) \
    do { \
        if (__builtin_expect(!(condition), 0)) t_fail(__FILE__, __LINE__, __VA_ARGS__); \
    } while (0)

// Checks that the request is refused as the standard requires. Evaluates `call` once.
#define T_CHECK_REFUSED(call, error) \
    do { \
        errno = 0; \
        void *refused_ = (call); \
        T_CHECK(refused_ == NULL, "%s gave %p instead of NULL", #call, refused_); \
        T_CHECK(errno == (error), "%s set errno to %d instead of %s", #call, errno, #error); \
    } while (0)

static inline T_UNUSED double T_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

// T_RUN(case): runs a case and prints its name and time; the log shows how far a program came.
#define T_RUN(name) \
    do { \
        double start_ = T_seconds(); \
        dprintf(STDOUT_FILENO, "  %s\n", #name); \
        name(); \
        dprintf(STDOUT_FILENO, "    %.0f ms\n", (T_seconds() - start_) * 1e3); \
    } while (0)

__attribute__((noreturn)) static inline void T_not_run(const char *reason)
{
    dprintf(STDOUT_FILENO, "not run: %s\n", reason);
    _exit(77);
}

// ---- the allocator under test ---------------------------------------------------------------------------

// Hides the pointer from the compiler, which otherwise knows the block's origin and size and may merge or drop calls.
static inline T_UNUSED void *T_hidden(void *pointer)
{
    __asm__ volatile("" : "+r"(pointer) : : "memory");
    return pointer;
}

static inline T_UNUSED size_t T_size(size_t size)
{
    __asm__ volatile("" : "+r"(size));
    return size;
}

#ifndef HAKMEM_NO_INTERPOSE
// C23; missing in some C libraries' headers
extern void free_sized(void *block, size_t size);
extern void free_aligned_sized(void *block, size_t alignment, size_t size);
#ifndef __GLIBC__
// Only glibc's header declares these. The library has them with every C library; programs that get the library when they
// are loaded are linked without it, hence weak.
extern void *pvalloc(size_t size) __attribute__((weak));
extern int malloc_trim(size_t pad) __attribute__((weak));
extern void malloc_stats(void) __attribute__((weak));
extern int malloc_info(int options, FILE *file) __attribute__((weak));
#endif
#endif

static inline T_UNUSED void *T_malloc(size_t size)
{
    return T_hidden(T_NAME(malloc)(T_size(size)));
}

static inline T_UNUSED void *T_calloc(size_t count, size_t size)
{
    return T_hidden(T_NAME(calloc)(T_size(count), T_size(size)));
}

static inline T_UNUSED void *T_realloc(void *block, size_t size)
{
    return T_hidden(T_NAME(realloc)(T_hidden(block), T_size(size)));
}

static inline T_UNUSED void *T_reallocarray(void *block, size_t count, size_t size)
{
    return T_hidden(T_NAME(reallocarray)(T_hidden(block), T_size(count), T_size(size)));
}

static inline T_UNUSED void *T_aligned_alloc(size_t alignment, size_t size)
{
    return T_hidden(T_NAME(aligned_alloc)(T_size(alignment), T_size(size)));
}

static inline T_UNUSED void *T_memalign(size_t alignment, size_t size)
{
    return T_hidden(T_NAME(memalign)(T_size(alignment), T_size(size)));
}

static inline T_UNUSED int T_posix_memalign(void **block, size_t alignment, size_t size)
{
    int error = T_NAME(posix_memalign)(block, T_size(alignment), T_size(size));
    *block = T_hidden(*block);
    return error;
}

static inline T_UNUSED void *T_valloc(size_t size)
{
    return T_hidden(T_NAME(valloc)(T_size(size)));
}

static inline T_UNUSED void *T_pvalloc(size_t size)
{
    return T_hidden(T_NAME(pvalloc)(T_size(size)));
}

static inline T_UNUSED size_t T_usable_size(void *block)
{
    return T_NAME(malloc_usable_size)(T_hidden(block));
}

static inline T_UNUSED void T_free(void *block)
{
    T_NAME(free)(T_hidden(block));
}

static inline T_UNUSED void T_free_sized(void *block, size_t size)
{
    T_NAME(free_sized)(T_hidden(block), T_size(size));
}

static inline T_UNUSED void T_free_aligned_sized(void *block, size_t alignment, size_t size)
{
    T_NAME(free_aligned_sized)(T_hidden(block), T_size(alignment), T_size(size));
}

static inline T_UNUSED int T_malloc_trim(size_t pad)
{
    return T_NAME(malloc_trim)(pad);
}

// Returns a block; the test fails if there is none.
static inline T_UNUSED void *T_must_malloc(size_t size)
{
    void *block = T_malloc(size);
    T_CHECK(block != NULL, "malloc(%zu) failed: %s", size, strerror(errno));
    return block;
}

// ---- random numbers -------------------------------------------------------------------------------------

static inline T_UNUSED uint64_t T_random(uint64_t *state)
{
    *state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t mixed = (*state ^ (*state >> 32)) * UINT64_C(0xd6e8feb86659fd93);
    return mixed ^ (mixed >> 29);
}

// The range is low..high inclusive
static inline T_UNUSED size_t T_random_in(uint64_t *state, size_t low, size_t high)
{
    return low + (size_t)(T_random(state) % (high - low + 1));
}

// ---- patterns -------------------------------------------------------------------------------------------

// A block's content is a sequence of 64-bit words that depends only on its seed, cut off at the block's size: so blocks
// of different sizes have the same beginning.
static inline T_UNUSED uint64_t t_word(uint64_t seed, size_t index)
{
    return (seed + 1) * UINT64_C(0x9e3779b97f4a7c15) + index * UINT64_C(0xc2b2ae3d27d4eb4f);
}

static inline T_UNUSED void T_fill(void *block, size_t size, uint64_t seed)
{
    unsigned char *bytes = block;
    size_t at = 0;
    for (; at + 8 <= size; at += 8) {
        uint64_t word = t_word(seed, at / 8);
        memcpy(bytes + at, &word, 8);
    }
    uint64_t last = t_word(seed, at / 8);
    if (at < size) memcpy(bytes + at, &last, size - at);
}

// Returns the offset of the first byte that differs from the pattern, `size` if none does.
static inline T_UNUSED size_t T_mismatch(const void *block, size_t size, uint64_t seed)
{
    const unsigned char *bytes = block;
    size_t at = 0;
    for (; at + 8 <= size; at += 8) {
        uint64_t word;
        memcpy(&word, bytes + at, 8);
        if (word != t_word(seed, at / 8)) break;
    }
    uint64_t want = t_word(seed, at / 8);
    const unsigned char *want_bytes = (const unsigned char *)&want;
    for (size_t i = 0; at < size && bytes[at] == want_bytes[i]; i++) at++;
    return at;
}

#define T_CHECK_PATTERN(block, size, seed) \
    do { \
        size_t at_ = T_mismatch((block), (size), (seed)); \
        T_CHECK(at_ == (size), "block %p of %zu bytes is corrupt from byte %zu on", (void *)(block), \
                (size_t)(size), at_); \
    } while (0)

#define T_CHECK_ALIGNED(block, alignment) \
    T_CHECK((uintptr_t)(block) % (alignment) == 0, "%p is not aligned to %zu", (void *)(block), \
            (size_t)(alignment))

static inline T_UNUSED bool T_is_zero(const void *block, size_t size)
{
    const unsigned char *bytes = block;
    return size == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0);
}

// ---- memory, threads, children --------------------------------------------------------------------------

// Returns zeroed pages for a test's own tables; they are never freed.
static inline T_UNUSED void *T_pages(size_t bytes)
{
    void *pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    T_CHECK(pages != MAP_FAILED, "no %zu bytes for the test's own table", bytes);
    return pages;
}

static inline T_UNUSED void t_statm(unsigned long long *pages, unsigned long long *resident_pages)
{
    char text[128];
    int file = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    ssize_t length = file < 0 ? 0 : read(file, text, sizeof text - 1);
    T_CHECK(length > 0, "/proc/self/statm cannot be read");
    close(file);
    text[length] = '\0';
    T_CHECK(sscanf(text, "%llu %llu", pages, resident_pages) == 2, "/proc/self/statm is strange: %s", text);
}

// Returns the resident memory of this process in KiB.
static inline T_UNUSED size_t T_resident_kib(void)
{
    unsigned long long pages, resident;
    t_statm(&pages, &resident);
    return (size_t)resident * ((size_t)sysconf(_SC_PAGESIZE) / 1024);
}

// Returns the mapped address space of this process in bytes.
static inline T_UNUSED size_t T_mapped_bytes(void)
{
    unsigned long long pages, resident;
    t_statm(&pages, &resident);
    return (size_t)pages * (size_t)sysconf(_SC_PAGESIZE);
}

static inline T_UNUSED pthread_t T_thread(void *(*start)(void *), void *argument)
{
    pthread_t thread;
    int error = pthread_create(&thread, NULL, start, argument);
    T_CHECK(error == 0, "no thread: %s", strerror(error));
    return thread;
}

static inline T_UNUSED void T_join(pthread_t thread)
{
    int error = pthread_join(thread, NULL);
    T_CHECK(error == 0, "no join: %s", strerror(error));
}

// Waits for a child, which must end with status 0.
#define T_CHECK_CHILD(child) \
    do { \
        int status_ = 0; \
        pid_t done_ = waitpid((child), &status_, 0); \
        T_CHECK(done_ == (child), "waitpid: %s", strerror(errno)); \
        T_CHECK(!WIFSIGNALED(status_), "the child died of signal %d", WTERMSIG(status_)); \
        T_CHECK(WEXITSTATUS(status_) == 0, "the child ended with status %d", WEXITSTATUS(status_)); \
    } while (0)

#endif
