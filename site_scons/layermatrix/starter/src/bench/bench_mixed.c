// Requests for a few keys, each three times in a row. The hot path is inlined here.
//
// Options: --ops N requests, --keys N different keys. Prints one line of JSON.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "@name@_gen.h"

static unsigned long number(int count, char **words, const char *option, unsigned long otherwise)
{
    for (int i = 1; i + 1 < count; i += 2)
        if (strcmp(words[i], option) == 0) return strtoul(words[i + 1], NULL, 10);
    return otherwise;
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

int main(int count, char **words)
{
    const unsigned long ops = number(count, words, "--ops", 1000000), keys = number(count, words, "--keys", 200);
    unsigned long sum = 0;
    const double start = seconds();
    for (unsigned long i = 0; i < ops; i++) sum += @name@_get((unsigned)(i / 3 * 7 % keys) + 1);
    printf("{\"bench\":\"mixed\",\"ops\":%lu,\"seconds\":%.6f,\"checksum\":%lu}\n", ops, seconds() - start + 1e-9, sum);
    return 0;
}
