// The hot path in a function of its own, so that its code can be counted.
#include "@name@_gen.h"

unsigned probe_get(unsigned key);

__attribute__((noinline)) unsigned probe_get(unsigned key)
{
    return @name@_get(key);
}
