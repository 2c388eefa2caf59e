// Global state of the tiny allocator: class table, toggles, options. Reads the environment once, at start.
#define _GNU_SOURCE
#include "registry/tiny_state.h"

#include <stdlib.h>
#include <string.h>

#include "debug/messages.h"
#include "os/os_fence.h"

const uint32_t tiny_class_size[TINY_CLASSES] = {TINY_CLASS_SIZES};
const uint64_t tiny_class_inverse[TINY_CLASSES] = {TINY_CLASS_INVERSES};
const uint8_t tiny_size_index[TINY_HOT_SIZE / TINY_SIZE_STEP + 1] = {TINY_SIZE_INDEX};
const uint8_t tiny_wide_index[TINY_WIDE_STEPS + (TINY_WIDE_STEPS == 0)] = {TINY_WIDE_INDEX};

#if TINY_TOGGLE_COUNT > 0

#define TINY_TOGGLE_DEFAULT(layer, variable, is_on) .layer = is_on,
tiny_toggles_t tiny_toggles = {TINY_TOGGLES(TINY_TOGGLE_DEFAULT)};

// "0", "off", "no" and "false" switch a layer off; any other text switches it on; unset leaves its default.
static bool toggle_of(const char *variable, bool is_on)
{
    const char *text = secure_getenv(variable);
    if (text == NULL || text[0] == '\0') return is_on;
    return strcmp(text, "0") != 0 && strcmp(text, "off") != 0 && strcmp(text, "no") != 0 &&
           strcmp(text, "false") != 0;
}

#define TINY_TOGGLE_READ(layer, variable, is_on) tiny_toggles.layer = toggle_of(variable, is_on);
static void read_toggles(void)
{
    TINY_TOGGLES(TINY_TOGGLE_READ)
}

#endif

#if TINY_ENV_OPTION_COUNT > 0

#define TINY_OPTION_DEFAULT(option, variable, value, least, most) .option = value,
tiny_options_t tiny_options = {TINY_ENV_OPTIONS(TINY_OPTION_DEFAULT)};

// The default applies if the value is not a number or is outside the option's range.
static long option_of(const char *variable, long value, long least, long most)
{
    const char *text = secure_getenv(variable);
    if (text == NULL || text[0] == '\0') return value;
    char *end;
    long wanted = strtol(text, &end, 10);
    if (*end != '\0' || wanted < least || wanted > most) return value;
    return wanted;
}

#define TINY_OPTION_READ(option, variable, value, least, most) \
    tiny_options.option = option_of(variable, value, least, most);
static void read_options(void)
{
    TINY_ENV_OPTIONS(TINY_OPTION_READ)
}

#endif

void tiny_state_init(void)
{
    os_fence_init();
#if TINY_TOGGLE_COUNT > 0
    read_toggles();
#endif
#if TINY_ENV_OPTION_COUNT > 0
    read_options();
#endif
#if HAKMEM_DEBUG_OUTPUT
    hak_debug_init();
    if (hak_debug_on)
        hak_debug_print("[hakmem:tiny_state.init] %s: %d classes to %d bytes, %d toggles, %d options\n",
                        TINY_VARIANT, TINY_CLASSES, TINY_MAX_SIZE, TINY_TOGGLE_COUNT, TINY_ENV_OPTION_COUNT);
#endif
}
