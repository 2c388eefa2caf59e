// Traces: operations of an allocator over several threads, run and checked.
//
// slot: a place for one block, b0, b1, ...; any thread may fill it, resize its block, and free it.
// baton: the right to run, held by one thread at a time; so the operations of a trace happen in its order.
// free running: each thread runs its own operations in order, independently of the others.
//
// Any sequence of operations is a valid trace, which makes traces easy to generate and to reduce. An allocation into
// a full slot first frees its block, a free of an empty slot does nothing, a realloc of an empty slot allocates, a
// missing thread is started, and a request beyond the budget of live bytes is skipped.
//
// Checked: live blocks do not overlap (with the baton by their addresses, otherwise by their contents); every byte
// of a block, up to its usable size, is unchanged when it is freed; realloc keeps the bytes that both sizes share;
// calloc's bytes are zero; the alignment is as requested; the usable size holds the request; no request is refused.
#ifndef TRACE_H
#define TRACE_H

#include <semaphore.h>

#include "../test.h"

enum { TRACE_THREADS = 16, TRACE_SLOTS = 4096 };
#define TRACE_LARGEST ((size_t)64 << 20) // bytes of one request
#define TRACE_BUDGET ((size_t)256 << 20) // bytes of all live blocks
#define TRACE_ALIGNMENT ((size_t)1 << 20) // the largest

enum trace_kind {
    TRACE_MALLOC,
    TRACE_CALLOC,
    TRACE_ALIGNED,
    TRACE_REALLOC,
    TRACE_FREE,
    TRACE_EXIT,
    TRACE_TRIM
};
enum { TRACE_KINDS = TRACE_TRIM + 1 };

// The words of each kind in the text: the name, whether it has a slot, and the count of numbers that follow.
static const struct trace_word {
    const char *name;
    bool slot;
    int numbers;
} trace_words[TRACE_KINDS] = {
    [TRACE_MALLOC] = {"malloc", true, 1}, // size
    [TRACE_CALLOC] = {"calloc", true, 2}, // count, size
    [TRACE_ALIGNED] = {"aligned", true, 2}, // alignment, size
    [TRACE_REALLOC] = {"realloc", true, 1}, // size
    [TRACE_FREE] = {"free", true, 0},       [TRACE_EXIT] = {"exit", false, 0},
    [TRACE_TRIM] = {"trim", false, 0},
};

struct trace_op {
    uint32_t line; // the line in the file, or the count of earlier operations plus one
    uint8_t kind;
    uint8_t thread;
    uint16_t slot;
    uint32_t first; // the first of two numbers: calloc's count, or the alignment
    uint32_t size;
};

struct trace {
    const char *name; // for messages
    struct trace_op *ops;
    size_t count;
};

// ---- messages

static inline size_t trace_describe(const struct trace_op *op, char *text, size_t room)
{
    const struct trace_word *word = &trace_words[op->kind];
    int length = snprintf(text, room, "t%u %s", op->thread, word->name);
    if (word->slot) length += snprintf(text + length, room - (size_t)length, " b%u", op->slot);
    if (word->numbers == 2) length += snprintf(text + length, room - (size_t)length, " %u", op->first);
    if (word->numbers >= 1) length += snprintf(text + length, room - (size_t)length, " %u", op->size);
    return (size_t)length;
}

static const char *trace_name = "trace"; // of the one that runs

__attribute__((noreturn, format(printf, 2, 3))) static inline void trace_fail(const struct trace_op *op,
                                                                              const char *format, ...)
{
    char what[256], line[80];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    trace_describe(op, line, sizeof line);
    dprintf(STDERR_FILENO, "%s:%u: %s: %s\n", trace_name, op->line, line, what);
#ifdef TRACE_ABORTS // a fuzzer reports an abort as a finding
    abort();
#else
    _exit(1);
#endif
}

#define TRACE_CHECK(condition, op, ...) \
    do { \
        if (__builtin_expect(!(condition), 0)) trace_fail((op), __VA_ARGS__); \
    } while (0)

// ---- blocks

struct trace_block {
    pthread_mutex_t lock; // held during an operation on the slot
    unsigned char *start; // NULL: the slot is empty
    size_t size;
    size_t usable;
    uint64_t seed;
};

static struct trace_block trace_blocks[TRACE_SLOTS];
static atomic_size_t trace_live_bytes;
static bool trace_free_running;

// Slots of live blocks, in the order of the blocks' addresses. Accessed only by the thread that has the baton.
static uint16_t trace_order[TRACE_SLOTS];
static size_t trace_live;

static inline unsigned char *trace_end(const struct trace_block *block)
{
    return block->start + (block->usable > 0 ? block->usable : 1);
}

// Returns the number of live blocks that begin below `start`.
static inline size_t trace_position(const unsigned char *start)
{
    size_t low = 0, high = trace_live;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (trace_blocks[trace_order[middle]].start < start) low = middle + 1;
        else high = middle;
    }
    return low;
}

static inline void trace_check_apart(const struct trace_op *op, const struct trace_block *block,
                                     size_t neighbour)
{
    if (neighbour >= trace_live) return;
    const struct trace_block *other = &trace_blocks[trace_order[neighbour]];
    TRACE_CHECK(trace_end(block) <= other->start || trace_end(other) <= block->start, op,
                "its %zu bytes at %p overlap b%u, %zu bytes at %p", block->usable, (void *)block->start,
                trace_order[neighbour], other->usable, (void *)other->start);
}

static inline void trace_insert(const struct trace_op *op)
{
    const struct trace_block *block = &trace_blocks[op->slot];
    size_t at = trace_position(block->start);
    trace_check_apart(op, block, at);
    trace_check_apart(op, block, at - 1);
    memmove(&trace_order[at + 1], &trace_order[at], (trace_live - at) * sizeof *trace_order);
    trace_order[at] = op->slot;
    trace_live++;
}

static inline void trace_remove(const struct trace_op *op)
{
    size_t at = trace_position(trace_blocks[op->slot].start);
    trace_live--;
    memmove(&trace_order[at], &trace_order[at + 1], (trace_live - at) * sizeof *trace_order);
}

// Puts the block into its slot, filled to its last usable byte.
static inline void trace_enter(const struct trace_op *op, void *start, size_t size)
{
    struct trace_block *block = &trace_blocks[op->slot];
    block->start = start;
    block->size = size;
    block->usable = size;
    block->seed = (uint64_t)op->line << 16 | op->slot;
    if (!trace_free_running) trace_insert(op); // before its use: an overlapping address may be no block
    block->usable = T_usable_size(start);
    TRACE_CHECK(block->usable >= size, op, "%zu of %zu bytes are usable", block->usable, size);
    if (!trace_free_running) trace_check_apart(op, block, trace_position(start) + 1);
    T_fill(start, block->usable, block->seed);
    atomic_fetch_add_explicit(&trace_live_bytes, block->usable, memory_order_relaxed);
}

// Checks that the block is intact, and removes it from the live ones.
static inline void trace_leave(const struct trace_op *op)
{
    struct trace_block *block = &trace_blocks[op->slot];
    size_t at = T_mismatch(block->start, block->usable, block->seed);
    TRACE_CHECK(at == block->usable, op, "byte %zu of %zu (%zu requested) at %p has changed", at,
                block->usable, block->size, (void *)block->start);
    if (!trace_free_running) trace_remove(op);
    atomic_fetch_sub_explicit(&trace_live_bytes, block->usable, memory_order_relaxed);
}

// ---- operations; the caller has locked the slot

static inline void trace_free(const struct trace_op *op)
{
    struct trace_block *block = &trace_blocks[op->slot];
    if (block->start == NULL) return;
    trace_leave(op);
    void *start = block->start;
    block->start = NULL;
    T_free(start);
}

static inline size_t trace_wanted(const struct trace_op *op)
{
    return op->kind == TRACE_CALLOC ? (size_t)op->first * op->size : op->size;
}

static inline void *trace_request(const struct trace_op *op)
{
    if (op->kind == TRACE_CALLOC) return T_calloc(op->first, op->size);
    if (op->kind == TRACE_ALIGNED) return T_memalign(op->first, op->size);
    return T_malloc(op->size);
}

static inline void trace_check_new(const struct trace_op *op, const void *start)
{
    size_t size = trace_wanted(op), alignment = op->kind == TRACE_ALIGNED ? op->first : 1;
    TRACE_CHECK(start != NULL, op, "refused: %s", strerror(errno));
    // a block needs no larger alignment than its size
    size_t least = size >= 16 || T_MIN_ALIGN == 16 ? 16 : 8;
    if (op->kind == TRACE_REALLOC || alignment < least) alignment = least;
    TRACE_CHECK((uintptr_t)start % alignment == 0, op, "%p is not aligned to %zu", start, alignment);
    if (op->kind == TRACE_CALLOC) TRACE_CHECK(T_is_zero(start, size), op, "%p is not zero", start);
}

static inline void trace_allocate(const struct trace_op *op)
{
    trace_free(op);
    void *start = trace_request(op);
    trace_check_new(op, start);
    trace_enter(op, start, trace_wanted(op));
}

// realloc to size 0 frees the block; the allocator may return another one.
static inline void trace_resize(const struct trace_op *op)
{
    struct trace_block *block = &trace_blocks[op->slot];
    void *old = block->start;
    size_t kept = block->size < op->size ? block->size : op->size;
    if (old != NULL) trace_leave(op);
    block->start = NULL;
    void *start = T_realloc(old, op->size);
    if (start == NULL && old != NULL && op->size == 0) return;
    trace_check_new(op, start);
    if (old != NULL) {
        size_t at = T_mismatch(start, kept, block->seed);
        TRACE_CHECK(at == kept, op, "byte %zu of the %zu to be kept was lost, from %p to %p", at, kept, old,
                    start);
    }
    trace_enter(op, start, op->size);
}

static inline void trace_do(const struct trace_op *op)
{
    if (op->kind == TRACE_EXIT) return;
    if (op->kind == TRACE_TRIM) {
        T_malloc_trim(0);
        return;
    }
    struct trace_block *block = &trace_blocks[op->slot];
    if (trace_free_running) pthread_mutex_lock(&block->lock);
    if (op->kind == TRACE_FREE) trace_free(op);
    else if (atomic_load_explicit(&trace_live_bytes, memory_order_relaxed) + trace_wanted(op) <=
             TRACE_BUDGET) {
        if (op->kind == TRACE_REALLOC) trace_resize(op);
        else trace_allocate(op);
    }
    if (trace_free_running) pthread_mutex_unlock(&block->lock);
}

// Frees the remaining blocks, in the calling thread.
static inline void trace_finish(uint32_t line)
{
    for (unsigned slot = 0; slot < TRACE_SLOTS; slot++)
        trace_free(&(struct trace_op){.line = line, .kind = TRACE_FREE, .slot = (uint16_t)slot});
}

// ---- with the baton

struct trace_worker {
    pthread_t thread;
    bool alive;
    sem_t turn, done;
    const struct trace_op *begin, *end; // the operations of this turn
};

static struct trace_worker trace_workers[TRACE_THREADS];

static inline void *trace_work(void *argument)
{
    struct trace_worker *worker = argument;
    for (bool ends = false; !ends;) {
        while (sem_wait(&worker->turn) != 0) continue;
        ends = worker->begin == worker->end;
        for (const struct trace_op *op = worker->begin; op < worker->end; op++) trace_do(op);
        sem_post(&worker->done);
    }
    return NULL;
}

// Runs operations that belong to one thread and do not include its exit. An empty turn ends the thread.
static inline void trace_take_turn(struct trace_worker *worker, const struct trace_op *begin,
                                   const struct trace_op *end)
{
    if (!worker->alive) {
        if (begin == end) return;
        sem_init(&worker->turn, 0, 0);
        sem_init(&worker->done, 0, 0);
        worker->thread = T_thread(trace_work, worker);
        worker->alive = true;
    }
    worker->begin = begin;
    worker->end = end;
    sem_post(&worker->turn);
    while (sem_wait(&worker->done) != 0) continue;
    if (begin != end) return;
    T_join(worker->thread);
    worker->alive = false;
}

static inline void trace_run_in_turn(const struct trace *trace)
{
    const struct trace_op *end = trace->ops + trace->count;
    for (const struct trace_op *begin = trace->ops, *next; begin < end; begin = next) {
        next = begin;
        while (next < end && next->thread == begin->thread && next->kind != TRACE_EXIT) next++;
        trace_take_turn(&trace_workers[begin->thread], begin, next);
        if (next == begin) next++; // the exit is an empty turn
    }
}

// Lets the threads end but keeps the blocks, for a trace that continues this one.
static inline void trace_end_threads(void)
{
    for (int i = 0; i < TRACE_THREADS; i++) trace_take_turn(&trace_workers[i], NULL, NULL);
}

// ---- free running

struct trace_life {
    const struct trace *trace;
    unsigned number; // of the thread
    size_t next; // operation
    pthread_t before; // the previous life of the thread
    bool follows;
    sem_t over; // posted at the end of the last life
    pthread_t last;
};

// One life of a thread: to its exit, where it starts its successor, or to the end of the trace.
static inline void *trace_live_on(void *argument)
{
    struct trace_life *life = argument;
    if (life->follows) T_join(life->before);
    const struct trace *trace = life->trace;
    while (life->next < trace->count) {
        const struct trace_op *op = &trace->ops[life->next++];
        if (op->thread != life->number) continue;
        trace_do(op);
        if (op->kind != TRACE_EXIT) continue;
        life->before = pthread_self();
        life->follows = true;
        T_thread(trace_live_on, life);
        return NULL;
    }
    life->last = pthread_self();
    sem_post(&life->over);
    return NULL;
}

static inline void trace_run_freely(const struct trace *trace)
{
    static struct trace_life lives[TRACE_THREADS];
    for (unsigned i = 0; i < TRACE_THREADS; i++) {
        lives[i] = (struct trace_life){.trace = trace, .number = i};
        bool has_work = false;
        for (size_t at = 0; at < trace->count && !has_work; at++) has_work = trace->ops[at].thread == i;
        if (!has_work) lives[i].number = TRACE_THREADS;
        sem_init(&lives[i].over, 0, 0);
    }
    for (unsigned i = 0; i < TRACE_THREADS; i++)
        if (lives[i].number == i) T_thread(trace_live_on, &lives[i]);
    for (unsigned i = 0; i < TRACE_THREADS; i++) {
        if (lives[i].number != i) continue;
        while (sem_wait(&lives[i].over) != 0) continue;
        T_join(lives[i].last);
    }
}

// Runs a trace. With the baton, blocks and threads outlive it; call trace_end_threads and trace_finish at the end.
static inline void trace_run(const struct trace *trace, bool freely)
{
    trace_name = trace->name;
    trace_free_running = freely;
    if (freely) trace_run_freely(trace);
    else trace_run_in_turn(trace);
}

#endif
