// Startup: processes that do little, one after the other.
//
// The program runs itself again and again; each child allocates and frees a few blocks and ends. Time is that of the
// whole process: the loader, the set-up of the allocator, its first blocks, the end. Memory is the highest of a child.
// It stresses what an allocator does before it is useful: reserved regions, tables, environment variables, threads.
//
// After: configure scripts and compilers that start thousands of small programs.

#include "bench_block.h"

#include <spawn.h>
#include <sys/wait.h>

enum { MOST_WORDS = 60 };

extern char **environ;

static uint64_t child = 0; // file descriptor for a child's answer, 0 in the parent
static const struct bench_option own_options[] = {
    BENCH_OWN("--child", &child, 1, 1024, "be a child that writes its peak memory to this file descriptor"),
    BENCH_OWN_END,
};

struct answer {
    uint64_t peak_kib, checksum;
};

// What a small program does: some blocks, freed in the end.
static int be_child(const struct bench_options *options)
{
    uint64_t random = options->seed;
    struct answer answer = {0, 0};
    unsigned char **slots = bench_pages(options->slots * sizeof *slots);
    for (uint64_t i = 0; i < options->slots; i++) {
        const size_t size =
            bench_size_of(bench_random(&random), options->min, options->max - options->min + 1);
        bench_put(&slots[i], malloc(size), size, TOUCH_ENDS);
    }
    bench_free_places(slots, options->slots, TOUCH_ENDS, &answer.checksum);
    answer.peak_kib = bench_peak_kib();
    if (write((int)child, &answer, sizeof answer) != sizeof answer)
        bench_die("a child cannot write its answer");
    return 0;
}

static void start_child(char **argv, int answers)
{
    pid_t pid;
    int status = 0;
    char number[16], *words[MOST_WORDS + 3]; // the child's option, its number, the end
    size_t count = 0;
    for (; argv[count] != NULL && count < MOST_WORDS; count++) words[count] = argv[count];
    if (argv[count] != NULL) bench_die("more than %d arguments", MOST_WORDS);
    snprintf(number, sizeof number, "%d", answers);
    words[count++] = "--child";
    words[count++] = number;
    words[count] = NULL;
    const int error = posix_spawn(&pid, "/proc/self/exe", NULL, NULL, words, environ);
    if (error != 0) bench_die("cannot start a child: %s", strerror(error));
    if (waitpid(pid, &status, 0) != pid || status != 0) bench_die("a child failed, status %d", status);
}

static void read_answer(int answers, struct bench_result *result)
{
    struct answer answer;
    if (read(answers, &answer, sizeof answer) != sizeof answer) bench_die("a child gave no answer");
    if (answer.peak_kib > result->peak_kib) result->peak_kib = answer.peak_kib;
    result->checksum += answer.checksum;
}

// The children's CPU time is all that counts: this process waits for them.
static void run_children(const struct bench_options *options, char **argv, struct bench_result *result)
{
    int answers[2];
    if (pipe(answers) != 0) bench_die("cannot make a pipe: %s", strerror(errno));
    const double cpu = bench_cpu_seconds(RUSAGE_CHILDREN);
    bench_start(&result->spent);
    do {
        start_child(argv, answers[1]);
        read_answer(answers[0], result);
        result->ops += options->slots * 2;
    } while (result->ops + options->slots * 2 <= options->ops);
    bench_stop(&result->spent);
    result->spent.cpu = bench_cpu_seconds(RUSAGE_CHILDREN) - cpu;
}

int main(int argc, char **argv)
{
    struct bench_options options = {
        .ops = 60000, .slots = 50, .min = 16, .max = 4096, .seed = 1, .own = own_options};
    bench_parse(argc, argv, "processes that do little", &options);
    bench_check_min(&options, TOUCH_ENDS);
    if (child != 0) return be_child(&options);
    struct bench_result result = {.name = "startup", .has_after = options.after_ms != 0};
    run_children(&options, argv, &result);
    if (options.after_ms != 0) result.after_kib = bench_quiet_kib(options.after_ms);
    bench_print(&result);
    return 0;
}
