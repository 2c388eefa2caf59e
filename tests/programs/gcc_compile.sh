#!/bin/sh
# gcc compiles a large generated file and a small program with optimisation. The objects must be identical with
# and without the library, and the program must run.

. "$(dirname "$0")/data/common.sh"
need awk
compiler=gcc
command -v gcc >/dev/null 2>&1 || compiler=cc
need "$compiler"

# Every fifth function walks a list, the others are a line of arithmetic; every 25 are called together.
awk 'BEGIN {
    print "struct item { int key; double value; struct item *next; };"
    for (i = 0; i < 600; i++) {
        printf "\nint function%d(struct item *list, int n)\n{\n", i
        printf "    int sum = %d + (n %% %d);\n", i, i % 13 + 2
        if (i % 5 == 0) printf "    for (; list; list = list->next) sum += list->key * %d;\n", i % 17
        printf "    return list ? sum ^ list->key : sum;\n}\n"
        if (i % 25 != 24) continue
        printf "\nint total%d(struct item *list)\n{\n    int sum = 0;\n", i
        for (j = i - 24; j <= i; j++) printf "    sum ^= function%d(list, sum);\n", j
        printf "    return sum;\n}\n"
    }
}' >large.c
cat >small.c <<'END'
#include <stdio.h>
#include <stdlib.h>
int main(void)
{
    unsigned long long sum = 0;
    for (unsigned i = 0; i < 200000; i++) {
        unsigned *block = malloc(16 + i % 500);
        block[0] = i * 2654435761u;
        sum += block[0];
        free(block);
    }
    printf("%llu\n", sum);
    return 0;
}
END

preloaded "$compiler" -O2 -c large.c -o large.o
sha256sum large.o
preloaded "$compiler" -O2 -Wall -c small.c -o small.o
sha256sum small.o
preloaded "$compiler" -O2 small.o -o small
preloaded ./small
