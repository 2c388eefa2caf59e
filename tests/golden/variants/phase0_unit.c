// phase0: the tiny allocator as one translation unit. Generated from variants/phase0.yaml.
#include "tiny_state.c"
#include "tiny_registry.c"
#include "tiny_superslab.c"
#include "tiny_tls.c"
#include "tiny_lifecycle.c"
#include "tiny_stats.c"
#include "hakmem_tiny.c"
