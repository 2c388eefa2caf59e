// Random traces: the mix of a typical program, which reaches every path of an allocator, and the edges of its sizes.
//
// The same seed gives the same operations on every machine.
#ifndef TRACE_RANDOM_H
#define TRACE_RANDOM_H

#include "trace.h"

// source: the origin of the operations; the caller sets the first three.
struct trace_source {
    uint64_t random;
    unsigned threads;
    unsigned slots;
    uint8_t thread; // of the next operation
    uint32_t made; // operations so far
};

// Mostly tiny; often next to a power of two; rarely above 40,000 bytes, since every byte is written and checked.
static inline uint32_t trace_random_size(uint64_t *random)
{
    uint64_t kind = T_random(random) % 1000;
    if (kind < 700) return (uint32_t)T_random_in(random, 0, 1100);
    if (kind < 950) return (1u << T_random_in(random, 3, 12)) + (uint32_t)(T_random(random) % 3) - 1;
    if (kind < 985) return (uint32_t)T_random_in(random, 1000, 20000);
    if (kind < 999) return (1u << T_random_in(random, 12, 16)) + (uint32_t)(T_random(random) % 3) - 1;
    return (uint32_t)T_random_in(random, 40000, 3 << 20);
}

// Out of 1024; the remaining ones are frees.
static inline uint8_t trace_random_kind(uint64_t *random)
{
    uint64_t kind = T_random(random) % 1024;
    if (kind < 1) return T_random(random) % 3 == 0 ? TRACE_TRIM : TRACE_EXIT;
    if (kind < 420) return TRACE_MALLOC;
    if (kind < 490) return TRACE_CALLOC;
    if (kind < 530) return TRACE_ALIGNED;
    return kind < 650 ? TRACE_REALLOC : TRACE_FREE;
}

static inline struct trace_op trace_random_op(struct trace_source *source)
{
    uint64_t *random = &source->random;
    if (T_random(random) % 16 == 0) source->thread = (uint8_t)(T_random(random) % source->threads);
    struct trace_op op = {
        .line = ++source->made, .thread = source->thread, .kind = trace_random_kind(random)};
    if (trace_words[op.kind].slot) op.slot = (uint16_t)(T_random(random) % source->slots);
    if (trace_words[op.kind].numbers >= 1) op.size = trace_random_size(random);
    if (op.kind == TRACE_CALLOC) {
        op.first = 1u << T_random_in(random, 0, 4);
        op.size /= op.first;
    }
    if (op.kind == TRACE_ALIGNED)
        op.first = 1u << (T_random(random) % 64 == 0 ? 16 : T_random_in(random, 0, 13));
    return op;
}

// Fills the trace with `count` operations.
static inline void trace_draw(struct trace_source *source, struct trace *trace, size_t count)
{
    for (trace->count = 0; trace->count < count;) trace->ops[trace->count++] = trace_random_op(source);
}

#endif
