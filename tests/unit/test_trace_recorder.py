"""The recorder: what it writes of programs that fork, replace themselves, are killed, or have threads."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from toy_traces import Event, decoded, without_numbers

FOLDER = Path(__file__).parents[2] / "csrc" / "bench"
FLAGS = [
    *("-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-pthread", "-fPIC"),
    *(f"-fno-builtin-{name}" for name in ("malloc", "calloc", "realloc", "free")),
]
UNDEFINED = [
    "-fsanitize=undefined",
    "-fsanitize-undefined-trap-on-error",
]  # needs no runtime, which allocates
PROGRAM = r"""
#define _GNU_SOURCE
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static void known(void)
{
    char *one = malloc(1001), *two = calloc(3, 501);
    one = realloc(one, 20002);
    two = realloc(two, 7);
    void *aligned = aligned_alloc(64, 128), *other = memalign(256, 300), *posix = NULL;
    if (posix_memalign(&posix, 4096, 5000) != 0) abort();
    void *array = reallocarray(NULL, 11, 13), *page = valloc(77), *none = malloc(0);
    free(one);
    free(NULL);
    free(realloc(malloc(33), 0));
    volatile size_t huge = SIZE_MAX / 2;
    if (malloc(huge) != NULL || realloc(two, huge) != NULL || calloc(huge, 3) != NULL) abort();
    if (reallocarray(two, huge, 3) != NULL) abort();
    free(two);
    free(aligned), free(other), free(posix), free(array), free(page), free(none);
}

static void fork_twice(void)
{
    char *kept = malloc(1111);
    if (fork() == 0) {
        for (int i = 0; i < 1000; i++) free(malloc(2222));
        free(kept);
        _exit(0);
    }
    wait(NULL);
    if (vfork() == 0) _exit(0);
    wait(NULL);
    free(kept);
    free(malloc(3333));
}

enum { BLOCKS = 3000, THREADS = 4 };
static void *passed[THREADS][BLOCKS];

static void *work(void *argument)
{
    const intptr_t own = (intptr_t)argument, from = (own + 1) % THREADS;
    uint32_t random = 1 + (uint32_t)own;
    for (int i = 0; i < BLOCKS * 20; i++) {
        random = random * 1664525 + 1013904223;
        void **mine = &passed[own][random % BLOCKS], **theirs = &passed[from][random / 7 % BLOCKS];
        void *made = malloc(random % 900);
        if (random % 3 == 0) made = realloc(made, 1 + random % 2000);
        free(__atomic_exchange_n(mine, made, __ATOMIC_ACQ_REL));
        if (random % 5 == 0) free(__atomic_exchange_n(theirs, NULL, __ATOMIC_ACQ_REL));
    }
    return NULL;
}

static void many_threads(void)
{
    pthread_t threads[THREADS];
    for (intptr_t i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, work, (void *)i);
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
}

static void *kept_by_handler;
static void handle(int number)
{
    (void)number;
    free(kept_by_handler);
    kept_by_handler = malloc(4321);
}

static void handler(void)
{
    struct itimerval each = {{0, 50}, {0, 50}}, none = {{0, 0}, {0, 0}};
    signal(SIGALRM, handle);
    setitimer(ITIMER_REAL, &each, NULL);
    for (int i = 0; i < 300000; i++) {
        void *block = malloc(77);
        free(realloc(block, 99));
    }
    setitimer(ITIMER_REAL, &none, NULL);
}

static void endless(void)
{
    for (;;) free(malloc(55));
}

int main(int count, char **words)
{
    const char *what = count > 1 ? words[1] : "";
    setvbuf(stdout, NULL, _IONBF, 0);
    if (strcmp(what, "known") == 0) known();
    if (strcmp(what, "fork") == 0) fork_twice();
    if (strcmp(what, "threads") == 0) many_threads();
    if (strcmp(what, "handler") == 0) handler();
    if (strcmp(what, "endless") == 0) endless();
    if (strcmp(what, "exec") == 0) {
        malloc(606);
        execl(words[0], words[0], "known", (char *)NULL);
    }
    if (strcmp(what, "_exit") == 0) {
        malloc(707);
        _exit(3);
    }
    return 0;
}
"""
# An allocator without locks, so that a signal handler may call it. The block freed last is the next one.
NO_LOCKS = r"""
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
enum { BLOCK = 8192, BLOCKS = 1 << 17 };
static unsigned char blocks[BLOCKS][BLOCK];
static unsigned char *last_freed;
static size_t used;
__attribute__((visibility("default"))) void *malloc(size_t size)
{
    unsigned char *block = __atomic_exchange_n(&last_freed, NULL, __ATOMIC_ACQ_REL);
    const size_t next = block != NULL ? 0 : __atomic_fetch_add(&used, 1, __ATOMIC_RELAXED);
    if (size > BLOCK || next >= BLOCKS) abort();
    return block != NULL ? block : blocks[next];
}
__attribute__((visibility("default"))) void free(void *block)
{
    if (block != NULL) __atomic_store_n(&last_freed, block, __ATOMIC_RELEASE);
}
__attribute__((visibility("default"))) void *calloc(size_t count, size_t size)
{
    return memset(malloc(count * size), 0, count * size);
}
__attribute__((visibility("default"))) void *realloc(void *block, size_t size)
{
    return block != NULL ? block : malloc(size);
}
"""
KNOWN = [
    ("malloc", 1001), ("calloc", 1503), ("realloc", 20002), ("realloc", 7),
    ("aligned", 128), ("aligned", 300), ("aligned", 5000), ("malloc", 143), ("aligned", 77), ("malloc", 0),
    ("free", 0), ("malloc", 33), ("free", 0), *[("free", 0)] * 7,
]  # fmt: skip
Record = Callable[..., "tuple[subprocess.CompletedProcess[str], Path]"]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the recorder, the program, the replayer, and an allocator that a handler may call."""
    compiler = shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("neither gcc nor clang is installed")
    folder = tmp_path_factory.mktemp("recorder")
    (folder / "no_locks.c").write_text(NO_LOCKS, encoding="utf-8")
    (folder / "program.c").write_text("#include <stdio.h>\n" + PROGRAM, encoding="utf-8")
    for words in (
        ["-shared", *UNDEFINED, FOLDER / "trace_recorder.c", "-o", "recorder.so"],
        ["-shared", "no_locks.c", "-o", "no_locks.so"],
        ["-Wno-unused-result", "program.c", "-o", "program"],
        [FOLDER / "bench_replay.c", "-o", "bench_replay"],
    ):
        subprocess.run([compiler, *FLAGS, *words], cwd=folder, check=True, timeout=60)
    return folder


@pytest.fixture
def record(built: Path, tmp_path: Path) -> Record:
    """Runs the program with the recorder; the finished run, and its trace."""

    def call(what: str, *behind: str, **variables: str) -> tuple[subprocess.CompletedProcess[str], Path]:
        trace = tmp_path / "a.trace"
        preload = ":".join(str(built / name) for name in ("recorder.so", *behind))
        given = {"LD_PRELOAD": preload, "TRACE_RECORDER_FILE": str(trace), **variables}
        environment = {**os.environ, **given}
        words = [str(built / "program"), what]
        return subprocess.run(words, env=environment, capture_output=True, text=True, timeout=60), trace

    return call


def replayed(built: Path, trace: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [str(built / "bench_replay"), "--trace", str(trace), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def start_of(trace: Path) -> bytes:
    """What was written to a trace. Its file has a size for all events that it may get."""
    with trace.open("rb") as stream:
        return stream.read(1 << 22)


def events_of(built: Path, trace: Path) -> list[Event]:
    """The events of a trace that the replayer accepts. The replayer and this folder's reader agree."""
    events = decoded(start_of(trace))
    done = replayed(built, trace, "--print", "events")
    assert (done.stderr, done.returncode) == ("", 0)
    lines = [
        f"{thread} {kind} #{number}"
        + (f" {size}" if kind != "free" else "")
        + (f" {1 << exponent}" if kind == "aligned" else "")
        for thread, kind, number, size, exponent in events
    ]
    assert done.stdout.splitlines() == lines
    return events


def after(events: list[Event], size: int) -> list[Event]:
    """The events from the first one with this size on: the C library allocates before a program does."""
    first = next(place for place, event in enumerate(events) if event[3] == size)
    return events[first:]


def test_every_call_is_written_with_its_size_and_alignment(record: Record, built: Path) -> None:
    done, trace = record("known")
    assert (done.stderr, done.returncode) == ("", 0)
    events = after(events_of(built, trace), 1001)
    assert without_numbers(events) == KNOWN
    assert [1 << event[4] for event in events if event[1] == "aligned"] == [64, 256, 4096, 4096]
    numbers = [event[2] - events[0][2] for event in events]
    assert numbers == [0, 1, 0, 1, 2, 3, 4, 5, 6, 7, 0, 8, 8, 1, 2, 3, 4, 5, 6, 7]
    assert replayed(built, trace).returncode == 0


def test_a_child_writes_nothing_and_its_parent_goes_on(record: Record, built: Path) -> None:
    done, trace = record("fork")
    assert (done.stderr, done.returncode) == ("", 0)
    found = without_numbers(after(events_of(built, trace), 1111))
    assert found == [("malloc", 1111), ("free", 0), ("malloc", 3333), ("free", 0)]


@pytest.mark.parametrize(("what", "size", "status"), [("exec", 606, 0), ("_exit", 707, 3)])
def test_a_program_that_ends_without_destructors_leaves_a_whole_trace(
    record: Record, built: Path, what: str, size: int, status: int
) -> None:
    done, trace = record(what)
    assert (done.stderr, done.returncode) == ("", status)
    assert without_numbers(after(events_of(built, trace), size)) == [("malloc", size)]


def test_a_killed_program_leaves_a_whole_trace(built: Path, tmp_path: Path) -> None:
    for number in range(5):
        trace = tmp_path / f"{number}.trace"
        variables = {"LD_PRELOAD": str(built / "recorder.so"), "TRACE_RECORDER_FILE": str(trace)}
        child = subprocess.Popen([built / "program", "endless"], env={**os.environ, **variables})
        try:
            while not trace.exists() or not start_of(trace).startswith(b"MALTRACE"):
                assert child.poll() is None
            time.sleep(0.002 * number)
        finally:
            child.send_signal(signal.SIGKILL)
            child.wait(60)
        done = replayed(built, trace, "--print", "counts")
        assert (done.stderr, done.returncode) == ("", 0)


def test_blocks_that_pass_between_threads_keep_their_order(record: Record, built: Path) -> None:
    """A free that comes before its allocation, or a second free of a block, is an error of the trace."""
    done, trace = record("threads")
    assert (done.stderr, done.returncode) == ("", 0)
    events = events_of(built, trace)
    assert {event[0] for event in events} == {1, 2, 3, 4, 5}
    owners = {event[2]: event[0] for event in events if event[1] != "free"}
    assert any(event[1] == "free" and owners[event[2]] != event[0] for event in events)
    refused = replayed(built, trace)
    assert (refused.stdout, refused.returncode) == ("", 2)
    assert refused.stderr == f"{trace}: it has 5 threads, and only traces of one thread are replayed\n"


def test_a_signal_handler_that_allocates_neither_hangs_nor_spoils_the_trace(
    record: Record, built: Path
) -> None:
    done, trace = record("handler", "no_locks.so", TRACE_RECORDER_EVENTS="800000")
    assert (done.stderr, done.returncode) == ("", 0)
    counts = json.loads(replayed(built, trace, "--print", "counts").stdout)
    assert counts["sizes"]["8192"] > 0  # the handler came, and at times not within the recorder


def test_the_recording_stops_after_so_many_events(record: Record, built: Path) -> None:
    done, trace = record("known", TRACE_RECORDER_EVENTS="5")
    assert done.returncode == 0
    assert len(decoded(start_of(trace))) == 5
    assert '"end":"limit"' in replayed(built, trace, "--print", "counts").stdout


def test_only_the_named_program_is_recorded(record: Record) -> None:
    done, trace = record("known", TRACE_RECORDER_PROGRAM="other")
    assert (done.stderr, done.returncode) == ("", 0)
    assert not trace.exists()
    done, trace = record("known", TRACE_RECORDER_PROGRAM="program")
    assert trace.exists()


def test_a_trace_that_is_there_is_left_as_it_is(record: Record, tmp_path: Path) -> None:
    (tmp_path / "a.trace").write_text("mine", encoding="ascii")
    done, trace = record("known")
    assert (done.stderr, done.returncode) == ("", 0)
    assert trace.read_text(encoding="ascii") == "mine"


@pytest.mark.parametrize("path", ["a.trace", "/no/such/folder/a.trace"])
def test_a_path_that_cannot_be_written_is_reported_and_the_program_runs(record: Record, path: str) -> None:
    done, _ = record("known", TRACE_RECORDER_FILE=path)
    what = "trace_recorder: cannot write TRACE_RECORDER_FILE, which has to be an absolute path: "
    assert (done.stderr, done.returncode) == (f"{what}{path}\n", 0)
