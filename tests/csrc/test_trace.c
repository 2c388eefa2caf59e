// Traces of operations over threads, checked byte by byte: random ones, or one from a file.
//
// usage: test_trace                          a short random trace, then the same with the threads running freely
//        test_trace FILE [--free-running]    the trace in FILE; trace/text.h has its format
//        test_trace --decode FILE            a fuzzer's input as text (trace/binary.h)
//        test_trace --encode FILE            the other way round
//        test_trace --ops N [--seconds S] [--seed X] [--threads T] [--slots B] [--free-running | --print]
//
// The last form runs random operations until N operations and S seconds have passed. Half of them let the threads run
// freely; with --free-running, all do. --print shows them as text instead, as a file to be reduced.

#include "trace/binary.h"
#include "trace/random.h"
#include "trace/text.h"

enum { CHUNK = 1 << 14 };

struct wish {
    const char *file;
    size_t ops;
    double seconds;
    struct trace_source source;
    bool free_running, print;
};

static const struct trace_source USUAL = {.random = 1, .threads = 4, .slots = 600};

__attribute__((noreturn)) static void refuse(const char *word)
{
    dprintf(STDERR_FILENO, "test_trace: %s is not understood; see the head of tests/csrc/test_trace.c\n",
            word);
    _exit(2);
}

static size_t number_after(int argc, char **argv, int *at, size_t low, size_t high)
{
    if (++*at >= argc) refuse(argv[*at - 1]);
    char *end;
    unsigned long long value = strtoull(argv[*at], &end, 10);
    if (argv[*at][0] < '0' || argv[*at][0] > '9' || *end != '\0' || value < low || value > high)
        refuse(argv[*at]);
    return (size_t)value;
}

static void read_word(struct wish *wish, int argc, char **argv, int *at)
{
    const char *word = argv[*at];
    if (strcmp(word, "--ops") == 0) wish->ops = number_after(argc, argv, at, 1, UINT32_MAX);
    else if (strcmp(word, "--seconds") == 0) wish->seconds = (double)number_after(argc, argv, at, 0, 1000000);
    else if (strcmp(word, "--seed") == 0) wish->source.random = number_after(argc, argv, at, 0, SIZE_MAX);
    else if (strcmp(word, "--threads") == 0)
        wish->source.threads = (unsigned)number_after(argc, argv, at, 1, TRACE_THREADS);
    else if (strcmp(word, "--slots") == 0)
        wish->source.slots = (unsigned)number_after(argc, argv, at, 1, TRACE_SLOTS);
    else if (strcmp(word, "--free-running") == 0) wish->free_running = true;
    else if (strcmp(word, "--print") == 0) wish->print = true;
    else if (word[0] == '-' || wish->file != NULL) refuse(word);
    else wish->file = word;
}

// Runs chunk by chunk; blocks survive from one chunk to the next.
static void run_random(const struct wish *wish)
{
    struct trace trace = {"random", T_pages(CHUNK * sizeof *trace.ops), 0};
    struct trace_source source = wish->source;
    double end = T_seconds() + wish->seconds;
    for (size_t done = 0; done < wish->ops || T_seconds() < end; done += trace.count) {
        size_t left = wish->ops > done ? wish->ops - done : CHUNK;
        trace_draw(&source, &trace, left < CHUNK ? left : CHUNK);
        if (wish->print) trace_print(&trace);
        else trace_run(&trace, wish->free_running);
    }
    trace_end_threads();
    trace_finish(source.made + 1);
    if (!wish->print) printf("%u operations%s\n", source.made, wish->free_running ? ", free running" : "");
}

static void run_both_ways(struct wish wish)
{
    wish.ops = (wish.ops + 1) / 2;
    wish.seconds /= 2;
    run_random(&wish);
    wish.free_running = true;
    run_random(&wish);
}

static void run_file(const struct wish *wish)
{
    struct trace trace = trace_load(wish->file);
    trace_run(&trace, wish->free_running);
    trace_end_threads();
    trace_finish(trace.count > 0 ? trace.ops[trace.count - 1].line + 1 : 1);
    printf("%zu operations\n", trace.count);
}

static void decode(const char *file)
{
    struct stat facts;
    const uint8_t *bytes = (const uint8_t *)trace_file_text(file);
    size_t size = stat(file, &facts) == 0 ? (size_t)facts.st_size : 0;
    struct trace trace = trace_decode(bytes, size, T_pages(size * sizeof(struct trace_op) + 1));
    trace_print(&trace);
}

static void encode(const char *file)
{
    struct trace trace = trace_load(file);
    for (size_t i = 0; i < trace.count; i++) {
        uint8_t bytes[TRACE_OP_BYTES];
        trace_encode_op(&trace.ops[i], bytes);
        fwrite(bytes, 1, sizeof bytes, stdout);
    }
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--decode") == 0) {
        decode(argv[2]);
        return 0;
    }
    if (argc == 3 && strcmp(argv[1], "--encode") == 0) {
        encode(argv[2]);
        return 0;
    }
    struct wish wish = {.ops = 200000, .source = USUAL};
    for (int at = 1; at < argc; at++) read_word(&wish, argc, argv, &at);
    if (wish.file != NULL) run_file(&wish);
    else if (wish.free_running || wish.print) run_random(&wish);
    else run_both_ways(wish);
    return 0;
}
