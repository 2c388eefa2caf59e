// Operating system interface: mmap and related calls, metadata, the slow paths of locks, termination with a message.
#define _GNU_SOURCE
#include "os/os.h"
#include "debug/memcheck.h"
#include "os/os_addresses.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

HAK_TLS bool os_forking;
HAK_TLS unsigned os_locks_held;
HAK_TLS os_lock_t *os_lock_taken_last;
_Atomic(os_before_end_t *) os_before_end;
_Atomic(size_t) os_page_known;

#if defined(__has_include)
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#endif
#endif
#ifndef RUNNING_ON_VALGRIND
#define RUNNING_ON_VALGRIND false
#endif

#define METADATA_CHUNK ((size_t)256 * 1024)

static struct {
    os_lock_t lock;
    char *next;
    char *end;
} metadata;

size_t os_find_page(void)
{
    size_t page = getauxval(AT_PAGESZ);
    if (page == 0) page = 4096; // no system has smaller pages
    if (page > HAK_PAGE) hak_die("pages of more than 64 KiB are not supported", (void *)page);
    atomic_store_explicit(&os_page_known, page, memory_order_relaxed);
    return page;
}

static void *map_anywhere(size_t size, int protection)
{
    int saved = errno;
    void *start = mmap(NULL, size, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    errno = saved;
    return start == MAP_FAILED ? NULL : start;
}

// Uses mmap instead of mprotect, which sandboxes may forbid while they allow mmap.
static bool map_over(void *start, size_t size, int protection)
{
    int saved = errno;
    void *there =
        mmap(start, size, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    errno = saved;
    return there != MAP_FAILED;
}

// Maps addresses that the system refused to unmap earlier.
static char *map_kept(size_t size, size_t alignment, size_t offset, int protection)
{
    char *start = os_addresses_take(size, alignment, offset);
    if (LIKELY(start == NULL) || map_over(start, size, protection)) return start;
    os_addresses_keep(start, size);
    return NULL;
}

// (start + offset) % alignment == 0
static char *map_aligned(size_t size, size_t alignment, size_t offset, int protection)
{
    char *kept = map_kept(size, alignment, offset, protection);
    if (kept != NULL) return kept;
    char *start = map_anywhere(size, protection);
    if (start == NULL || (((uintptr_t)start + offset) & (alignment - 1)) == 0) return start;
    os_unmap(start, size);
    if (size + alignment < size) return NULL;
    start = map_anywhere(size + alignment, protection);
    if (start == NULL) return NULL;
    char *aligned = (char *)hak_round_up((uintptr_t)start + offset, alignment) - offset;
    char *end = start + size + alignment;
    if (aligned > start) os_unmap(start, (size_t)(aligned - start));
    if (end > aligned + size) os_unmap(aligned + size, (size_t)(end - (aligned + size)));
    return aligned;
}

void *os_map(size_t size, size_t alignment)
{
    void *start = map_aligned(size, alignment, 0, PROT_READ | PROT_WRITE);
    memcheck_own(start, size);
    return start;
}

void *os_map_guarded(size_t size, size_t alignment, size_t guard)
{
    if (guard == 0) return os_map(size, alignment);
    char *outside = map_aligned(size + 2 * guard, alignment, guard, PROT_NONE);
    if (outside == NULL) return NULL;
    if (!map_over(outside + guard, size, PROT_READ | PROT_WRITE)) {
        os_unmap(outside, size + 2 * guard);
        return NULL;
    }
    memcheck_own(outside + guard, size);
    return outside + guard;
}

void os_unmap_guarded(void *start, size_t size, size_t guard)
{
    os_unmap((char *)start - guard, size + 2 * guard);
}

bool os_hide(void *start, size_t size)
{
    return map_over(start, size, PROT_NONE);
}

// A range that the system does not unmap holds no memory and is inaccessible until it is mapped again.
void os_unmap(void *start, size_t size)
{
    int saved = errno;
    if (munmap(start, size) != 0) {
        if (!map_over(start, size, PROT_NONE)) (void)madvise(start, size, MADV_DONTNEED);
        os_addresses_keep(start, size);
    }
    errno = saved;
}

bool os_purge(void *start, size_t size)
{
    int saved = errno;
    bool purged = madvise(start, size, MADV_DONTNEED) == 0;
    errno = saved;
    return purged;
}

// A kernel without huge pages rejects the call, which then is not needed.
void os_no_huge_pages(void *start, size_t size)
{
    int saved = errno;
    (void)madvise(start, size, MADV_NOHUGEPAGE);
    errno = saved;
}

uint32_t os_clock_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (uint32_t)now.tv_sec * 1000u + (uint32_t)(now.tv_nsec / 1000000);
}

static _Atomic(bool) moves_are_refused;

bool os_can_move(void)
{
    return !atomic_load_explicit(&moves_are_refused, memory_order_relaxed);
}

// True if a sandbox rejects the call or the kernel does not know it: then nothing was changed.
static bool is_refused_for_good(int error)
{
    bool refused = error == EPERM || error == EACCES || error == ENOSYS;
    if (refused) atomic_store_explicit(&moves_are_refused, true, memory_order_relaxed);
    return refused;
}

// EFAULT: the range consists of several mappings (a part got a different madvise) and cannot be moved as one.
bool os_resize(void *start, size_t old_size, size_t new_size, bool *movable)
{
    int saved = errno;
    bool resized = mremap(start, old_size, new_size, 0) != MAP_FAILED;
    *movable = !resized && errno != EFAULT && !is_refused_for_good(errno);
    errno = saved;
    return resized;
}

// The kernel may fail after it has unmapped the target.
os_moved_t os_move(void *from, size_t old_size, void *to, size_t new_size)
{
    int saved = errno;
    os_moved_t result = OS_MOVED;
    if (mremap(from, old_size, new_size, MREMAP_MAYMOVE | MREMAP_FIXED, to) == MAP_FAILED)
        result = is_refused_for_good(errno) ? OS_REFUSED : OS_TARGET_LOST;
    // The kernel does not need this call. Valgrind treats the added range as unmapped without it.
    else if (new_size > old_size && RUNNING_ON_VALGRIND)
        (void)mprotect((char *)to + old_size, new_size - old_size, PROT_READ | PROT_WRITE);
    errno = saved;
    return result;
}

void *os_metadata(size_t size)
{
    size = hak_round_up(size, 64);
    if (size > METADATA_CHUNK / 4) return os_map(hak_round_up(size, OS_PAGE), OS_PAGE);
    os_lock(&metadata.lock);
    if ((size_t)(metadata.end - metadata.next) < size) {
        size_t chunk_size = METADATA_CHUNK;
        char *chunk = os_map(chunk_size, OS_PAGE);
        if (chunk == NULL) chunk = os_map(chunk_size = hak_round_up(size, OS_PAGE), OS_PAGE);
        if (chunk == NULL) {
            os_unlock(&metadata.lock);
            return NULL;
        }
        metadata.next = chunk;
        metadata.end = chunk + chunk_size;
    }
    void *record = metadata.next;
    metadata.next += size;
    os_unlock(&metadata.lock);
    return record;
}

size_t os_address_limit(void)
{
    struct rlimit limit;
    int saved = errno;
    bool known = getrlimit(RLIMIT_AS, &limit) == 0;
    errno = saved;
    return known && limit.rlim_cur < SIZE_MAX ? (size_t)limit.rlim_cur : SIZE_MAX;
}

// Folds both halves of a product, as wyhash does: the inputs cannot be derived from the result.
static uint64_t fold(uint64_t a, uint64_t b)
{
    __extension__ unsigned __int128 product = (unsigned __int128)(a ^ 0x9e3779b97f4a7c15u) * (b | 1);
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

// Used when the kernel provides no random numbers: combines those that the kernel gave the program at its start
// (AT_RANDOM), addresses, and the time. The C library derives its stack and pointer guards from AT_RANDOM, so the
// result must reveal none of these bytes.
static uint64_t secret_from_start(void)
{
    uint64_t given[2] = {0, 0};
    struct timespec now = {0, 0};
    const void *random = (const void *)getauxval(AT_RANDOM);
    if (random != NULL) memcpy(given, random, sizeof given);
    clock_gettime(CLOCK_MONOTONIC, &now);
    uint64_t secret = fold(given[0] ^ (uint64_t)now.tv_nsec, (uintptr_t)&metadata);
    secret = fold(secret ^ given[1], (uintptr_t)&now ^ (uint64_t)now.tv_sec << 32);
    return fold(secret, given[0] + given[1]);
}

uint64_t os_secret(void)
{
    uint64_t secret = 0;
    int saved = errno;
    if (syscall(SYS_getrandom, &secret, sizeof secret, GRND_NONBLOCK) != sizeof secret)
        secret = secret_from_start();
    errno = saved;
    return secret | 1; // never zero
}

void os_metadata_before_fork(void)
{
    os_lock(&metadata.lock);
    os_addresses_before_fork();
}

void os_metadata_after_fork(void)
{
    os_addresses_after_fork();
    os_unlock(&metadata.lock);
}

// ---- waiting

// A lock is mostly held for well under a microsecond, so a thread spins briefly before it waits in the kernel.
#define LOOKS 64

static void pause_a_little(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

// If a sandbox rejects futex calls, the thread sleeps, so that it leaves the CPU to the thread that it waits for.
static void sleep_instead(void)
{
    struct timespec nap = {.tv_nsec = 100000};
    if (syscall(SYS_nanosleep, &nap, NULL) != 0 && errno != EINTR) sched_yield();
}

// `limit`: NULL means no limit.
static void futex_wait(_Atomic(uint32_t) *word, uint32_t value, const struct timespec *limit)
{
    int saved = errno;
    if (syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, limit, NULL, 0) != 0 && errno != EAGAIN &&
        errno != EINTR && errno != ETIMEDOUT)
        sleep_instead();
    errno = saved;
}

static void futex_wake(_Atomic(uint32_t) *word, int threads)
{
    int saved = errno;
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, threads, NULL, NULL, 0);
    errno = saved;
}

void os_wait(_Atomic(uint32_t) *word, uint32_t value, uint32_t ms)
{
    for (int look = 0; look < LOOKS; look++) {
        if (atomic_load_explicit(word, memory_order_acquire) != value) return;
        pause_a_little();
    }
    struct timespec limit = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    futex_wait(word, value, &limit);
}

void os_wake(_Atomic(uint32_t) *word)
{
    futex_wake(word, INT_MAX);
}

void os_lock_slow(os_lock_t *lock)
{
    for (int look = 0; look < LOOKS; look++) {
        if (atomic_load_explicit(&lock->state, memory_order_relaxed) == 0 && os_take_free(lock)) return;
        pause_a_little();
    }
    while (atomic_exchange_explicit(&lock->state, 2, memory_order_acquire) != 0)
        futex_wait(&lock->state, 2, NULL);
}

void os_unlock_slow(os_lock_t *lock)
{
    futex_wake(&lock->state, 1);
}

// ---- the locks that a thread holds

bool os_holds(const os_lock_t *lock)
{
    const os_lock_t *held = os_lock_taken_last;
    while (held != NULL && held != lock) held = held->taken_before;
    return held != NULL;
}

void os_note_let_go_slow(const os_lock_t *lock)
{
    os_lock_t **held = &os_lock_taken_last;
    while (*held != NULL && *held != lock) held = &(*held)->taken_before;
    if (*held != NULL) *held = lock->taken_before;
}

// The data under these locks is consistent: misuse is detected before any change. A block in transit is lost.
static void let_go_of_all(void)
{
    os_before_end_t *before = atomic_load_explicit(&os_before_end, memory_order_acquire);
    if (before != NULL) before();
    os_forking = false;
    while (os_lock_taken_last != NULL) os_unlock(os_lock_taken_last);
    os_locks_held = 0;
}

// ---- the last line

typedef struct last_line {
    size_t length;
    char text[192];
} last_line_t;

static void add_text(last_line_t *line, const char *text)
{
    for (; *text != '\0' && line->length < sizeof line->text; text++) line->text[line->length++] = *text;
}

static void add_number(last_line_t *line, size_t value, unsigned base)
{
    char digits[24], *first = digits + sizeof digits;
    *--first = '\0';
    do {
        *--first = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0);
    add_text(line, first);
}

void hak_die_of_size(const char *what, const void *where, size_t size)
{
    last_line_t line = {.length = 0};
    add_text(&line, "hakmem: ");
    add_text(&line, what);
    add_text(&line, ": 0x");
    add_number(&line, (uintptr_t)where, 16);
    if (size > 0) {
        add_text(&line, ", class of ");
        add_number(&line, size, 10);
        add_text(&line, " bytes");
    }
    add_text(&line, "\n");
    // Not write(): it is a cancellation point and may end the thread instead.
    syscall(SYS_write, STDERR_FILENO, line.text, line.length);
    let_go_of_all();
    abort();
}

void hak_die(const char *what, const void *where)
{
    hak_die_of_size(what, where, 0);
}
