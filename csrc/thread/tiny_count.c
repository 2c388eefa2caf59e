// Counting, in builds with HAKMEM_STATS: a thread's counts, their sum, and the equations that they satisfy.
//
// For each layer and class: hits + passed on = entries; accepted + passed on = offers; in - out = held. For each
// class: the hits of all layers + unserved = requests. A violation ends the process with one line on stderr.
//
// HAKMEM_STATS_FILE, read at start, names the file for the counts, as JSON; "%p" in it becomes the process id.
// HAKMEM_STATS=1 prints a table to stderr.
#define _GNU_SOURCE
#include "thread/tiny_count.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "thread/tiny_count_report.h"
#include "thread/tiny_tls.h"

// ---- the counts

static HAK_TLS tiny_counts_t own;
static HAK_TLS enum state { UNKNOWN, RUNNING, ENDED } state;
static HAK_TLS tiny_purpose_t current; // the purpose for which layers are called
static tiny_counts_t sum; // of threads that have ended, and of what threads do after their end
static _Atomic(uint64_t) ended, running;

// Returns the counters that the calling thread updates.
static tiny_counts_t *counts(void)
{
    if (UNLIKELY(state == UNKNOWN)) {
        state = RUNNING;
        atomic_fetch_add(&running, 1);
    }
    return LIKELY(state == RUNNING) ? &own : &sum;
}

static void add(_Atomic(uint64_t) *counter, uint64_t count)
{
    atomic_fetch_add_explicit(counter, count, memory_order_relaxed);
}

static void raise_to(_Atomic(uint64_t) *counter, uint64_t count)
{
    uint64_t old = tiny_count_value(counter);
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
    tiny_layer_counts_t *counted = &counts()->layer[layer];
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
    tiny_layer_counts_t *counted = &counts()->layer[layer];
    if (current == TINY_FOR_request) add(kept ? &counted->accepted[class] : &counted->refused[class], 1);
    else if (kept) add(&counted->in[current][class], 1);
    raise_to(&counted->peak[class], held);
    return kept;
}

void tiny_count_in(unsigned layer, size_t class, size_t blocks, size_t held)
{
    tiny_layer_counts_t *counted = &counts()->layer[layer];
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

__attribute__((noreturn)) static void break_law(unsigned layer, size_t class, const char *what,
                                                uint64_t first, uint64_t second, uint64_t whole)
{
    tiny_count_complain("%s, class C%zu: %s: %llu, %llu, %llu\n", tiny_layer_table[layer].title, class, what,
                        (unsigned long long)first, (unsigned long long)second, (unsigned long long)whole);
    abort();
}

static uint64_t moved(const _Atomic(uint64_t) by_purpose[TINY_PURPOSE_COUNT][TINY_CLASSES], size_t class)
{
    uint64_t blocks = 0;
    for (unsigned purpose = 0; purpose < TINY_PURPOSE_COUNT; purpose++)
        blocks += tiny_count_value(&by_purpose[purpose][class]);
    return blocks;
}

static void check_layer(unsigned layer, size_t class)
{
    const tiny_layer_counts_t *of = &own.layer[layer];
    uint64_t hits = tiny_count_value(&of->hits[class]), accepted = tiny_count_value(&of->accepted[class]);
    uint64_t misses = tiny_count_value(&of->misses[class]), refused = tiny_count_value(&of->refused[class]);
    uint64_t in = accepted + moved(of->in, class), out = hits + moved(of->out, class);
    uint64_t held = tiny_layer_table[layer].held(class);
    if (hits + misses != tiny_count_value(&of->entries[class]))
        break_law(layer, class, "hits + passed on = entries does not hold", hits, misses,
                  tiny_count_value(&of->entries[class]));
    if (accepted + refused != tiny_count_value(&of->offered[class]))
        break_law(layer, class, "accepted + passed on = offered does not hold", accepted, refused,
                  tiny_count_value(&of->offered[class]));
    if (in - out != held) break_law(layer, class, "in - out = held does not hold", in, out, held);
}

// Checks the counts of the calling thread.
static void check_law(void)
{
    for (size_t class = 0; class < TINY_CLASSES; class++) {
        uint64_t served = tiny_count_value(&own.unserved[class]);
        for (unsigned layer = 0; layer < TINY_LAYERS; layer++) {
            check_layer(layer, class);
            served += tiny_count_value(&own.layer[layer].hits[class]);
        }
        if (served == tiny_count_value(&own.requests[class])) continue;
        tiny_count_complain("class C%zu: %llu requests, but %llu answers\n", class,
                            (unsigned long long)tiny_count_value(&own.requests[class]),
                            (unsigned long long)served);
        abort();
    }
}

// ---- the end of a thread

static void add_all(_Atomic(uint64_t) *to, const _Atomic(uint64_t) *from, size_t counters)
{
    for (size_t i = 0; i < counters; i++)
        if (tiny_count_value(&from[i]) != 0) add(&to[i], tiny_count_value(&from[i]));
}

static void add_own_to_sum(void)
{
    add_all(sum.requests, own.requests, TINY_CLASSES);
    add_all(sum.unserved, own.unserved, TINY_CLASSES);
    add_all(sum.frees, own.frees, TINY_CLASSES);
    for (unsigned layer = 0; layer < TINY_LAYERS; layer++) {
        tiny_layer_counts_t *to = &sum.layer[layer];
        const tiny_layer_counts_t *from = &own.layer[layer];
#define COUNTER_ADD(counter) add_all(to->counter, from->counter, TINY_CLASSES);
        TINY_COUNTERS(COUNTER_ADD)
        add_all(to->in[0], from->in[0], TINY_PURPOSE_COUNT * TINY_CLASSES);
        add_all(to->out[0], from->out[0], TINY_PURPOSE_COUNT * TINY_CLASSES);
        for (size_t class = 0; class < TINY_CLASSES; class++)
            raise_to(&to->peak[class], tiny_count_value(&from->peak[class]));
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

// ---- start and exit

static char wanted_file[TINY_COUNT_FILE_NAME]; // a program may change its environment
static bool wants_table;

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
    tiny_count_thread_ends();
    tiny_count_totals_t totals = {&sum, tiny_count_value(&ended), tiny_count_value(&running)};
    if (wanted_file[0] != '\0') tiny_count_write_file(wanted_file, &totals);
    if (wants_table) tiny_count_print_table(&totals);
}
