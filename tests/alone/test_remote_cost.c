// What a free of another thread's block costs, counted in instructions: it depends neither on the number of owners nor on
// what they hold.
//
// usage: test_remote_cost                        runs itself under valgrind, with the library preloaded
//        test_remote_cost OWNERS HELD ROUNDS     owners allocate, main frees all their blocks, mixed, in each round;
//                                                each owner holds HELD blocks meanwhile

#include "../csrc/test.h"

#include <pthread.h>

#include "preload.h"

enum { BLOCKS = 6144, SIZES = 12, OWNERS_MOST = 32 }; // blocks of all owners in a round
enum { FEW_ROUNDS = 2, MANY_ROUNDS = 8 };

static size_t owners, held, rounds;
static void **blocks;
static pthread_barrier_t gate;

static size_t size_of(size_t i)
{
    return 16 + i % SIZES * 80;
}

// The owner's blocks lie OWNERS apart: main frees one of each owner in turn.
static void *own(void *argument)
{
    size_t self = (size_t)argument;
    void **kept = T_pages((held + 1) * sizeof *kept);
    for (size_t i = 0; i < held; i++) kept[i] = T_must_malloc(size_of(i));
    for (size_t round = 0; round < rounds; round++) {
        for (size_t i = self; i < BLOCKS; i += owners) blocks[i] = T_must_malloc(size_of(i / owners));
        pthread_barrier_wait(&gate);
        pthread_barrier_wait(&gate); // main has freed them
    }
    for (size_t i = 0; i < held; i++) T_free(kept[i]);
    return NULL;
}

// Frees in an order in which neighbours come apart.
static void free_round(void)
{
    for (size_t i = 0, at = 0; i < BLOCKS; i++, at = (at + 1321) % BLOCKS) T_free(blocks[at]);
}

static void serve(char **argv)
{
    owners = strtoul(argv[1], NULL, 10);
    held = strtoul(argv[2], NULL, 10) / owners;
    rounds = strtoul(argv[3], NULL, 10);
    blocks = T_pages(BLOCKS * sizeof *blocks);
    pthread_barrier_init(&gate, NULL, (unsigned)owners + 1);
    pthread_t threads[OWNERS_MOST];
    for (size_t i = 0; i < owners; i++) threads[i] = T_thread(own, (void *)i);
    for (size_t round = 0; round < rounds; round++) {
        pthread_barrier_wait(&gate);
        free_round();
        pthread_barrier_wait(&gate);
    }
    for (size_t i = 0; i < owners; i++) T_join(threads[i]);
}

// ---- counting

static char own_path[PATH_MAX + 16];

__attribute__((noreturn)) static void become_valgrind(unsigned of, unsigned holding, unsigned turns)
{
    char numbers[3][16];
    snprintf(numbers[0], sizeof numbers[0], "%u", of);
    snprintf(numbers[1], sizeof numbers[1], "%u", holding);
    snprintf(numbers[2], sizeof numbers[2], "%u", turns);
    char name[] = "valgrind", tool[] = "--tool=cachegrind", sim[] = "--cache-sim=no";
    char out[] = "--cachegrind-out-file=/dev/null";
    char none[] = "--soname-synonyms=somalloc=nouserintercepts";
    char *words[] = {name, tool, sim, out, none, own_path, numbers[0], numbers[1], numbers[2], NULL};
    execvp(name, words);
    _exit(errno == ENOENT ? 77 : 1);
}

// Reads the number after "I refs:", which has commas.
static double refs_in(const char *said)
{
    const char *at = strstr(said, "I ");
    while (at != NULL && strncmp(at + strspn(at + 1, " ") + 1, "refs:", 5) != 0) at = strstr(at + 1, "I ");
    T_CHECK(at != NULL, "valgrind counted nothing:\n%s", said);
    double number = 0;
    for (at = strchr(at, ':') + 1; *at == ' ' || *at == ',' || (*at >= '0' && *at <= '9'); at++)
        if (*at >= '0') number = number * 10 + (*at - '0');
    return number;
}

static double instructions(unsigned of, unsigned holding, unsigned turns)
{
    static char said[1 << 14];
    int ends[2], status = 0;
    T_CHECK(pipe(ends) == 0, "pipe: %s", strerror(errno));
    pid_t child = fork();
    T_CHECK(child >= 0, "fork: %s", strerror(errno));
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        become_valgrind(of, holding, turns);
    }
    close(ends[1]);
    size_t length = 0;
    for (ssize_t got; (got = read(ends[0], said + length, sizeof said - 1 - length)) > 0;)
        length += (size_t)got;
    said[length] = '\0';
    close(ends[0]);
    T_CHECK(waitpid(child, &status, 0) == child, "waitpid: %s", strerror(errno));
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) T_not_run("valgrind is not installed");
    T_CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %d:\n%s", status, said);
    return refs_in(said);
}

// Returns the instructions of a round for each of its blocks: its request, its free and its way home.
static double cost(unsigned of, unsigned holding)
{
    double more = instructions(of, holding, MANY_ROUNDS) - instructions(of, holding, FEW_ROUNDS);
    return more / (MANY_ROUNDS - FEW_ROUNDS) / BLOCKS;
}

static void the_number_of_owners_does_not_matter(void)
{
    double one = cost(1, 0), many = cost(32, 0);
    T_CHECK(many < 1.5 * one, "a block costs %.0f instructions with one owner, %.0f with 32", one, many);
}

static void what_the_owners_hold_does_not_matter(void)
{
    double little = cost(4, 400), much = cost(4, 40000);
    T_CHECK(much < 1.25 * little, "a block costs %.0f instructions if its owner holds little, %.0f if much",
            little, much);
}

int main(int argc, char **argv)
{
    if (argc == 4) {
        serve(argv);
        return 0;
    }
    ssize_t length = readlink("/proc/self/exe", own_path, PATH_MAX);
    T_CHECK(length > 0, "readlink: %s", strerror(errno));
    preload_into_children();
    atexit(remove_preload_link);
    T_RUN(the_number_of_owners_does_not_matter);
    T_RUN(what_the_owners_hold_does_not_matter);
    return 0;
}
