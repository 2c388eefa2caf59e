// Operating system interface: mmap and related calls, metadata.
#define _GNU_SOURCE
#include "os/os.h"

#include <errno.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>

#include "os/die.h"
#include "os/lock.h"
#include "os/os_addresses.h"
#include "os/os_holes.h"
#include "os/valgrind.h"

_Atomic(size_t) os_page_known;

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

// Tells memcheck that only the allocator uses this memory; pointers in it do not keep blocks alive.
static void own(void *start, size_t size)
{
#if HAK_MEMCHECK
    if (start != NULL) VALGRIND_MAKE_MEM_NOACCESS(start, size);
#endif
    (void)start, (void)size;
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

// A new record may need a mapping, which may use kept addresses. If the system then refuses to make them accessible, they
// go back beside the range that they were cut from: if that needed a record, too, each attempt would lead to the next one
// until nothing is kept. If no record is available, the addresses are lost.
static void keep_addresses(char *start, size_t size, bool is_ready)
{
    if (os_addresses_keep_beside(start, size, is_ready)) return;
    os_range_t *range = os_addresses_unused_record();
    if (range == NULL) range = os_metadata(sizeof *range);
    if (range == NULL) return;
    *range = (os_range_t){.start = start, .end = start + size, .is_ready = is_ready};
    os_addresses_keep(range);
}

// Returns the memory of a range that the system does not unmap. The range is inaccessible from now on, unless the
// system refuses that, too: at the limit of mappings, which is an ENOMEM, hiding a range would need one more.
static void keep(void *start, size_t size, bool is_open, bool at_limit)
{
    bool hidden = !at_limit && map_over(start, size, PROT_NONE);
    bool emptied = !hidden && madvise(start, size, MADV_DONTNEED) == 0;
    if (!hidden && !emptied) hidden = map_over(start, size, PROT_NONE);
    keep_addresses(start, size, is_open && emptied);
}

// The process has reached its limit of mappings: from now on the program needs those that are left. Addresses of this
// size may still be unmapped, because there are few of them.
static _Atomic(bool) mappings_are_scarce;
#define WORTH_A_MAPPING ((size_t)64 << 20)

bool os_mappings_are_scarce(void)
{
    return atomic_load_explicit(&mappings_are_scarce, memory_order_relaxed);
}

// Each hole that is filled joins the mappings around it.
static void fill_holes(void)
{
    atomic_store_explicit(&mappings_are_scarce, true, memory_order_relaxed);
    for (unsigned i = 0; i < OS_HOLES; i++) {
        os_hole_t hole = os_holes_take();
        if (hole.size == 0) return;
        if (os_map_at(hole.start, hole.size)) keep_addresses(hole.start, hole.size, true);
    }
}

static void unmap(void *start, size_t size, bool is_open)
{
    int saved = errno;
    if (is_open && size < WORTH_A_MAPPING && os_mappings_are_scarce()) {
        keep(start, size, true, true);
    } else if (munmap(start, size) == 0) {
        if (is_open) os_holes_note(start, size);
    } else {
        bool at_limit = errno == ENOMEM;
        if (at_limit) fill_holes();
        keep(start, size, is_open, at_limit);
    }
    errno = saved;
}

// Returns NULL if the addresses cannot be used: then they are kept again.
static char *use_kept(os_taken_t taken, size_t size, int protection)
{
    if (LIKELY(taken.start == NULL)) return NULL;
    if (taken.rest > 0) keep_addresses(taken.start + size, taken.rest, taken.is_ready);
    bool usable = (taken.is_ready && protection != PROT_NONE) || map_over(taken.start, size, protection);
    if (usable) return taken.start;
    keep_addresses(taken.start, size, taken.is_ready);
    return NULL;
}

// Uses addresses that the system refused to unmap earlier. A range that is ready needs no call: a process at its limit
// of mappings is refused each one.
static char *map_kept(size_t size, size_t alignment, size_t offset, int protection)
{
    char *start = use_kept(os_addresses_take(size, alignment, offset), size, protection);
    if (start != NULL || protection == PROT_NONE) return start;
    return use_kept(os_addresses_take_ready(size, alignment, offset), size, protection);
}

// (start + offset) % alignment == 0
static char *map_aligned(size_t size, size_t alignment, size_t offset, int protection)
{
    char *kept = map_kept(size, alignment, offset, protection);
    if (kept != NULL) return kept;
    char *start = map_anywhere(size, protection);
    if (start == NULL || (((uintptr_t)start + offset) & (alignment - 1)) == 0) return start;
    bool is_open = protection != PROT_NONE;
    unmap(start, size, is_open);
    if (size + alignment < size) return NULL;
    start = map_anywhere(size + alignment, protection);
    if (start == NULL) return NULL;
    char *aligned = (char *)hak_round_up((uintptr_t)start + offset, alignment) - offset;
    char *end = start + size + alignment;
    if (aligned > start) unmap(start, (size_t)(aligned - start), is_open);
    if (end > aligned + size) unmap(aligned + size, (size_t)(end - (aligned + size)), is_open);
    return aligned;
}

void *os_map(size_t size, size_t alignment)
{
    void *start = map_aligned(size, alignment, 0, PROT_READ | PROT_WRITE);
    own(start, size);
    return start;
}

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0 // then the address is a hint
#endif

// A kernel before 4.17 takes the address as a hint.
bool os_map_at(void *start, size_t size)
{
    int saved = errno;
    void *there = mmap(start, size, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
    errno = saved;
    if (there != MAP_FAILED && there != start) os_unmap(there, size);
    if (there != start) return false;
    own(start, size);
    return true;
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
    own(outside + guard, size);
    return outside + guard;
}

void *os_map_hidden(size_t size, size_t alignment, size_t guard)
{
    char *outside = map_aligned(size + 2 * guard, alignment, guard, PROT_NONE);
    return outside != NULL ? outside + guard : NULL;
}

void os_unmap_guarded(void *start, size_t size, size_t guard)
{
    unmap((char *)start - guard, size + 2 * guard, guard == 0);
}

bool os_hide(void *start, size_t size)
{
    return map_over(start, size, PROT_NONE);
}

// Where all memory is locked, the kernel counts a mapping before it drops the one that it replaces, so a process near its
// limit gets none. A change of protection is not counted.
static bool unprotect(void *start, size_t size)
{
    int saved = errno;
    bool changed = mprotect(start, size, PROT_READ | PROT_WRITE) == 0;
    errno = saved;
    return changed;
}

bool os_show(void *start, size_t size)
{
    if (!map_over(start, size, PROT_READ | PROT_WRITE) && !unprotect(start, size)) return false;
    own(start, size);
    return true;
}

// Parts of the range may be inaccessible.
void os_unmap(void *start, size_t size)
{
    unmap(start, size, false);
}

bool os_purge(void *start, size_t size)
{
    int saved = errno;
    bool purged = madvise(start, size, MADV_DONTNEED) == 0;
    errno = saved;
    return purged;
}

bool os_present(void *start, size_t pages, bool present[OS_PRESENT_MOST])
{
    if (OS_PAGE != 4096)
        return false; // tests simulate other pages than the kernel's, whose answers it would not fit
    unsigned char answers[OS_PRESENT_MOST];
    int saved = errno;
    bool known = mincore(start, pages * OS_PAGE, answers) == 0;
    errno = saved;
    for (size_t i = 0; known && i < pages; i++) present[i] = answers[i] & 1;
    return known;
}

// A kernel without huge pages rejects the call, which then is not needed.
static void prefer(void *start, size_t size, int advice)
{
    int saved = errno;
    (void)madvise(start, size, advice);
    errno = saved;
}

void os_huge_pages(void *start, size_t size)
{
    prefer(start, size, MADV_HUGEPAGE);
}

void os_no_huge_pages(void *start, size_t size)
{
    prefer(start, size, MADV_NOHUGEPAGE);
}

uint32_t os_clock_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (uint32_t)now.tv_sec * 1000u + (uint32_t)(now.tv_nsec / 1000000);
}

uint64_t os_clock_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)(now.tv_nsec / 1000);
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

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

static _Atomic(bool) memory_stays;

bool os_can_move_memory(void)
{
    return os_can_move() && !atomic_load_explicit(&memory_stays, memory_order_relaxed);
}

// A kernel before 5.7 does not know the flag, and finds that out first.
os_moved_t os_move_memory(void *from, void *to, size_t size)
{
    int saved = errno;
    os_moved_t result = OS_MOVED;
    if (mremap(from, size, size, MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, to) == MAP_FAILED) {
        result = is_refused_for_good(errno) || errno == EINVAL ? OS_REFUSED : OS_TARGET_LOST;
        atomic_store_explicit(&memory_stays, true, memory_order_relaxed);
    } else {
        own(to, size);
    }
    errno = saved;
    return result;
}

static void *take_metadata(size_t size)
{
    void *record = NULL;
    os_lock(&metadata.lock);
    if ((size_t)(metadata.end - metadata.next) >= size) {
        record = metadata.next;
        metadata.next += size;
    }
    os_unlock(&metadata.lock);
    return record;
}

// The rest of the old chunk is lost, unless another thread has added a chunk meanwhile.
static void use_chunk(char *chunk, size_t size)
{
    os_lock(&metadata.lock);
    bool is_longer = size > (size_t)(metadata.end - metadata.next);
    if (is_longer) {
        metadata.next = chunk;
        metadata.end = chunk + size;
    }
    os_unlock(&metadata.lock);
    if (!is_longer) os_unmap(chunk, size);
}

// No lock is held while a chunk is mapped, because that may itself need a record.
static bool add_chunk(size_t least)
{
    size_t size = METADATA_CHUNK;
    char *chunk = os_map(size, OS_PAGE);
    if (chunk == NULL) chunk = os_map(size = hak_round_up(least, OS_PAGE), OS_PAGE);
    if (chunk != NULL) use_chunk(chunk, size);
    return chunk != NULL;
}

void *os_metadata(size_t size)
{
    size = hak_round_up(size, 64);
    if (size > METADATA_CHUNK / 4) return os_map(hak_round_up(size, OS_PAGE), OS_PAGE);
    for (;;) {
        void *record = take_metadata(size);
        if (record != NULL || !add_chunk(size)) return record;
    }
}

size_t os_address_limit(void)
{
    struct rlimit limit;
    int saved = errno;
    bool known = getrlimit(RLIMIT_AS, &limit) == 0;
    errno = saved;
    return known && limit.rlim_cur < SIZE_MAX ? (size_t)limit.rlim_cur : SIZE_MAX;
}

void os_metadata_before_fork(void)
{
    os_lock(&metadata.lock);
    os_addresses_before_fork();
    os_holes_before_fork();
}

void os_metadata_after_fork(void)
{
    os_holes_after_fork();
    os_addresses_after_fork();
    os_unlock(&metadata.lock);
}
