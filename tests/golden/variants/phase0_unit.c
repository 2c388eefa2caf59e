// phase0: the tiny allocator as one translation unit. Generated from variants/phase0.yaml.
#include "registry/tiny_state.c"
#include "registry/tiny_registry.c"
#include "heap/tiny_superslab.c"
#include "thread/tiny_tls.c"
#include "thread/tiny_lifecycle.c"
#include "entry/tiny_stats.c"
#include "front/hakmem_tiny.c"
