// A program under valgrind's memcheck, with the library preloaded and in use. A correct program gets no error report;
// in debug builds, which report their blocks to memcheck, every mistake is found.
//
// usage: test_memcheck               runs itself, and test_api, under valgrind
//        test_memcheck sound         allocates in every way, makes no mistake
//        test_memcheck mistakes      makes some

#include "../csrc/test.h"

#include <sys/syscall.h>

#include "preload.h"

// ---- a system that refuses requests

#define SHOWN __attribute__((visibility("default"))) // the library shall find it before the C library's

static volatile bool refuses;

// The program's own definition, which the library calls too.
SHOWN void *mmap(void *address, size_t bytes, int protection, int flags, int file, off_t offset)
{
    if (!refuses) return (void *)syscall(SYS_mmap, address, bytes, protection, flags, file, offset);
    errno = ENOMEM;
    return MAP_FAILED;
}

// ---- what is run under valgrind

enum { SHRUNK = 3000000 }; // bytes; such a block has its own mapping

static void *const *volatile kept;

// When it returns, no pointer to its blocks is left.
__attribute__((noinline)) static void leak(void)
{
    char *lost = T_must_malloc(40);
    memset(lost, 1, 40);
    kept = T_calloc(3, 8);
}

// Shrinks a block that would move if there were room, and stays in place: the part cut off no longer belongs to the
// program.
static volatile char *shrink_in_place(void)
{
    char *block = T_must_malloc(SHRUNK + 4096);
    refuses = true;
    char *shrunk = T_realloc(block, SHRUNK);
    refuses = false;
    T_CHECK(shrunk == block, "a block that was to be shrunk is at %p instead of %p", shrunk, block);
    return shrunk;
}

static void make_mistakes(void)
{
    leak();
    static volatile char *volatile shrunk;
    shrunk = shrink_in_place();
    shrunk[SHRUNK - 1] = 4; // correct
    shrunk[SHRUNK] = 4;
    static char *volatile overrun, *volatile exact,
                                       *volatile before; // never freed, which memcheck would report too
    overrun = T_must_malloc(24);
    exact = T_must_malloc(64);
    before = T_must_malloc(64);
    ((volatile char *)overrun)[24] = 1;
    ((volatile char *)exact)[64] = 2;
    ((volatile char *)before)[-1] = 3;
    volatile char *unwritten = T_must_malloc(100);
    if (unwritten[50] == 7) dprintf(STDOUT_FILENO, "seven\n");
    T_free((void *)unwritten);
    dprintf(STDOUT_FILENO, "%d\n", unwritten[20]);
}

static void *allocate_in_every_way(void *unused)
{
    static const size_t sizes[] = {0, 1, 24, 64, 1000, 1024, 1025, 40000, 500000, 1 << 20, 3 << 20};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        size_t size = sizes[i];
        char *block = T_must_malloc(size), *zeroed = T_calloc(1, size), *aligned = T_memalign(256, size);
        T_CHECK(zeroed != NULL && aligned != NULL, "no block of %zu bytes", size);
        T_CHECK(T_is_zero(zeroed, size), "calloc of %zu bytes is not zero", size);
        T_CHECK_ALIGNED(aligned, 256);
        T_fill(block, T_usable_size(block), size);
        block = T_realloc(block, size * 2 + 1);
        T_CHECK_PATTERN(block, size, size);
        block = T_realloc(block, size / 2 + 1);
        T_CHECK_PATTERN(block, size / 2, size);
        T_free(block);
        T_free(zeroed);
        T_free(aligned);
    }
    return unused;
}

static void be_sound(void)
{
    allocate_in_every_way(NULL);
    T_join(T_thread(allocate_in_every_way, NULL));
    T_malloc_trim(0);
    allocate_in_every_way(NULL);
}

// ---- valgrind

enum { SAID_BYTES = 1 << 16, FOUND = 9 };

static char report[SAID_BYTES];

// Reads to the end of the file; text that does not fit is dropped.
static void read_all(int from)
{
    char rest[4096];
    size_t length = 0;
    for (ssize_t got; (got = read(from, rest, sizeof rest)) > 0;) {
        size_t fits = length + (size_t)got < SAID_BYTES ? (size_t)got : SAID_BYTES - 1 - length;
        memcpy(report + length, rest, fits);
        length += fits;
    }
    report[length] = '\0';
    close(from);
}

// By default valgrind replaces the malloc of every library.
__attribute__((noreturn)) static void become_valgrind(const char *program, const char *argument)
{
    char none[] = "--soname-synonyms=somalloc=nouserintercepts", leaks[] = "--leak-check=full";
    char status[] = "--error-exitcode=9", name[] = "valgrind";
    char *words[] = {name, none, leaks, status, (char *)program, (char *)argument, NULL};
    execvp(name, words);
    _exit(errno == ENOENT ? 77 : 1);
}

// Returns the exit status of a program under valgrind; its reports are in `report`.
static int run(const char *program, const char *argument)
{
    int ends[2], status = 0;
    T_CHECK(pipe(ends) == 0, "pipe: %s", strerror(errno));
    pid_t child = fork();
    T_CHECK(child >= 0, "fork: %s", strerror(errno));
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        become_valgrind(program, argument);
    }
    close(ends[1]);
    read_all(ends[0]);
    T_CHECK(waitpid(child, &status, 0) == child, "waitpid: %s", strerror(errno));
    T_CHECK(WIFEXITED(status), "%s died of signal %d:\n%s", argument, WTERMSIG(status), report);
    if (WEXITSTATUS(status) == 77) T_not_run("valgrind is not installed");
    if (strstr(report, "unhandled dwarf2 abbrev form") != NULL)
        T_not_run("this valgrind cannot read the debugging tables that this compiler writes");
    return WEXITSTATUS(status);
}

static void expect_report(const char *what)
{
    if (strstr(report, what) != NULL) return;
    dprintf(STDERR_FILENO, "%s\n", report);
    T_CHECK(false, "memcheck did not report \"%s\"", what);
}

static char own_path[PATH_MAX + 16];

static void a_sound_program_is_called_so(void)
{
    int status = run(own_path, "sound");
    T_CHECK(status == 0, "status %d:\n%s", status, report);
    expect_report("ERROR SUMMARY: 0 errors");
    if (!HAKMEM_BUILD_RELEASE) expect_report("All heap blocks were freed");
}

static void the_suite_of_the_interface_is_clean(void)
{
    char path[PATH_MAX + 16];
    strcpy(path, own_path);
    strcpy(strrchr(path, '/'), "/test_api");
    int status = run(path, NULL);
    T_CHECK(status == 0, "status %d:\n%s", status, report);
}

static void mistakes_are_found(void)
{
    int status = run(own_path, "mistakes");
    T_CHECK(status == FOUND, "status %d:\n%s", status, report);
    expect_report("is 0 bytes after a block of size 24 alloc'd");
    expect_report("is 0 bytes after a block of size 64 alloc'd");
    expect_report("is 0 bytes after a block of size 3,000,000 alloc'd");
    expect_report("is 1 bytes before a block of size 64 alloc'd");
    expect_report("Conditional jump or move depends on uninitialised value(s)");
    expect_report("is 20 bytes inside a block of size 100 free'd");
    expect_report("40 bytes in 1 blocks are definitely lost");
    T_CHECK(strstr(report, "24 bytes in 1 blocks are definitely lost") == NULL,
            "a block that is kept is lost:\n%s", report);
}

int main(int argc, char **argv)
{
    if (argc == 2) {
        if (strcmp(argv[1], "sound") == 0) be_sound();
        else make_mistakes();
        return 0;
    }
    ssize_t length = readlink("/proc/self/exe", own_path, PATH_MAX);
    T_CHECK(length > 0, "readlink: %s", strerror(errno));
    preload_into_children();
    atexit(remove_preload_link);
    T_RUN(a_sound_program_is_called_so);
    if (HAKMEM_BUILD_RELEASE) return 0; // a release build reports no blocks to memcheck
    if (T_CHECKS < 2) T_RUN(the_suite_of_the_interface_is_clean); // with full checks it takes a minute
    T_RUN(mistakes_are_found);
    return 0;
}
