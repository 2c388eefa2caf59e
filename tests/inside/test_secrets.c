// The process's secret: where it comes from, and that no allocated block reveals it.
//
// With basic checks, free blocks carry the secret as a mark; with full checks, links and canaries depend on it and
// on their own address.

#include "inside.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "hakmem.h"
#include "hardened/tiny_checks.h"
#include "os/os.h"
#include "os/secret.h"
#include "registry/tiny_state.h"

#define NO_BYTE_IS_ZERO UINT64_C(0x0101010101010101)

// ---- the source of the secret

// In this process, every system call with that number fails from now on.
static bool refuse(long number, int error)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

// The secret equals neither of the two words that the kernel gave at the start, and two secrets differ.
static void check_secrets(void)
{
    uint64_t given[2];
    memcpy(given, (const void *)getauxval(AT_RANDOM), sizeof given);
    errno = 1234;
    uint64_t one = os_secret(), other = os_secret();
    T_CHECK(errno == 1234, "errno is %d", errno);
    T_CHECK(one != 0 && other != 0 && one != other, "%" PRIx64 " and %" PRIx64 " are no two secrets", one,
            other);
    for (int i = 0; i < 2; i++)
        T_CHECK((one ^ given[i]) >> 1 != 0 && (other ^ given[i]) >> 1 != 0,
                "the secret is a number of the start");
}

static void a_secret_is_new_at_each_call(void)
{
    check_secrets();
}

static void a_secret_is_made_without_getrandom(void)
{
    static const int errors[] = {ENOSYS, EPERM, EAGAIN};
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        pid_t child = fork();
        T_CHECK(child >= 0, "no child: %s", strerror(errno));
        if (child == 0) {
            if (!refuse(SYS_getrandom, errors[i])) _exit(77);
            check_secrets();
            _exit(0);
        }
        int status;
        T_CHECK(waitpid(child, &status, 0) == child, "waitpid: %s", strerror(errno));
        if (WIFEXITED(status) && WEXITSTATUS(status) == 77) T_not_run("the kernel has no seccomp filters");
        T_CHECK(status == 0, "error %d of getrandom: the child ended with %#x", errors[i], (unsigned)status);
    }
}

// ---- blocks that must not reveal it

#if TINY_CHECKS >= TINY_CHECKS_BASIC

// True if the word at the place is the secret, or is derived from it and from the place.
__attribute__((no_sanitize("address"))) static bool shows(const uint64_t *word)
{
    uint64_t secret = tiny_secret();
    if ((*word ^ secret) >> 1 == 0) return true;
#if TINY_CHECKS >= TINY_CHECKS_FULL
    return *word == tiny_pad(word) || *word == (tiny_pad(word) | NO_BYTE_IS_ZERO);
#else
    return false;
#endif
}

static void *take(size_t size)
{
    uint64_t *block = hak_malloc(size);
    T_CHECK(block != NULL, "no block of %zu bytes", size);
    size_t words = hak_malloc_usable_size(block) / sizeof *block;
    for (size_t i = 0; i < words; i++)
        T_CHECK(!shows(&block[i]), "a block of %zu bytes shows the secret in word %zu", size, i);
    return block;
}

enum { BLOCKS = 4000 };
static void *blocks[BLOCKS];

static void *release_half(void *odd)
{
    for (size_t i = odd != NULL; i < BLOCKS; i += 2) {
        hak_free(blocks[i]);
        blocks[i] = NULL;
    }
    return NULL;
}

static size_t next_size(size_t size)
{
    return size < 64 ? size + 16 : size + size / 3;
}

static size_t count_for(size_t size)
{
    return size < 4096 ? BLOCKS : BLOCKS / 40;
}

static void fill_table(size_t size)
{
    for (size_t i = 0; i < count_for(size); i++)
        if (blocks[i] == NULL) blocks[i] = take(size);
}

// Blocks are freed by other threads and by this one; then their memory is used for larger blocks, in pages and in runs
// of other lengths.
static void no_block_shows_it(void)
{
    for (size_t size = 16; size < 200000; size = next_size(size)) {
        fill_table(size);
        T_join(T_thread(release_half, NULL));
        fill_table(size);
        release_half(blocks);
        fill_table(size + size / 2);
        T_join(T_thread(release_half, NULL));
        release_half(blocks);
    }
}

// A block that grows gets more memory than it asks for.
static void no_block_shows_it_after_others_have_grown(void)
{
    enum { SIZE = 3000, GROWN = 3100, NEXT = 3900 };
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < BLOCKS; i++) {
            void *block = hak_malloc(SIZE);
            blocks[i] = hak_realloc(block, GROWN);
            T_CHECK(block != NULL && blocks[i] != NULL, "no block");
        }
        release_half(NULL);
        release_half(blocks);
        fill_table(NEXT);
        release_half(NULL);
        release_half(blocks);
    }
}

#endif

int main(void)
{
#if TINY_CHECKS >= TINY_CHECKS_BASIC
    T_RUN(no_block_shows_it);
    T_RUN(no_block_shows_it_after_others_have_grown);
#endif
    T_RUN(a_secret_is_new_at_each_call);
    T_RUN(a_secret_is_made_without_getrandom);
    return 0;
}
