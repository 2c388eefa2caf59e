// The format of a trace: what a program asked of its malloc, in order. docs/measuring.md describes it for readers of files.
//
// A trace is a header and then `bytes` bytes of events. All numbers are little-endian. A file may be longer than that: the
// recorder grows it in steps.
//
// object: a block from its allocation to its free. Objects are numbered from 0 in the order of their allocation, and the
// number of a new object is not written.
// event: one byte, whose low 3 bits are the kind, and then its numbers, each as a varint.
//
//     malloc, calloc   size
//     aligned          size; the upper 5 bits of the first byte are the exponent of the alignment
//     realloc          object, size
//     free             object
//     thread           the thread of the events that follow, numbered from 1 in the order of first events
//
// varint: 7 bits a byte, lowest first; the top bit is set in all bytes but the last.
// An object is written as its distance from the object of the event before, with the sign in the lowest bit: so a block that
// is freed at once is 0, and a row of frees in the order of allocation is 2, 2, 2, which compresses well.

#ifndef TRACE_FORMAT_H
#define TRACE_FORMAT_H

#include <stdint.h>

#define TRACE_MAGIC "MALTRACE" // 8 bytes, without an end

enum { TRACE_VERSION = 1, TRACE_MAGIC_BYTES = 8, TRACE_VARINT_MOST = 10 };

enum trace_kind {
    TRACE_MALLOC,
    TRACE_CALLOC,
    TRACE_ALIGNED,
    TRACE_REALLOC,
    TRACE_FREE,
    TRACE_KINDS, // those above are counted as events
    TRACE_THREAD = TRACE_KINDS,
};

enum { TRACE_KIND_BITS = 3, TRACE_ALIGN_MOST = 31 };

// Why a trace ends.
enum trace_end {
    TRACE_AT_EXIT, // the program ended, in any way
    TRACE_AT_LIMIT, // the number of events that was requested
    TRACE_AT_NO_SPACE, // the disk was full, or there was no memory for the recorder's table
    TRACE_ENDS,
};

// What is in the events. peak: the most at one time. ignored: frees of blocks that the recorder does not know, because they
// were allocated before it started, or by a signal handler that interrupted it.
struct trace_state {
    uint64_t bytes;
    uint64_t events;
    uint64_t counts[TRACE_KINDS];
    uint64_t requested; // bytes of all allocations and reallocs
    uint64_t peak_blocks, peak_bytes;
    uint64_t ignored;
    uint32_t threads, end;
};

// The recorder writes the state that is not current and then makes it current by one store. So a program that is killed
// between any two instructions leaves a trace that is valid.
struct trace_header {
    char magic[TRACE_MAGIC_BYTES];
    uint32_t version, header_bytes;
    uint32_t current, zero; // current: 0 or 1
    struct trace_state states[2];
};

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "traces are little-endian"
#endif

// The distance of two objects as it is written.
static inline uint64_t trace_distance(uint64_t object, uint64_t before)
{
    const int64_t distance = (int64_t)(object - before);
    return (uint64_t)distance << 1 ^ (uint64_t)(distance >> 63);
}

static inline uint64_t trace_object(uint64_t distance, uint64_t before)
{
    return before + (distance >> 1 ^ (UINT64_C(0) - (distance & 1)));
}

#endif
