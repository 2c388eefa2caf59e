"""The empty allocator of the benchmarks does almost nothing, but programs run on it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "csrc" / "bench" / "null_malloc.c"
FLAGS = [f"-fno-builtin-{name}" for name in ("malloc", "calloc", "realloc", "free")]
PROGRAM = r"""
#define _GNU_SOURCE
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#define CHECK(x) do { if (!(x)) { printf("line %d: %s\n", __LINE__, #x); exit(1); } } while (0)
enum { MANY = 2000 };

static void *fill(void *mark)
{
    unsigned char *blocks[MANY];
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < MANY; i++) {
            size_t size = (size_t)(i * 7 % 1500);
            CHECK((blocks[i] = malloc(size)) != NULL);
            memset(blocks[i], (int)(intptr_t)mark + i, size);
        }
        for (int i = 0; i < MANY; i++) {
            for (size_t byte = 0; byte < (size_t)(i * 7 % 1500); byte++)
                CHECK(blocks[i][byte] == (unsigned char)((intptr_t)mark + i));
            free(blocks[i]);
        }
    }
    return NULL;
}

int main(void)
{
    char *first = malloc(100), *second = malloc(1);
    free(first);
    CHECK(malloc(800) == first);  // what was freed last comes next, of any size
    memset(first, 'x', 800);
    CHECK(malloc_usable_size(first) >= 800 && malloc_usable_size(NULL) == 0);
    char *grown = realloc(first, 5000);
    CHECK(grown != first && grown[0] == 'x' && grown[799] == 'x');
    char *zeroed = calloc(8, 100);
    CHECK(zeroed == first && zeroed[0] == 0 && zeroed[799] == 0);
    void *aligned = NULL;
    CHECK(posix_memalign(&aligned, 4096, 10) == 0 && (uintptr_t)aligned % 4096 == 0);
    for (int i = 0; i < 100000; i++) {
        free(aligned);
        CHECK((aligned = aligned_alloc(4096, 100000)) != NULL && malloc_usable_size(aligned) >= 100000);
        void *other = realloc(malloc(3000), 70000);  // large blocks are used again, too
        CHECK(other != NULL && other != aligned);
        free(other);
    }
    CHECK((uintptr_t)memalign(256, 10) % 256 == 0 && (uintptr_t)aligned_alloc(64, 10) % 64 == 0);
    volatile size_t huge = SIZE_MAX;
    CHECK(malloc(huge) == NULL && errno == ENOMEM);
    CHECK(calloc(huge, 2) == NULL && realloc(second, huge) == NULL);
    free(NULL);
    pthread_t threads[4];
    for (intptr_t i = 0; i < 4; i++) CHECK(pthread_create(&threads[i], NULL, fill, (void *)i) == 0);
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    puts("passed");
}
"""


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_blocks_do_not_overlap_and_the_one_freed_last_comes_next(tmp_path: Path, compiler: str) -> None:
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    (tmp_path / "program.c").write_text(PROGRAM, encoding="utf-8")
    common = [compiler, "-O1", "-fPIC", "-pthread", *FLAGS]
    for words in (["-shared", SOURCE, "-o", "null.so"], ["program.c", "-o", "program", "./null.so"]):
        subprocess.run([*common, *words], cwd=tmp_path, check=True, timeout=60)
    done = subprocess.run(["./program"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.returncode) == ("passed\n", 0)
