// The command line of the benchmark programs.
//
// Each option takes a number, where K and M stand for 1024 and 1024 * 1024, a word of a list, or any text. Complaints go to
// stderr with exit status 2. A program shares the options below as far as it knows them, and may add its own.

#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

#include "bench_allocator.h"
#include "bench_base.h"

enum { BENCH_NO_LIMIT = 600000 }; // milliseconds; no load takes so long

struct bench_options {
    uint64_t ops; // all workers together
    uint64_t slots; // of each worker
    uint64_t min, max; // bytes of a block, both included
    uint64_t threads;
    uint64_t rounds_of; // replacements in a thread's life
    uint64_t seed;
    uint64_t limit_ms; // a load that repeats itself ends after this time
    uint64_t after_ms; // 0 = memory after the last free is not measured
    const struct bench_option *own; // options of this program alone; the last one has no name
};

// value: where it goes; for the shared ones NULL, and `offset` in the options. words: ended by NULL; the value is
// the position of the word. text: where any text goes.
struct bench_option {
    const char *name;
    uint64_t *value;
    size_t offset;
    uint64_t low, high;
    const char *const *words;
    const char **text;
    const char *doc;
};

#define BENCH_OPTION(name, field, low, high, doc) \
    {name, NULL, offsetof(struct bench_options, field), low, high, NULL, NULL, doc}
#define BENCH_OWN(name, value, low, high, doc) {name, value, 0, low, high, NULL, NULL, doc}
#define BENCH_OWN_WORD(name, value, words, doc) {name, value, 0, 0, 0, words, NULL, doc}
#define BENCH_OWN_TEXT(name, text, doc) {name, NULL, 0, 0, 0, NULL, text, doc}
#define BENCH_OWN_END {NULL, NULL, 0, 0, 0, NULL, NULL, NULL}

// A program whose default of a shared option is 0, where 0 is no value, does not know that option.
static const struct bench_option bench_shared[] = {
    BENCH_OPTION("--ops", ops, 2, UINT64_C(1) << 40, "mallocs and frees of all threads together"),
    BENCH_OPTION("--slots", slots, 1, UINT64_C(1) << 26, "places for blocks, in each thread"),
    BENCH_OPTION("--min", min, 1, UINT64_C(1) << 30, "bytes of the smallest block"),
    BENCH_OPTION("--max", max, 1, UINT64_C(1) << 30, "bytes of the largest block"),
    BENCH_OPTION("--threads", threads, 1, 256, "threads at a time"),
    BENCH_OPTION("--rounds-of", rounds_of, 1, UINT64_C(1) << 40, "replacements in a thread's life"),
    BENCH_OPTION("--seed", seed, 0, UINT64_MAX, "start of the random numbers"),
    BENCH_OPTION("--limit-ms", limit_ms, 1, BENCH_NO_LIMIT, "end after this time, with fewer ops"),
    BENCH_OPTION("--after-ms", after_ms, 0, 60000, "report memory this long after the last free; 0 = do not"),
    BENCH_OWN_END,
};

static inline uint64_t *bench_value(struct bench_options *options, const struct bench_option *option)
{
    if (option->value != NULL) return option->value;
    return (uint64_t *)(void *)((char *)options + option->offset);
}

static inline bool bench_is_known(struct bench_options *options, const struct bench_option *option)
{
    return option->value != NULL || option->low == 0 || *bench_value(options, option) != 0;
}

static inline void bench_help_line(struct bench_options *options, const struct bench_option *option)
{
    if (option->text != NULL) {
        printf("  %-11s T  %s\n", option->name, option->doc);
        return;
    }
    const uint64_t value = *bench_value(options, option);
    if (option->words == NULL) {
        printf("  %-11s N  %s (%" PRIu64 ")\n", option->name, option->doc, value);
        return;
    }
    printf("  %-11s W  %s:", option->name, option->doc);
    for (const char *const *word = option->words; *word != NULL; word++) printf(" %s", *word);
    printf(" (%s)\n", option->words[value]);
}

__attribute__((noreturn)) static inline void bench_help(const char *program, const char *doc,
                                                        struct bench_options *options)
{
    printf("%s: %s\n", program, doc);
    for (const struct bench_option *option = bench_shared; option->name != NULL; option++)
        if (bench_is_known(options, option)) bench_help_line(options, option);
    for (const struct bench_option *option = options->own; option != NULL && option->name != NULL; option++)
        bench_help_line(options, option);
    exit(0);
}

// The value of a number such as 12, 64K or 8M; false where the text is none.
static inline bool bench_read_number(const char *text, uint64_t *value)
{
    char *end = NULL;
    if (text == NULL || *text < '0' || *text > '9') return false;
    errno = 0;
    *value = strtoull(text, &end, 10);
    const int shift = *end == 'K' ? 10 : *end == 'M' ? 20 : 0;
    if (errno != 0 || *value > UINT64_MAX >> shift) return false;
    *value <<= shift;
    return end[shift != 0] == '\0';
}

static inline uint64_t bench_number(const struct bench_option *option, const char *text)
{
    uint64_t value = 0;
    if (!bench_read_number(text, &value) || value < option->low || value > option->high)
        bench_die("%s takes a number from %" PRIu64 " to %" PRIu64, option->name, option->low, option->high);
    return value;
}

static inline uint64_t bench_word(const struct bench_option *option, const char *text)
{
    for (uint64_t i = 0; text != NULL && option->words[i] != NULL; i++)
        if (strcmp(option->words[i], text) == 0) return i;
    bench_die("%s does not take '%s'; --help lists its words", option->name, text != NULL ? text : "");
}

static inline const char *bench_text(const struct bench_option *option, const char *text)
{
    if (text == NULL || *text == '\0') bench_die("%s takes a text", option->name);
    return text;
}

static inline const struct bench_option *bench_find(struct bench_options *options, const char *name)
{
    for (const struct bench_option *option = bench_shared; option->name != NULL; option++)
        if (strcmp(name, option->name) == 0 && bench_is_known(options, option)) return option;
    for (const struct bench_option *option = options->own; option != NULL && option->name != NULL; option++)
        if (strcmp(name, option->name) == 0) return option;
    bench_die("unknown option '%s'; --help lists them", name);
}

// Read the command line over the defaults in `options`.
static inline void bench_parse(int argc, char **argv, const char *doc, struct bench_options *options)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) bench_help(argv[0], doc, options);
        const struct bench_option *option = bench_find(options, argv[i]);
        const char *text = argv[++i];
        if (option->text != NULL) *option->text = bench_text(option, text);
        else
            *bench_value(options, option) =
                option->words != NULL ? bench_word(option, text) : bench_number(option, text);
    }
    if (options->min > options->max) bench_die("--min is above --max");
    char path[PATH_MAX];
    bench_allocator(path); // a mixture of two ends here, before it can crash
}

#endif
