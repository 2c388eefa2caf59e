// The report: formatted into a buffer, so it never allocates.
#define _GNU_SOURCE
#include "thread/tiny_count_report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "registry/tiny_state.h"
#include "thread/tiny_tls.h"

void tiny_count_complain(const char *format, ...)
{
    char line[256] = "hakmem: stats: ";
    size_t start = strlen(line);
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line + start, sizeof line - start, format, arguments);
    va_end(arguments);
    if (length > 0) {
        size_t bytes = start + (size_t)length < sizeof line ? start + (size_t)length : sizeof line - 1;
        ssize_t written = write(STDERR_FILENO, line, bytes);
        (void)written; // a failed write to stderr cannot be reported
    }
}

typedef struct output {
    int file;
    size_t used;
    char text[4096];
} output_t;

static void flush(output_t *out)
{
    for (size_t done = 0; done < out->used;) {
        ssize_t written = write(out->file, out->text + done, out->used - done);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) {
            tiny_count_complain("the counts cannot be written: %s\n", strerror(errno));
            break;
        }
        done += (size_t)written;
    }
    out->used = 0;
}

// Writes up to 256 bytes per call.
__attribute__((format(printf, 2, 3))) static void put(output_t *out, const char *format, ...)
{
    if (sizeof out->text - out->used < 256) flush(out);
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(out->text + out->used, 256, format, arguments);
    va_end(arguments);
    if (length > 0) out->used += (size_t)length < 256 ? (size_t)length : 255;
}

static void put_counts(output_t *out, const char *name, const _Atomic(uint64_t) *by_class)
{
    put(out, "\"%s\": [", name);
    for (size_t class = 0; class < TINY_CLASSES; class++)
        put(out, "%s%llu", class > 0 ? ", " : "", (unsigned long long)tiny_count_value(&by_class[class]));
    put(out, "]");
}

static void put_moves(output_t *out, const char *name, const _Atomic(uint64_t) by_purpose[][TINY_CLASSES])
{
    static const char *const purposes[] = {
#define PURPOSE_NAME(purpose) #purpose,
        TINY_PURPOSES(PURPOSE_NAME)};
    put(out, "\"%s\": {", name);
    for (unsigned purpose = TINY_FOR_request + 1; purpose < TINY_PURPOSE_COUNT; purpose++) {
        put_counts(out, purposes[purpose], by_purpose[purpose]);
        put(out, purpose + 1 < TINY_PURPOSE_COUNT ? ", " : "}, ");
    }
}

static void put_layer(output_t *out, const tiny_count_totals_t *totals, unsigned layer)
{
    const tiny_layer_counts_t *of = &totals->sum->layer[layer];
    _Atomic(uint64_t) held[TINY_CLASSES];
    for (size_t class = 0; class < TINY_CLASSES; class++) held[class] = tiny_layer_table[layer].held(class);
    put(out, "%s\n  \"%s\": {", layer > 0 ? "," : "", tiny_layer_table[layer].name);
#define COUNTER_PUT(counter) \
    put_counts(out, #counter, of->counter); \
    put(out, ", ");
    TINY_COUNTERS(COUNTER_PUT)
    put_moves(out, "in", of->in);
    put_moves(out, "out", of->out);
    put_counts(out, "held", held);
    put(out, ", ");
    put_counts(out, "peak", of->peak);
    put(out, "}");
}

static void put_json(output_t *out, const tiny_count_totals_t *totals)
{
    put(out, "{\"variant\": \"%s\", \"classes\": [", TINY_VARIANT);
    for (size_t class = 0; class < TINY_CLASSES; class++)
        put(out, "%s%u", class > 0 ? ", " : "", (unsigned)tiny_class_size[class]);
    put(out, "],\n\"threads\": {\"ended\": %llu, \"running\": %llu},\n", (unsigned long long)totals->ended,
        (unsigned long long)totals->running);
    put_counts(out, "requests", totals->sum->requests);
    put(out, ",\n");
    put_counts(out, "unserved", totals->sum->unserved);
    put(out, ",\n");
    put_counts(out, "frees", totals->sum->frees);
    put(out, ",\n\"layers\": {");
    for (unsigned layer = 0; layer < TINY_LAYERS; layer++) put_layer(out, totals, layer);
    put(out, "}}\n");
    flush(out);
}

static uint64_t total(const _Atomic(uint64_t) *by_class)
{
    uint64_t all = 0;
    for (size_t class = 0; class < TINY_CLASSES; class++) all += tiny_count_value(&by_class[class]);
    return all;
}

static void put_row(output_t *out, const tiny_count_totals_t *totals, unsigned layer)
{
    const tiny_layer_counts_t *of = &totals->sum->layer[layer];
    uint64_t entries = total(of->entries), held = 0;
    for (size_t class = 0; class < TINY_CLASSES; class++)
        held += tiny_layer_table[layer].held(class) * tiny_class_size[class];
    put(out, "%-16s %12llu %12llu %6.1f%% %12llu %12llu %12llu\n", tiny_layer_table[layer].title,
        (unsigned long long)entries, (unsigned long long)total(of->hits),
        entries > 0 ? 100.0 * (double)total(of->hits) / (double)entries : 0.0,
        (unsigned long long)total(of->offered), (unsigned long long)total(of->accepted),
        (unsigned long long)held);
}

static void put_table(output_t *out, const tiny_count_totals_t *totals)
{
    put(out, "hakmem: stats: %s, %llu threads, %llu requests, %llu frees of own blocks\n", TINY_VARIANT,
        (unsigned long long)totals->ended, (unsigned long long)total(totals->sum->requests),
        (unsigned long long)total(totals->sum->frees));
    put(out, "%-16s %12s %12s %7s %12s %12s %12s\n", "layer", "entries", "hits", "", "offered", "accepted",
        "bytes held");
    for (unsigned layer = 0; layer < TINY_LAYERS; layer++) put_row(out, totals, layer);
    if (totals->running > 0)
        put(out, "%llu threads are still running: what they did is not counted\n",
            (unsigned long long)totals->running);
    flush(out);
}

// Expands each "%p" in the file name to the process id. False: the result does not fit.
static bool expand(const char *wanted, char *name, size_t room)
{
    size_t used = 0;
    for (const char *from = wanted; *from != '\0' && used + 1 < room;) {
        if (from[0] == '%' && from[1] == 'p') {
            used += (size_t)snprintf(name + used, room - used, "%ld", (long)getpid());
            from += 2;
        } else name[used++] = *from++;
    }
    if (used >= room - 1) return false;
    name[used] = '\0';
    return true;
}

void tiny_count_write_file(const char *wanted, const tiny_count_totals_t *totals)
{
    static char name[TINY_COUNT_FILE_NAME + 32];
    static output_t out;
    out.file =
        expand(wanted, name, sizeof name) ? open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666) : -1;
    if (out.file < 0) {
        tiny_count_complain("%.160s cannot be written: %s\n", wanted, strerror(errno));
        return;
    }
    put_json(&out, totals);
    close(out.file);
}

void tiny_count_print_table(const tiny_count_totals_t *totals)
{
    static output_t table = {.file = STDERR_FILENO};
    put_table(&table, totals);
}
