// The operating system's part: mmap and its kin, metadata, the lock's slow paths, dying.
#define _GNU_SOURCE
#include "os.h"
#include "memcheck.h"

#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

HAK_TLS bool os_forking;
HAK_TLS unsigned os_locks_held;

#define METADATA_CHUNK ((size_t)256 * 1024)

static struct {
    os_lock_t lock;
    char *next;
    char *end;
} metadata;

static void *map_anywhere(size_t size, int protection)
{
    int saved = errno;
    void *start = mmap(NULL, size, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    errno = saved;
    return start == MAP_FAILED ? NULL : start;
}

// The address `offset` bytes into the mapping is a multiple of the alignment.
static char *map_aligned(size_t size, size_t alignment, size_t offset, int protection)
{
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
    int saved = errno;
    bool opened = mprotect(outside + guard, size, PROT_READ | PROT_WRITE) == 0;
    if (!opened) os_unmap(outside, size + 2 * guard);
    errno = saved;
    if (!opened) return NULL;
    memcheck_own(outside + guard, size);
    return outside + guard;
}

void os_unmap_guarded(void *start, size_t size, size_t guard)
{
    os_unmap((char *)start - guard, size + 2 * guard);
}

bool os_hide(void *start, size_t size)
{
    int saved = errno;
    void *hidden =
        mmap(start, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    errno = saved;
    return hidden != MAP_FAILED;
}

// munmap can fail when it would split a mapping beyond the process' limit; the addresses then stay ours and unused.
void os_unmap(void *start, size_t size)
{
    int saved = errno;
    if (munmap(start, size) != 0) (void)madvise(start, size, MADV_DONTNEED);
    errno = saved;
}

bool os_purge(void *start, size_t size)
{
    int saved = errno;
    bool purged = madvise(start, size, MADV_DONTNEED) == 0;
    errno = saved;
    return purged;
}

// A kernel without huge pages refuses, and has nothing to refrain from.
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

// EFAULT: the addresses are of several kinds (a part was given an madvise of its own), and cannot be moved as one.
bool os_resize(void *start, size_t old_size, size_t new_size, bool *movable)
{
    int saved = errno;
    bool resized = mremap(start, old_size, new_size, 0) != MAP_FAILED;
    *movable = !resized && errno != EFAULT;
    errno = saved;
    return resized;
}

bool os_move(void *from, size_t old_size, void *to, size_t new_size)
{
    int saved = errno;
    bool moved = mremap(from, old_size, new_size, MREMAP_MAYMOVE | MREMAP_FIXED, to) != MAP_FAILED;
    // Nothing new to the kernel; valgrind takes what has been added for nobody's.
    if (moved && new_size > old_size)
        (void)mprotect((char *)to + old_size, new_size - old_size, PROT_READ | PROT_WRITE);
    errno = saved;
    return moved;
}

void *os_metadata(size_t size)
{
    size = hak_round_up(size, 64);
    if (size > METADATA_CHUNK / 4) return os_map(hak_round_up(size, OS_PAGE), OS_PAGE);
    os_lock(&metadata.lock);
    if ((size_t)(metadata.end - metadata.next) < size) {
        char *chunk = os_map(METADATA_CHUNK, OS_PAGE);
        if (chunk == NULL) {
            os_unlock(&metadata.lock);
            return NULL;
        }
        metadata.next = chunk;
        metadata.end = chunk + METADATA_CHUNK;
    }
    void *record = metadata.next;
    metadata.next += size;
    os_unlock(&metadata.lock);
    return record;
}

// The kernel gives each program 16 random bytes at its start; their place is random, too.
uint64_t os_secret(void)
{
    uint64_t secret = (uintptr_t)&metadata * 0x9e3779b97f4a7c15u;
    const void *random = (const void *)getauxval(AT_RANDOM);
    if (random != NULL) {
        uint64_t given;
        memcpy(&given, (const char *)random + 8, sizeof given); // the stack protector has the first eight
        secret ^= given;
    }
    return secret | 1; // not zero
}

void os_metadata_before_fork(void)
{
    os_lock(&metadata.lock);
}

void os_metadata_after_fork(void)
{
    os_unlock(&metadata.lock);
}

// Holders keep a lock for well under a microsecond mostly: look a little before asking the kernel to wait.
void os_lock_slow(os_lock_t *lock)
{
    for (int spin = 0; spin < 64; spin++) {
        if (atomic_load_explicit(&lock->state, memory_order_relaxed) == 0 && os_take_free(lock)) return;
#if defined(__x86_64__)
        __builtin_ia32_pause();
#endif
    }
    int saved = errno;
    while (atomic_exchange_explicit(&lock->state, 2, memory_order_acquire) != 0)
        syscall(SYS_futex, &lock->state, FUTEX_WAIT_PRIVATE, 2, NULL, NULL, 0);
    errno = saved;
}

void os_yield(void)
{
    int saved = errno;
    sched_yield();
    errno = saved;
}

void os_unlock_slow(os_lock_t *lock)
{
    int saved = errno;
    syscall(SYS_futex, &lock->state, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    errno = saved;
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
    os_forking = true; // no lock holds up a handler of SIGABRT that allocates
    syscall(SYS_write, STDERR_FILENO, line.text,
            line.length); // write() may end the thread instead, if it is cancelled
    abort();
}

void hak_die(const char *what, const void *where)
{
    hak_die_of_size(what, where, 0);
}
