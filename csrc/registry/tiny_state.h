// Global state: the variant's class table, its toggles and options.
//
// class: a size class, C0, C1, ...; its size is in bytes. toggle: switches one layer at run time.
// option: a setting of the variant that does not belong to a layer.
#ifndef TINY_STATE_H
#define TINY_STATE_H

#include "os/hak_types.h"
#include "tiny_alloc_fast_gen.h" // TINY_CLASSES, TINY_SIZE_INDEX, TINY_TOGGLES(X), TINY_ENV_OPTIONS(X)

extern const uint32_t tiny_class_size[TINY_CLASSES];

// 2^TINY_INVERSE_BITS / size, plus 1: offset * inverse >> TINY_INVERSE_BITS == offset / size for offsets below 2^20.
#define TINY_INVERSE_BITS 40
extern const uint64_t tiny_class_inverse[TINY_CLASSES];

// The class of a request of at most TINY_HOT_SIZE bytes, indexed by (size + TINY_SIZE_STEP - 1) / TINY_SIZE_STEP.
extern const uint8_t tiny_size_index[TINY_HOT_SIZE / TINY_SIZE_STEP + 1];

// For larger requests, the class of the requests of a wide step, indexed by (size - TINY_HOT_SIZE - 1) /
// TINY_WIDE_STEP.
#define TINY_WIDE_STEPS ((TINY_MAX_SIZE - TINY_HOT_SIZE + TINY_WIDE_STEP - 1) / TINY_WIDE_STEP)
extern const uint8_t tiny_wide_index[TINY_WIDE_STEPS + (TINY_WIDE_STEPS == 0)];

#if TINY_TOGGLE_COUNT > 0
#define TINY_TOGGLE_FIELD(layer, variable, is_on) bool layer;
typedef struct tiny_toggles {
    TINY_TOGGLES(TINY_TOGGLE_FIELD)
} tiny_toggles_t;
extern tiny_toggles_t tiny_toggles;
#endif

#if TINY_ENV_OPTION_COUNT > 0
#define TINY_OPTION_FIELD(option, variable, value, least, most) long option;
typedef struct tiny_options {
    TINY_ENV_OPTIONS(TINY_OPTION_FIELD)
} tiny_options_t;
extern tiny_options_t tiny_options;
#endif

// Returns the smallest class that holds `size` bytes; size <= TINY_MAX_SIZE.
static inline unsigned tiny_class_of(size_t size)
{
    if (LIKELY(size <= TINY_HOT_SIZE)) return tiny_size_index[(size + TINY_SIZE_STEP - 1) / TINY_SIZE_STEP];
    return tiny_wide_index[(size - TINY_HOT_SIZE - 1) / TINY_WIDE_STEP];
}

// Reads the variant's toggles and options, if any, from the environment. Allocates nothing.
void tiny_state_init(void);

#endif
