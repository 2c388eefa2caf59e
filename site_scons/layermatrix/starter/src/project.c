// What the layers work on, and the hot path as a function.
#include "@name@_gen.h"

_Thread_local struct @name@_state @name@_state;

unsigned @name@_compute(unsigned key)
{
    unsigned steps = 1;
    for (unsigned long long number = key; number > 1; steps++) number = number % 2 ? 3 * number + 1 : number / 2;
    return steps;
}

unsigned @name@_steps(unsigned key)
{
    return @name@_get(key);
}
