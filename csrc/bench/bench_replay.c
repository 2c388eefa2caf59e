// Replay: what a real program asked of malloc, as the recorder wrote it; the blocks that it left are freed at the end.
//
// The calls come from a table of 8 bytes a call, in the recorded order, in one thread, again and again until there were
// enough. It stresses what no random load does: the sizes, lifetimes and order that programs really have.
//
// A program writes what it allocates, but a trace does not hold how much. Each new block gets a mark at both ends and, with
// --touch pages, a byte in each page; the marks are checked at its free or realloc. The steps of a trace with several
// threads depend on each other, so that threads would wait most of the time: such a trace is not replayed.

#include "bench_block.h"
#include "bench_trace.h"

enum print { PRINT_RUN, PRINT_COUNTS, PRINT_EVENTS };

static const char *const print_words[] = {"run", "counts", "events", NULL};
static const char *const kind_words[] = {"malloc", "calloc", "aligned", "realloc", "free"};
static const char *const end_words[] = {"exit", "limit", "no space"};

static const char *name;
static uint64_t touched = TOUCH_PAGES, print = PRINT_RUN;
static struct bench_trace trace;
static const struct bench_option own_options[] = {
    BENCH_OWN_TEXT("--trace", &name, "the trace: a path, or the name of one in build/traces"),
    BENCH_OWN_WORD("--touch", &touched, bench_touch_words, BENCH_TOUCH_DOC),
    BENCH_OWN_WORD("--print", &print, print_words,
                   "what is printed: the result of a run, or what is in the trace"),
    BENCH_OWN_END,
};

// ---- blocks ---------------------------------------------------------------------------------------------

// A block too small for a label has a byte of the mark at both ends.
static inline void write_ends(unsigned char *block, size_t size, uint32_t mark)
{
    if (size >= sizeof(struct bench_label)) {
        bench_label_block(block, size, mark, TOUCH_ENDS);
    } else if (size > 0) {
        block[0] = (unsigned char)mark;
        block[size - 1] = (unsigned char)mark;
    }
}

// What was written to a block of `had` bytes is there, as far as the block of `size` bytes reaches.
static inline void check_ends(const unsigned char *block, size_t had, size_t size, uint32_t mark)
{
    struct bench_label label = {(uint32_t)had, mark};
    if (had >= sizeof label && size >= sizeof label) memcpy(&label, block, sizeof label);
    if (__builtin_expect(label.mark != mark || label.size != had, 0)) bench_spoilt(block, mark, label.mark);
    const bool has_end = had > 0 && had <= size && (had < sizeof label || bench_has_end(had, TOUCH_ENDS));
    if (has_end && __builtin_expect(block[had - 1] != (unsigned char)mark, 0))
        bench_spoilt(block, (unsigned char)mark, block[had - 1]);
}

static inline void write_pages(unsigned char *block, size_t from, size_t size)
{
    for (size_t at = (from + BENCH_PAGE - 1) & ~(size_t)(BENCH_PAGE - 1); at < size; at += BENCH_PAGE)
        block[at] = (unsigned char)at;
}

// from: the bytes at the start that are in use already.
static inline void write_block(unsigned char *block, size_t from, size_t size, uint32_t mark)
{
    if (__builtin_expect(block == NULL && size > 0, 0)) bench_die("no memory for a block of %zu bytes", size);
    if (touched == TOUCH_NONE || block == NULL) return;
    if (touched == TOUCH_PAGES) write_pages(block, from, size);
    write_ends(block, size, mark);
}

static inline void check_zero(const unsigned char *block, size_t size)
{
    if (block != NULL && size > 0 && __builtin_expect((block[0] | block[size - 1]) != 0, 0))
        bench_die("calloc(1, %zu) returned block %p, which is not zero", size, (const void *)block);
}

// ---- calls ----------------------------------------------------------------------------------------------

static void *allocate_aligned(const struct trace_step *step)
{
    void *block = NULL;
    const size_t asked = (size_t)1 << step->exponent;
    const size_t align = asked < sizeof(void *) ? sizeof(void *) : asked;
    const int error = posix_memalign(&block, align, step->size);
    if (error != 0) bench_die("posix_memalign(%zu, %" PRIu32 "): %s", align, step->size, strerror(error));
    if (((uintptr_t)block & (align - 1)) != 0)
        bench_die("block %p is not aligned to %zu bytes", block, align);
    return block;
}

static unsigned char *allocate(const struct trace_step *step)
{
    if (step->kind == TRACE_ALIGNED) return allocate_aligned(step);
    if (step->kind == TRACE_MALLOC) return malloc(step->size);
    unsigned char *block = calloc(1, step->size);
    check_zero(block, step->size);
    return block;
}

// The step before tells the size that the block had.
static void reallocate(unsigned char **place, const struct trace_step *step)
{
    const size_t had = step[-1].size, size = step->size;
    const uint32_t mark = bench_mark_of(place);
    unsigned char *block = realloc(*place, size);
    if (block == NULL) bench_die("realloc to %zu bytes failed", size);
    if (touched != TOUCH_NONE) check_ends(block, had, size, mark);
    write_block(block, had, size, mark);
    *place = block;
}

static void end_block(unsigned char **place, const struct trace_step *step, uint64_t *checksum)
{
    if (touched != TOUCH_NONE && *place != NULL)
        check_ends(*place, step->size, step->size, bench_mark_of(place));
    *checksum += step->size;
    free(*place);
}

static void replay(unsigned char **slots, uint64_t *checksum)
{
    const struct trace_step *const end = trace.steps + trace.step_count;
    for (const struct trace_step *step = trace.steps; step < end; step++) {
        unsigned char **place = &slots[step->slot];
        if (step->kind == TRACE_FREE) {
            end_block(place, step, checksum);
        } else if (step->kind == TRACE_REALLOC) {
            reallocate(place, step);
        } else if (step->kind != TRACE_HAD) {
            *place = allocate(step);
            write_block(*place, 0, step->size, bench_mark_of(place));
        }
    }
}

static void run(struct bench_worker *worker)
{
    const uint64_t ops = worker->ops;
    worker->ops = 0;
    do {
        replay(worker->slots, &worker->checksum);
        worker->ops += trace.calls;
    } while (worker->ops + trace.calls <= ops && !bench_is_over(worker));
}

// Every block was freed in the run. The table of calls is the benchmark's: it does not count as memory that is kept.
static void clear(struct bench_worker *worker)
{
    (void)worker;
    bench_trace_drop(&trace);
}

// ---- what is in the trace -------------------------------------------------------------------------------

static void print_counts(void)
{
    const struct trace_state *const totals = &trace.totals;
    printf("{\"version\":%d,\"file_bytes\":%" PRIu64 ",\"events\":%" PRIu64, TRACE_VERSION,
           (uint64_t)sizeof(struct trace_header) + totals->bytes, totals->events);
    for (int kind = 0; kind < TRACE_KINDS; kind++)
        printf(",\"%s\":%" PRIu64, kind_words[kind], totals->counts[kind]);
    printf(",\"requested_bytes\":%" PRIu64 ",\"peak_blocks\":%" PRIu64 ",\"peak_bytes\":%" PRIu64
           ",\"ignored\":%" PRIu64 ",\"threads\":%" PRIu32 ",\"end\":\"%s\",\"calls\":%" PRIu64
           ",\"sizes\":{",
           totals->requested, totals->peak_blocks, totals->peak_bytes, totals->ignored, totals->threads,
           end_words[totals->end], trace.calls);
    const char *comma = "";
    for (int class = 0; class < TRACE_SIZE_CLASSES; class++) {
        if (trace.sizes[class] == 0) continue;
        printf("%s\"%" PRIu64 "\":%" PRIu64, comma, UINT64_C(1) << class, trace.sizes[class]);
        comma = ",";
    }
    puts("}}");
}

static void print_event(const struct trace_event *event)
{
    printf("%" PRIu32 " %s #%" PRIu64, event->thread, kind_words[event->kind], event->object);
    if (event->kind != TRACE_FREE) printf(" %" PRIu64, event->size);
    if (event->kind == TRACE_ALIGNED) printf(" %" PRIu64, UINT64_C(1) << event->exponent);
    putchar('\n');
}

static void print_events(const char *path)
{
    struct trace_reader reader = trace_open(path);
    struct trace_event event;
    while (trace_next(&reader, &event)) print_event(&event);
    trace_close(&reader);
}

// ---- the program ----------------------------------------------------------------------------------------

// A name without a slash is a trace of the build that this program belongs to: build/<folder>/bin/bench_replay.
static const char *find_trace(char path[PATH_MAX])
{
    if (name == NULL)
        bench_die("--trace is missing: the path of a trace, or the name of one in build/traces");
    if (strchr(name, '/') != NULL) return name;
    const ssize_t length = readlink("/proc/self/exe", path, PATH_MAX - 1);
    if (length <= 0) bench_die("/proc/self/exe: %s", strerror(errno));
    path[length] = '\0';
    for (int folder = 0; folder < 3; folder++) {
        char *const slash = strrchr(path, '/');
        if (slash != NULL) *slash = '\0';
    }
    const size_t used = strlen(path);
    const int more = snprintf(path + used, PATH_MAX - used, "/traces/%s.trace", name);
    if (more < 0 || (size_t)more >= PATH_MAX - used) bench_die("--trace %s: the path is too long", name);
    return path;
}

int main(int argc, char **argv)
{
    char path[PATH_MAX];
    struct bench_options options = {
        .ops = 4000000, .threads = 1, .limit_ms = BENCH_NO_LIMIT, .own = own_options};
    const struct bench_load load = {.name = "replay", .run = run, .clear = clear};
    bench_parse(argc, argv, "replays what a program asked of malloc", &options);
    if (options.threads != 1) bench_die("--threads: a trace is replayed in one thread");
    if (touched == TOUCH_LATE) bench_die("--touch late: a trace has blocks that are smaller than that");
    trace = bench_trace_of(find_trace(path));
    if (print == PRINT_COUNTS) print_counts();
    if (print == PRINT_EVENTS) print_events(trace.path);
    if (print != PRINT_RUN) return 0;
    if (trace.totals.threads > 1)
        bench_die("%s: it has %" PRIu32 " threads, and only traces of one thread are replayed", trace.path,
                  trace.totals.threads);
    if (trace.calls == 0) bench_die("%s: it has no events", trace.path);
    options.slots = trace.slots;
    return bench_workers(&load, &options);
}
