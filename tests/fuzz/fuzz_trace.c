// libFuzzer over traces: the bytes of an input are operations of the allocator (tests/csrc/trace/binary.h), which run
// in turn over a few threads and are checked byte by byte. A finding ends in abort.
//
// `test_trace --decode FINDING` shows an input as text, which test_trace replays in any cell.

#define TRACE_ABORTS
#include "../csrc/trace/binary.h"

enum { MOST_OPS = 500 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

// Every input starts with no live block and no thread; what the allocator has kept of the last one is given back.
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static struct trace_op ops[MOST_OPS];
    size_t most = (size_t)MOST_OPS * TRACE_OP_BYTES;
    struct trace trace = trace_decode(bytes, size < most ? size : most, ops);
    trace_run(&trace, false);
    trace_end_threads();
    trace_finish((uint32_t)trace.count + 1);
    T_malloc_trim(0);
    return 0;
}
