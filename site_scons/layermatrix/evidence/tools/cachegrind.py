"""Run a program under Valgrind's Cachegrind in fixed conditions, and add up the events.

Reads the program and the library; writes only to a temporary folder. The addresses of a program
decide which cache lines it uses. So everything that changes them is fixed: the program's name and arguments,
its environment, its folder, and address randomisation (`setarch -R`). `taskset` puts all threads on one
processor: a thread then runs until it waits, so the order of the threads is always the same.
"""

from __future__ import annotations

import itertools
import os
import platform
import re
import shutil
import tempfile
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from layermatrix.core import library_use, process

# our name -> cachegrind's events. "mr"/"mw": misses of reads and writes; "Bc"/"Bi": conditional and
# indirect branches, "m": mispredicted
EVENTS = {
    "instructions": ("Ir",),
    "i1_misses": ("I1mr",),
    "d1_misses": ("D1mr", "D1mw"),
    "ll_misses": ("ILmr", "DLmr", "DLmw"),
    "branches": ("Bc", "Bi"),
    "mispredicted": ("Bcm", "Bim"),
}
Events = dict[str, int]

KEPT_VARIABLES = ("LD_LIBRARY_PATH",)  # a program may need it to start
PATH = "/usr/local/bin:/usr/bin:/bin"  # the same on every host: the environment moves a program's stack
COUNTED_VARIABLE = "LAYERED_COUNTED"  # tells a program to print no times: their digits cost instructions
LIMIT = 600.0  # seconds of a run
PROGRAM, LIBRARY, OUT, LOG = "program", "library.so", "out", "log"

_STARTS_THREAD = re.compile(r"^fn=_*(pthread_create|thrd_create)\b", re.MULTILINE)
_turn = itertools.count()


class CountersError(ValueError):
    """A count could not be taken; str() is the reason."""


@dataclass(frozen=True)
class CacheModel:
    """Each cache as (bytes, ways, bytes of a line)."""

    I1: tuple[int, int, int]
    D1: tuple[int, int, int]
    LL: tuple[int, int, int]

    def options(self) -> list[str]:
        return [f"--{name}={','.join(map(str, shape))}" for name, shape in vars(self).items()]


@dataclass(frozen=True)
class Counted:
    """One run. events: the events of the whole run, and of parts of it. stdout: its output. threads: whether
    the program has started threads; their order depends on time, so the counts of two runs differ."""

    events: tuple[Events, ...]
    stdout: bytes
    threads: bool = False


@dataclass(frozen=True)
class Cachegrind:
    """valgrind: its path. cache: the simulated caches. before: command words that fix the conditions.
    timeout: seconds per run."""

    valgrind: str
    cache: CacheModel
    run: process.Run = process.run
    timeout: float = LIMIT
    before: tuple[str, ...] = ()

    def version(self) -> str:
        finished = self.run([self.valgrind, "--version"], environment=process.environment(), timeout=60)
        return process.last_line(finished.stdout) or "valgrind"

    def count(
        self,
        command: Sequence[str],
        library: Path | None,
        functions: Collection[str],
        *,
        linked: bool = False,
    ) -> Counted:
        """Run this command, whose first word is a file, with the library (None: without one). Returns all
        events, and the events of these functions. linked: see `library_use.run_with`. Raises CountersError or
        NotLoadedError."""
        loaded = None if linked else library  # by the variable of the environment
        with tempfile.TemporaryDirectory() as name:
            folder, environment = Path(name), _environment(loaded)
            words = self._command(folder, command, loaded)
            finished = self.run(words, environment=environment, timeout=self.timeout, folder=folder)
            if finished.failure:
                raise CountersError(finished.failure)
            if not (folder / OUT).exists():
                raise CountersError("valgrind wrote no counts")
            ran = library_use.Ran(Path(PROGRAM), environment, folder, finished.stdout, finished.stderr)
            library_use.prove(ran, Path(LIBRARY) if loaded else library, run=self.run)
            text = (folder / OUT).read_text(encoding="utf-8", errors="replace")
        return Counted(parse(text, functions), finished.stdout, bool(_STARTS_THREAD.search(text)))

    def _command(self, folder: Path, command: Sequence[str], library: Path | None) -> list[str]:
        """The command with fixed names for program and library, so that real names do not move addresses."""
        (folder / PROGRAM).symlink_to(Path(command[0]).absolute())
        if library is not None:
            (folder / LIBRARY).symlink_to(library.absolute())
        options = ["--tool=cachegrind", "--cache-sim=yes", "--branch-sim=yes", *self.cache.options()]
        options += ["--vgdb=no", "--fair-sched=try", f"--cachegrind-out-file={OUT}", f"--log-file={LOG}"]
        return [*self.before, self.valgrind, *options, f"./{PROGRAM}", *command[1:]]


def steady(run: process.Run = process.run) -> tuple[tuple[str, ...], list[str]]:
    """The command words that fix the conditions of a run, and a description of each condition. If the machine
    does not permit one, the description has the reason."""
    before: list[str] = []
    conditions: list[str] = []
    for words, achieved, otherwise in (
        (["setarch", platform.machine(), "-R"], "addresses not randomised", "addresses randomised"),
        (["taskset", "-c", str(_processor())], "on one processor", "on any processor"),
    ):
        finished = run([*words, "true"], environment=process.environment(), timeout=60)
        if finished.failure is None:
            before += [shutil.which(words[0]) or words[0], *words[1:]]  # counted programs get another PATH
        conditions.append(achieved if finished.failure is None else f"{otherwise} ({finished.failure})")
    return tuple(before), conditions


def _processor() -> int:
    """One of our processors, in rotation, so that simultaneous runs use different ones."""
    ours = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]
    return ours[(next(_turn) + os.getpid()) % len(ours)]


def _environment(library: Path | None) -> dict[str, str]:
    kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    fixed = {"PATH": PATH, "LC_ALL": "C", COUNTED_VARIABLE: "1"}
    return {**kept, **fixed, **({library_use.VARIABLE: f"./{LIBRARY}"} if library else {})}


# --- cachegrind's file: `events:` names the columns, `fn=` begins a function's lines, `summary:` ends it


def parse(out: str, functions: Collection[str] = ()) -> tuple[Events, Events]:
    """Our events from Cachegrind's file: of the whole run, and of these functions only."""
    names: list[str] = []
    whole: list[int] = []
    for key, values in _fields(out):
        if key == "events":
            names = values
        elif key == "summary":
            whole = _numbers(values)
    if not names or len(names) != len(whole):
        raise CountersError("valgrind's file has no summary of its events")
    return _ours(names, whole), _ours(names, _sum(_lines_of(out, functions), len(names)))


def _fields(out: str) -> Iterator[tuple[str, list[str]]]:
    for line in out.splitlines():
        key, colon, rest = line.partition(":")
        if colon and key in ("events", "summary"):
            yield key, rest.split()


def _lines_of(out: str, functions: Collection[str]) -> Iterator[list[int]]:
    """The counts of each line of these functions, without the line's number."""
    wanted = False
    for line in out.splitlines():
        if line.startswith("fn="):
            wanted = line[3:] in functions
        elif wanted and line[:1].isdigit():
            yield _numbers(line.split()[1:])


def _numbers(words: Sequence[str]) -> list[int]:
    try:
        return [int(word) for word in words]
    except ValueError as error:
        raise CountersError(f"valgrind's file has a count that is not a number: {error}") from error


def _sum(lines: Iterable[list[int]], columns: int) -> list[int]:
    """The sum of each column; a line may leave out zeros at its end."""
    total = [0] * columns
    for counts in lines:
        for index, count in enumerate(counts[:columns]):
            total[index] += count
    return total


def _ours(names: Sequence[str], counts: Sequence[int]) -> Events:
    counted = dict(zip(names, counts, strict=True))
    try:
        return {ours: sum(counted[name] for name in theirs) for ours, theirs in EVENTS.items()}
    except KeyError as error:
        raise CountersError(f"valgrind did not count {error.args[0]}") from error
