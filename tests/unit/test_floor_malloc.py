"""The floor of the benchmarks is not safe, but programs run on it and read back what they wrote."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "csrc" / "bench" / "floor_malloc.c"
NAMES = ("malloc", "calloc", "realloc", "free", "memalign", "aligned_alloc", "posix_memalign")
FLAGS = [f"-fno-builtin-{name}" for name in NAMES]
PROGRAM = r"""
#define _GNU_SOURCE
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#define CHECK(x) do { if (!(x)) { printf("line %d: %s\n", __LINE__, #x); exit(1); } } while (0)
enum { MANY = 2000, THREADS = 4, LARGEST = 2048 };

static unsigned char *blocks[THREADS][MANY];
static pthread_barrier_t all;

static size_t size_of(int block) { return (size_t)(block * 7 % 2500); }

static bool holds(const unsigned char *block, size_t size, unsigned char mark)
{
    for (size_t byte = 0; byte < size; byte++)
        if (block[byte] != mark) return false;
    return true;
}

// Fills blocks of its own, then looks at the next thread's and frees those, so that blocks wander.
static void *trade(void *mark)
{
    const intptr_t own = (intptr_t)mark, next = (own + 1) % THREADS;
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < MANY; i++) {
            CHECK((blocks[own][i] = malloc(size_of(i))) != NULL);
            CHECK((uintptr_t)blocks[own][i] % 16 == 0 && malloc_usable_size(blocks[own][i]) >= size_of(i));
            memset(blocks[own][i], (int)own * 50 + i % 50, size_of(i));
        }
        pthread_barrier_wait(&all);
        for (int i = 0; i < MANY; i++) {
            CHECK(holds(blocks[next][i], size_of(i), (unsigned char)(next * 50 + i % 50)));
            free(blocks[next][i]);
        }
        pthread_barrier_wait(&all);
    }
    return NULL;
}

static void *free_first(void *block)
{
    free(block);
    return malloc(40);  // this thread has the blocks that it freed, even those of other threads
}

static void take_aligned(void)
{
    for (size_t align = 8; align <= 1 << 20; align *= 2)
        for (size_t size = 0; size < 5000; size += 499) {
            void *made[3] = {memalign(align, size), aligned_alloc(align, size), NULL};
            CHECK(posix_memalign(&made[2], align, size) == 0);
            for (int i = 0; i < 3; i++) {
                CHECK((uintptr_t)made[i] % align == 0 && malloc_usable_size(made[i]) >= size);
                memset(made[i], i, size);
            }
            for (int i = 0; i < 3; i++) {
                CHECK(holds(made[i], size, (unsigned char)i));
                free(made[i]);
            }
        }
    void *none = NULL;
    volatile size_t odd = 24;
    CHECK(posix_memalign(&none, odd, 1) == EINVAL && memalign(odd, 1) == NULL && errno == EINVAL);
}

static void grow_and_shrink(void)
{
    unsigned char *block = realloc(NULL, 1);
    block[0] = 7;
    for (size_t size = 1; size < 300000; size = size * 3 / 2 + 1) {
        CHECK((block = realloc(block, size)) != NULL && holds(block, 1, 7));
        memset(block, 7, size);
    }
    for (size_t size = 200000; size > 10; size /= 3)
        CHECK((block = realloc(block, size)) != NULL && holds(block, size, 7));
    free(block);
}

static void have_zeroes(void)
{
    for (size_t size = 1; size < 3 * LARGEST; size += 111) {
        char *block = malloc(size);
        memset(block, 'x', size);
        free(block);
        CHECK((block = calloc(1, size)) != NULL && holds((unsigned char *)block, size, 0));
        free(block);
    }
}

int main(void)
{
    free(NULL);
    char *large = malloc(LARGEST + 1);  // the first block of all is no block of a class
    memset(large, 'x', LARGEST + 1);
    free(large);
    char *first = malloc(100);
    free(first);
    CHECK(malloc(97) == first && malloc(97) != first);  // 97 to 112 bytes are one class
    void *nothing = malloc(0), *more = malloc(0);
    CHECK(nothing != NULL && more != NULL && nothing != more && malloc_usable_size(NULL) == 0);
    volatile size_t huge = SIZE_MAX;
    errno = 0;
    CHECK(malloc(huge) == NULL && errno == ENOMEM);
    CHECK(malloc(huge - 4000) == NULL && calloc(huge, 2) == NULL && realloc(first, huge) == NULL);
    CHECK(memalign(huge / 2 + 1, 1) == NULL && memalign(4096, huge) == NULL);
    have_zeroes();
    grow_and_shrink();
    take_aligned();
    pthread_t threads[THREADS];
    void *wandered = malloc(40), *found;
    CHECK(pthread_create(&threads[0], NULL, free_first, wandered) == 0);
    CHECK(pthread_join(threads[0], &found) == 0 && found == wandered);
    pthread_barrier_init(&all, NULL, THREADS);
    for (intptr_t i = 0; i < THREADS; i++) CHECK(pthread_create(&threads[i], NULL, trade, (void *)i) == 0);
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    puts("passed");
}
"""


@pytest.fixture(params=["gcc", "clang"])
def compiled(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A folder with the library and the program, built by each installed compiler."""
    if shutil.which(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    (tmp_path / "program.c").write_text(PROGRAM, encoding="utf-8")
    common = [request.param, "-O2", "-Wall", "-Werror", "-fPIC", "-pthread", *FLAGS]
    for words in (["-shared", SOURCE, "-o", "floor.so"], ["program.c", "-o", "program", "./floor.so"]):
        subprocess.run([*common, *words], cwd=tmp_path, check=True, timeout=60)
    return tmp_path


def test_blocks_keep_what_is_written_to_them_regardless_of_the_freeing_thread(compiled: Path) -> None:
    done = subprocess.run(["./program"], cwd=compiled, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.returncode) == ("passed\n", 0)


def test_a_program_runs_with_it_preloaded(compiled: Path) -> None:
    environment = {**os.environ, "LD_PRELOAD": str(compiled / "floor.so")}
    lines = "".join(f"{number}\n" for number in range(20_000))
    done = subprocess.run(
        ["sort", "-rn", "--parallel=2"],
        input=lines,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.stdout.splitlines()[0], done.stderr, done.returncode) == ("19999", "", 0)
