// Systems with pages of 16 and 64 KiB, simulated: this program reports the page size instead of the system. Its own
// mmap and related functions, which precede the C library's, refuse what such a system refuses.
//
// usage: test_page_size          each size in a process of its own
//        test_page_size BYTES    one of them

#include "test.h"

#include <elf.h>
#include <spawn.h>
#include <sys/auxv.h>
#include <sys/syscall.h>

extern char **environ;

// A page of the simulated system; 0: not known yet.
static atomic_size_t page_size;

// The allocator needs it before main, when the C library does not know the arguments yet: they are read from the
// kernel.
static size_t ask_command_line(void)
{
    char text[4096];
    long file = syscall(SYS_openat, AT_FDCWD, "/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    long length = file < 0 ? 0 : syscall(SYS_read, file, text, sizeof text - 1);
    if (file >= 0) syscall(SYS_close, file);
    size_t at = 0, page = 0;
    while ((long)at < length && text[at] != '\0') at++;
    for (at++; (long)at < length && text[at] >= '0' && text[at] <= '9'; at++)
        page = page * 10 + (size_t)(text[at] - '0');
    return page > 0 ? page : 4096;
}

static size_t page(void)
{
    size_t known = atomic_load(&page_size);
    if (known == 0) atomic_store(&page_size, known = ask_command_line());
    return known;
}

#if !T_SANITIZER // a sanitizer's runtime calls these before it is ready for code of a program
#define SHOWN __attribute__((visibility("default")))

SHOWN unsigned long getauxval(unsigned long type)
{
    if (type == AT_PAGESZ) return page();
    unsigned long value = 0;
    long file = syscall(SYS_openat, AT_FDCWD, "/proc/self/auxv", O_RDONLY | O_CLOEXEC);
    for (Elf64_auxv_t entry; syscall(SYS_read, file, &entry, sizeof entry) == sizeof entry;)
        if (entry.a_type == type) value = entry.a_un.a_val;
    syscall(SYS_close, file);
    return value;
}

static bool is_whole(const void *start, size_t size)
{
    return ((uintptr_t)start | size) % page() == 0;
}

// Maps memory at a page boundary of the simulated system; the addresses before it stay without memory.
static void *map_whole(size_t size, int protection, int flags, int file, off_t offset)
{
    char *room = (void *)syscall(SYS_mmap, NULL, size + page(), PROT_NONE, flags, -1, 0);
    if (room == MAP_FAILED) return room;
    char *start = room + (page() - (uintptr_t)room % page()) % page();
    return (void *)syscall(SYS_mmap, start, size, protection, flags | MAP_FIXED, file, offset);
}

SHOWN void *mmap(void *start, size_t size, int protection, int flags, int file, off_t offset)
{
    if ((flags & MAP_ANONYMOUS) == 0)
        return (void *)syscall(SYS_mmap, start, size, protection, flags, file, offset);
    T_CHECK(is_whole(start, 0), "mmap at %p", start);
    size = (size + page() - 1) / page() * page();
    // with MAP_FIXED_NOREPLACE, too, the caller names the place: without it, root would get the page at address 0
    if ((flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) == 0)
        return map_whole(size, protection, flags, file, offset);
    return (void *)syscall(SYS_mmap, start, size, protection, flags, file, offset);
}

SHOWN int munmap(void *start, size_t size)
{
    T_CHECK(is_whole(start, size), "munmap of %zu bytes at %p", size, start);
    return (int)syscall(SYS_munmap, start, size);
}

SHOWN int madvise(void *start, size_t size, int advice)
{
    T_CHECK(is_whole(start, size), "madvise of %zu bytes at %p", size, start);
    return (int)syscall(SYS_madvise, start, size, advice);
}

SHOWN int mprotect(void *start, size_t size, int protection)
{
    T_CHECK(is_whole(start, size), "mprotect of %zu bytes at %p", size, start);
    return (int)syscall(SYS_mprotect, start, size, protection);
}

SHOWN void *mremap(void *start, size_t old_size, size_t size, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    void *target = (flags & MREMAP_FIXED) != 0 ? va_arg(arguments, void *) : NULL;
    va_end(arguments);
    T_CHECK(is_whole(start, old_size) && is_whole(target, size), "mremap of %zu bytes at %p to %zu at %p",
            old_size, start, size, target);
    return (void *)syscall(SYS_mremap, start, old_size, size, flags, target);
}
#endif

// ---- the load, with one page size

enum { BLOCKS = 400 };

static size_t size_of(size_t i, size_t most)
{
    uint64_t random = i + 1;
    return T_random_in(&random, 1, most);
}

static void fill_and_free(size_t count, size_t most)
{
    static unsigned char *blocks[BLOCKS];
    for (size_t i = 0; i < count; i++) {
        blocks[i] = i % 3 == 0 ? T_calloc(1, size_of(i, most)) : T_must_malloc(size_of(i, most));
        if (i % 3 == 0) T_CHECK(T_is_zero(blocks[i], size_of(i, most)), "calloc is not zero");
        T_fill(blocks[i], size_of(i, most), i);
    }
    for (size_t i = 0; i < count; i++) {
        size_t size = size_of(i, most);
        blocks[i] = T_realloc(blocks[i], size * 2);
        T_CHECK(blocks[i] != NULL, "no realloc to %zu bytes", size * 2);
        T_CHECK_PATTERN(blocks[i], size, i);
        T_free(blocks[i]);
    }
}

static void *live(void *unused)
{
    fill_and_free(BLOCKS, 4000);
    fill_and_free(BLOCKS, 60000);
    fill_and_free(100, 1000000);
    fill_and_free(20, 8000000);
    T_malloc_trim(0);
    return unused;
}

static void blocks_of_every_size(void)
{
    live(NULL);
    T_join(T_thread(live, NULL));
    live(NULL);
}

static void pages_are_as_large_as_the_systems(void)
{
    void *one = T_valloc(1), *whole = T_pvalloc(page() + 1);
    T_CHECK(one != NULL && whole != NULL, "no pages");
    T_CHECK_ALIGNED(one, page());
    T_CHECK_ALIGNED(whole, page());
    T_CHECK(T_usable_size(whole) >= 2 * page(), "pvalloc gave %zu bytes", T_usable_size(whole));
    T_free(one);
    T_free(whole);
}

static void children_too(void)
{
    pid_t child = fork();
    T_CHECK(child >= 0, "fork: %s", strerror(errno));
    if (child == 0) {
        live(NULL);
        _exit(0);
    }
    T_CHECK_CHILD(child);
}

// ---- each page size

static void start_with(const char *bytes)
{
    char *arguments[] = {(char *)"test_page_size", (char *)bytes, NULL};
    pid_t child;
    int error = posix_spawn(&child, "/proc/self/exe", NULL, NULL, arguments, environ);
    T_CHECK(error == 0, "no process: %s", strerror(error));
    T_CHECK_CHILD(child);
}

static void pages_of_4_kib(void)
{
    start_with("4096");
}

static void pages_of_16_kib(void)
{
    start_with("16384");
}

static void pages_of_64_kib(void)
{
    start_with("65536");
}

int main(int argc, char **argv)
{
    (void)argv;
    if (T_SANITIZER) T_not_run("a sanitizer maps memory by pages of its own");
    if (argc > 1) {
        T_RUN(blocks_of_every_size);
        T_RUN(pages_are_as_large_as_the_systems);
        T_RUN(children_too);
        return 0;
    }
    T_RUN(pages_of_4_kib);
    T_RUN(pages_of_16_kib);
    T_RUN(pages_of_64_kib);
    return 0;
}
