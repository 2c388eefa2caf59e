// Counting, in builds with HAKMEM_STATS: a thread's counts, their sum, the equations that they satisfy, and the report
// at exit.
//
// For each layer and class: hits + passed on = entries; accepted + passed on = offers; in - out = held. For each
// class: the hits of all layers + unserved = requests. A violation ends the process with one line on stderr.
//
// HAKMEM_STATS_FILE, read at start, names the file for the counts, as JSON; "%p" in it becomes the process id.
// HAKMEM_STATS=1 prints a table to stderr.
#define _GNU_SOURCE
#include "thread/tiny_count.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "front/tiny_front.h"

// ---- the counts

// Counters of a layer and a class. `in` and `out` count moves by purpose; blocks moved for a request count as hits and
// accepted offers.
#define COUNTERS(X) X(entries) X(hits) X(misses) X(offered) X(accepted) X(refused)

#define COUNTER_FIELD(counter) _Atomic(uint64_t) counter[TINY_CLASSES];
typedef struct layer_counts {
    COUNTERS(COUNTER_FIELD)
    _Atomic(uint64_t) in[TINY_PURPOSE_COUNT][TINY_CLASSES];
    _Atomic(uint64_t) out[TINY_PURPOSE_COUNT][TINY_CLASSES];
    _Atomic(uint64_t) peak[TINY_CLASSES]; // the most blocks that one thread held
} layer_counts_t;

typedef struct counts {
    _Atomic(uint64_t) requests[TINY_CLASSES];
    _Atomic(uint64_t) unserved[TINY_CLASSES];
    _Atomic(uint64_t) frees[TINY_CLASSES];
    layer_counts_t layer[TINY_LAYERS];
} counts_t;

static HAK_TLS counts_t own;
static HAK_TLS enum state { UNKNOWN, RUNNING, ENDED } state;
static HAK_TLS tiny_purpose_t current; // the purpose for which layers are called
static counts_t sum; // of threads that have ended, and of what threads do after their end
static _Atomic(uint64_t) ended, running;

// Returns the counters that the calling thread updates.
static counts_t *counts(void)
{
    if (UNLIKELY(state == UNKNOWN)) {
        state = RUNNING;
        atomic_fetch_add(&running, 1);
    }
    return LIKELY(state == RUNNING) ? &own : &sum;
}

static uint64_t value(const _Atomic(uint64_t) *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static void add(_Atomic(uint64_t) *counter, uint64_t count)
{
    atomic_fetch_add_explicit(counter, count, memory_order_relaxed);
}

static void raise_to(_Atomic(uint64_t) *counter, uint64_t count)
{
    uint64_t old = value(counter);
    while (old < count && !atomic_compare_exchange_weak(counter, &old, count)) continue;
}

tiny_purpose_t tiny_count_enter(tiny_purpose_t purpose)
{
    tiny_purpose_t outside = current;
    current = purpose;
    return outside;
}

void tiny_count_leave(const tiny_purpose_t *outside)
{
    current = *outside;
}

void tiny_count_request(size_t class)
{
    add(&counts()->requests[class], 1);
}

void tiny_count_free(const void *block)
{
    uint64_t class = tiny_own_class(block, tiny_front.tag);
    if (class < TINY_CLASSES) add(&counts()->frees[class], 1);
}

void tiny_count_unserved(size_t class)
{
    add(&counts()->unserved[class], 1);
}

// Only requests count as passed on: a move that finds no block, or no room, moves nothing.
void tiny_count_asked(unsigned layer, size_t class)
{
    if (current == TINY_FOR_request) add(&counts()->layer[layer].entries[class], 1);
}

void *tiny_count_answer(unsigned layer, size_t class, void *block)
{
    layer_counts_t *counted = &counts()->layer[layer];
    if (current == TINY_FOR_request) add(block != NULL ? &counted->hits[class] : &counted->misses[class], 1);
    else if (block != NULL) add(&counted->out[current][class], 1);
    return block;
}

void tiny_count_offer(unsigned layer, size_t class)
{
    if (current == TINY_FOR_request) add(&counts()->layer[layer].offered[class], 1);
}

bool tiny_count_kept(unsigned layer, size_t class, bool kept, size_t held)
{
    layer_counts_t *counted = &counts()->layer[layer];
    if (current == TINY_FOR_request) add(kept ? &counted->accepted[class] : &counted->refused[class], 1);
    else if (kept) add(&counted->in[current][class], 1);
    raise_to(&counted->peak[class], held);
    return kept;
}

void tiny_count_in(unsigned layer, size_t class, size_t blocks, size_t held)
{
    layer_counts_t *counted = &counts()->layer[layer];
    add(&counted->in[current][class], blocks);
    raise_to(&counted->peak[class], held);
}

void tiny_count_out(unsigned layer, tiny_purpose_t purpose, size_t class, size_t blocks)
{
    add(&counts()->layer[layer].out[purpose][class], blocks);
}

// Until resumed, counts go to the sum, which the equations do not cover.
int tiny_count_pause(void)
{
    int outside = state;
    state = ENDED;
    return outside;
}

void tiny_count_resume(const int *outside)
{
    state = (enum state) * outside;
}

// ---- the equations

__attribute__((format(printf, 1, 2))) static void complain(const char *format, ...)
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

__attribute__((noreturn)) static void break_law(unsigned layer, size_t class, const char *what,
                                                uint64_t first, uint64_t second, uint64_t whole)
{
    complain("%s, class C%zu: %s: %llu, %llu, %llu\n", tiny_layer_table[layer].title, class, what,
             (unsigned long long)first, (unsigned long long)second, (unsigned long long)whole);
    abort();
}

static uint64_t moved(const _Atomic(uint64_t) by_purpose[TINY_PURPOSE_COUNT][TINY_CLASSES], size_t class)
{
    uint64_t blocks = 0;
    for (unsigned purpose = 0; purpose < TINY_PURPOSE_COUNT; purpose++)
        blocks += value(&by_purpose[purpose][class]);
    return blocks;
}

static void check_layer(unsigned layer, size_t class)
{
    const layer_counts_t *of = &own.layer[layer];
    uint64_t hits = value(&of->hits[class]), accepted = value(&of->accepted[class]);
    uint64_t misses = value(&of->misses[class]), refused = value(&of->refused[class]);
    uint64_t in = accepted + moved(of->in, class), out = hits + moved(of->out, class);
    uint64_t held = tiny_layer_table[layer].held(class);
    if (hits + misses != value(&of->entries[class]))
        break_law(layer, class, "hits + passed on = entries does not hold", hits, misses,
                  value(&of->entries[class]));
    if (accepted + refused != value(&of->offered[class]))
        break_law(layer, class, "accepted + passed on = offered does not hold", accepted, refused,
                  value(&of->offered[class]));
    if (in - out != held) break_law(layer, class, "in - out = held does not hold", in, out, held);
}

// Checks the counts of the calling thread.
static void check_law(void)
{
    for (size_t class = 0; class < TINY_CLASSES; class++) {
        uint64_t served = value(&own.unserved[class]);
        for (unsigned layer = 0; layer < TINY_LAYERS; layer++) {
            check_layer(layer, class);
            served += value(&own.layer[layer].hits[class]);
        }
        if (served == value(&own.requests[class])) continue;
        complain("class C%zu: %llu requests, but %llu answers\n", class,
                 (unsigned long long)value(&own.requests[class]), (unsigned long long)served);
        abort();
    }
}

// ---- the end of a thread

static void add_all(_Atomic(uint64_t) *to, const _Atomic(uint64_t) *from, size_t counters)
{
    for (size_t i = 0; i < counters; i++)
        if (value(&from[i]) != 0) add(&to[i], value(&from[i]));
}

static void add_own_to_sum(void)
{
    add_all(sum.requests, own.requests, TINY_CLASSES);
    add_all(sum.unserved, own.unserved, TINY_CLASSES);
    add_all(sum.frees, own.frees, TINY_CLASSES);
    for (unsigned layer = 0; layer < TINY_LAYERS; layer++) {
        layer_counts_t *to = &sum.layer[layer];
        const layer_counts_t *from = &own.layer[layer];
#define COUNTER_ADD(counter) add_all(to->counter, from->counter, TINY_CLASSES);
        COUNTERS(COUNTER_ADD)
        add_all(to->in[0], from->in[0], TINY_PURPOSE_COUNT * TINY_CLASSES);
        add_all(to->out[0], from->out[0], TINY_PURPOSE_COUNT * TINY_CLASSES);
        for (size_t class = 0; class < TINY_CLASSES; class++)
            raise_to(&to->peak[class], value(&from->peak[class]));
    }
}

void tiny_count_thread_ends(void)
{
    if (state != RUNNING) return;
    check_law();
    add_own_to_sum();
    state = ENDED;
    atomic_fetch_sub(&running, 1);
    atomic_fetch_add(&ended, 1);
}

// ---- the report

static char wanted_file[4096]; // a program may change its environment
static bool wants_table;

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
            complain("the counts cannot be written: %s\n", strerror(errno));
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
        put(out, "%s%llu", class > 0 ? ", " : "", (unsigned long long)value(&by_class[class]));
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

static void put_layer(output_t *out, unsigned layer)
{
    const layer_counts_t *of = &sum.layer[layer];
    _Atomic(uint64_t) held[TINY_CLASSES];
    for (size_t class = 0; class < TINY_CLASSES; class++) held[class] = tiny_layer_table[layer].held(class);
    put(out, "%s\n  \"%s\": {", layer > 0 ? "," : "", tiny_layer_table[layer].name);
#define COUNTER_PUT(counter) \
    put_counts(out, #counter, of->counter); \
    put(out, ", ");
    COUNTERS(COUNTER_PUT)
    put_moves(out, "in", of->in);
    put_moves(out, "out", of->out);
    put_counts(out, "held", held);
    put(out, ", ");
    put_counts(out, "peak", of->peak);
    put(out, "}");
}

static void put_json(output_t *out)
{
    put(out, "{\"variant\": \"%s\", \"classes\": [", TINY_VARIANT);
    for (size_t class = 0; class < TINY_CLASSES; class++)
        put(out, "%s%u", class > 0 ? ", " : "", (unsigned)tiny_class_size[class]);
    put(out, "],\n\"threads\": {\"ended\": %llu, \"running\": %llu},\n", (unsigned long long)value(&ended),
        (unsigned long long)value(&running));
    put_counts(out, "requests", sum.requests);
    put(out, ",\n");
    put_counts(out, "unserved", sum.unserved);
    put(out, ",\n");
    put_counts(out, "frees", sum.frees);
    put(out, ",\n\"layers\": {");
    for (unsigned layer = 0; layer < TINY_LAYERS; layer++) put_layer(out, layer);
    put(out, "}}\n");
    flush(out);
}

static uint64_t total(const _Atomic(uint64_t) *by_class)
{
    uint64_t all = 0;
    for (size_t class = 0; class < TINY_CLASSES; class++) all += value(&by_class[class]);
    return all;
}

static void put_row(output_t *out, unsigned layer)
{
    const layer_counts_t *of = &sum.layer[layer];
    uint64_t entries = total(of->entries), held = 0;
    for (size_t class = 0; class < TINY_CLASSES; class++)
        held += tiny_layer_table[layer].held(class) * tiny_class_size[class];
    put(out, "%-16s %12llu %12llu %6.1f%% %12llu %12llu %12llu\n", tiny_layer_table[layer].title,
        (unsigned long long)entries, (unsigned long long)total(of->hits),
        entries > 0 ? 100.0 * (double)total(of->hits) / (double)entries : 0.0,
        (unsigned long long)total(of->offered), (unsigned long long)total(of->accepted),
        (unsigned long long)held);
}

static void put_table(output_t *out)
{
    put(out, "hakmem: stats: %s, %llu threads, %llu requests, %llu frees of own blocks\n", TINY_VARIANT,
        (unsigned long long)value(&ended), (unsigned long long)total(sum.requests),
        (unsigned long long)total(sum.frees));
    put(out, "%-16s %12s %12s %7s %12s %12s %12s\n", "layer", "entries", "hits", "", "offered", "accepted",
        "bytes held");
    for (unsigned layer = 0; layer < TINY_LAYERS; layer++) put_row(out, layer);
    if (value(&running) > 0)
        put(out, "%llu threads are still running: what they did is not counted\n",
            (unsigned long long)value(&running));
    flush(out);
}

// Expands each "%p" in the file name to the process id. False: the result does not fit.
static bool expand(char *name, size_t room)
{
    size_t used = 0;
    for (const char *from = wanted_file; *from != '\0' && used + 1 < room;) {
        if (from[0] == '%' && from[1] == 'p') {
            used += (size_t)snprintf(name + used, room - used, "%ld", (long)getpid());
            from += 2;
        } else name[used++] = *from++;
    }
    if (used >= room - 1) return false;
    name[used] = '\0';
    return true;
}

static void write_file(void)
{
    static char name[sizeof wanted_file + 32];
    static output_t out;
    out.file = expand(name, sizeof name) ? open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666) : -1;
    if (out.file < 0) {
        complain("%.160s cannot be written: %s\n", wanted_file, strerror(errno));
        return;
    }
    put_json(&out);
    close(out.file);
}

// A forked child has one thread.
static void forked(void)
{
    atomic_store(&running, state == RUNNING ? 1 : 0);
}

// Runs after the library's own constructor: pthread_atfork may allocate.
__attribute__((constructor(102))) static void counting_starts(void)
{
    const char *file = secure_getenv("HAKMEM_STATS_FILE"), *table = secure_getenv("HAKMEM_STATS");
    if (file != NULL) snprintf(wanted_file, sizeof wanted_file, "%s", file);
    wants_table = table != NULL && table[0] != '\0' && table[0] != '0';
    pthread_atfork(NULL, NULL, forked);
}

__attribute__((destructor)) static void counting_ends(void)
{
    static output_t table = {.file = STDERR_FILENO};
    tiny_count_thread_ends();
    if (wanted_file[0] != '\0') write_file();
    if (wants_table) put_table(&table);
}
