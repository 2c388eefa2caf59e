// Every variant gives the answer that computing it gives.
#include <stdio.h>

#include "@name@_gen.h"

int main(void)
{
    unsigned random = 1;
    for (int i = 0; i < 20000; i++) {
        random = random * 1664525u + 1013904223u;
        const unsigned key = (random >> 8) % 1000 + 1, wanted = @name@_compute(key);
        if (@name@_get(key) != wanted || @name@_steps(key) != wanted) {
            fprintf(stderr, "key %u: the answer is not %u\n", key, wanted);
            return 1;
        }
    }
    return 0;
}
