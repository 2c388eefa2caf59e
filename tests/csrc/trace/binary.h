// Traces as bytes, five per operation, for a fuzzer: any bytes are a valid trace. Remaining bytes at the end are
// ignored.
//
//   0  kind, by its place in `trace_kinds_of_bytes` (4 bits), and thread (2 bits)
//   1  slot (6 bits)
//   2  alignment, as a power of two, or calloc's count
//   3  size (13 bits, little-endian), scaled by `trace_units` according to its three upper bits: mostly a few bytes, so that
//      an input takes a millisecond or so
#ifndef TRACE_BINARY_H
#define TRACE_BINARY_H

#include "trace.h"

enum { TRACE_OP_BYTES = 5, TRACE_BYTE_THREADS = 4, TRACE_BYTE_SLOTS = 64 };

static const uint8_t trace_kinds_of_bytes[16] = {
    TRACE_MALLOC,  TRACE_MALLOC,  TRACE_MALLOC,  TRACE_MALLOC,  TRACE_CALLOC, TRACE_CALLOC,
    TRACE_ALIGNED, TRACE_REALLOC, TRACE_REALLOC, TRACE_REALLOC, TRACE_FREE,   TRACE_FREE,
    TRACE_FREE,    TRACE_FREE,    TRACE_EXIT,    TRACE_TRIM,
};

static const struct trace_unit {
    uint16_t mask;
    uint8_t shift;
} trace_units[8] = {{0x3ff, 0}, {0x3ff, 0},  {0x3ff, 0},  {0x3ff, 0},
                    {0x3ff, 0}, {0x1fff, 0}, {0x1fff, 4}, {0x1fff, 8}};

static inline struct trace_op trace_decode_op(const uint8_t *bytes, uint32_t line)
{
    struct trace_op op = {.line = line, .kind = trace_kinds_of_bytes[bytes[0] & 15]};
    op.thread = (uint8_t)(bytes[0] >> 4) % TRACE_BYTE_THREADS;
    const struct trace_word *word = &trace_words[op.kind];
    if (word->slot) op.slot = bytes[1] % TRACE_BYTE_SLOTS;
    if (op.kind == TRACE_ALIGNED) op.first = 1u << (bytes[2] % 18);
    if (op.kind == TRACE_CALLOC) op.first = bytes[2] % 16;
    if (word->numbers >= 1) {
        unsigned raw = (unsigned)(bytes[3] | bytes[4] << 8);
        const struct trace_unit *unit = &trace_units[raw >> 13];
        op.size = (raw & unit->mask) << unit->shift;
    }
    return op;
}

// `ops` has room for size / TRACE_OP_BYTES operations.
static inline struct trace trace_decode(const uint8_t *bytes, size_t size, struct trace_op *ops)
{
    struct trace trace = {"bytes", ops, size / TRACE_OP_BYTES};
    for (size_t i = 0; i < trace.count; i++)
        ops[i] = trace_decode_op(bytes + i * TRACE_OP_BYTES, (uint32_t)i + 1);
    return trace;
}

// Encodes the nearest representable operation: threads and slots are wrapped, sizes rounded down to their unit.
static inline void trace_encode_op(const struct trace_op *op, uint8_t *bytes)
{
    unsigned kind = 0, unit = 0, first = op->first;
    while (trace_kinds_of_bytes[kind] != op->kind) kind++;
    while (unit < 7 && op->size >> trace_units[unit].shift > trace_units[unit].mask) unit++;
    if (op->kind == TRACE_ALIGNED) first = (unsigned)__builtin_ctz(op->first);
    unsigned raw = unit << 13 | (op->size >> trace_units[unit].shift & trace_units[unit].mask);
    bytes[0] = (uint8_t)(kind | (unsigned)(op->thread % TRACE_BYTE_THREADS) << 4);
    bytes[1] = (uint8_t)(op->slot % TRACE_BYTE_SLOTS);
    bytes[2] = (uint8_t)first;
    bytes[3] = (uint8_t)raw;
    bytes[4] = (uint8_t)(raw >> 8);
}

#endif
