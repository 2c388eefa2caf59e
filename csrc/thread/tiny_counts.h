// The counts of builds with HAKMEM_STATS: of a layer and a class, of a thread, of all threads. See tiny_count.h.
#ifndef TINY_COUNTS_H
#define TINY_COUNTS_H

#include "os/hak_types.h"
#include "tiny_alloc_fast_gen.h" // TINY_LAYER_NAMES(X)

#if HAKMEM_STATS

#define TINY_LAYER_INDEX(layer) TINY_LAYER_##layer,
enum { TINY_LAYER_NAMES(TINY_LAYER_INDEX) TINY_LAYERS_COUNTED };

// The purpose for which a layer is called. All but the first are moves.
#define TINY_PURPOSES(X) X(request) X(refill) X(top_up) X(spill) X(drain)
#define TINY_PURPOSE_INDEX(purpose) TINY_FOR_##purpose,
typedef enum tiny_purpose { TINY_PURPOSES(TINY_PURPOSE_INDEX) TINY_PURPOSE_COUNT } tiny_purpose_t;

// Counters of a layer and a class. `in` and `out` count moves by purpose; blocks moved for a request count as hits and
// accepted offers.
#define TINY_COUNTERS(X) X(entries) X(hits) X(misses) X(offered) X(accepted) X(refused)

#define TINY_COUNTER_FIELD(counter) _Atomic(uint64_t) counter[TINY_CLASSES];
typedef struct tiny_layer_counts {
    TINY_COUNTERS(TINY_COUNTER_FIELD)
    _Atomic(uint64_t) in[TINY_PURPOSE_COUNT][TINY_CLASSES];
    _Atomic(uint64_t) out[TINY_PURPOSE_COUNT][TINY_CLASSES];
    _Atomic(uint64_t) peak[TINY_CLASSES]; // the most blocks that one thread held
} tiny_layer_counts_t;

typedef struct tiny_counts {
    _Atomic(uint64_t) requests[TINY_CLASSES];
    _Atomic(uint64_t) unserved[TINY_CLASSES];
    _Atomic(uint64_t) frees[TINY_CLASSES];
    tiny_layer_counts_t layer[TINY_LAYERS];
} tiny_counts_t;

static inline uint64_t tiny_count_value(const _Atomic(uint64_t) *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

#endif
#endif
