"""Run a program under valgrind's cachegrind, always under the same conditions, and add up what it counted.

Reads the program and a library to preload; writes to a temporary folder only. Where a program lies in memory
decides which lines of a cache it meets, so everything that moves it is fixed: its name and arguments, its
environment, the folder it runs in, the addresses (`setarch -R`) and, for programs with threads, the processor
(`taskset`): on one, a thread runs until it waits, and the order in which threads go is always the same.
"""

from __future__ import annotations

import itertools
import os
import platform
import tempfile
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from layermatrix.core import preload, process

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

KEPT_VARIABLES = ("PATH", "LD_LIBRARY_PATH")  # what may be needed to start at all
PROGRAM, LIBRARY, OUT, LOG = "program", "library.so", "out", "log"

_turn = itertools.count()


class CountersError(ValueError):
    """A count that could not be taken, and why."""


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
    """One run: its events, in as many ways as they were summed up, and what it printed."""

    events: tuple[Events, ...]
    stdout: bytes


@dataclass(frozen=True)
class Cachegrind:
    """valgrind, the caches that it simulates, and the words in front of it that keep the conditions."""

    valgrind: str
    cache: CacheModel
    run: process.Run = process.run
    timeout: float = 600.0
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
        """One run of this command, whose first word is a file, with the library, None for none: all events,
        and those of these functions. linked: the program is linked with the library; else that is preloaded.
        CountersError when it fails."""
        preloaded = None if linked else library
        with tempfile.TemporaryDirectory() as name:
            folder, environment = Path(name), _environment(preloaded)
            words = self._command(folder, command, preloaded)
            finished = self.run(words, environment=environment, timeout=self.timeout, folder=folder)
            if finished.failure:
                raise CountersError(finished.failure)
            if not (folder / OUT).exists():
                raise CountersError("valgrind wrote no counts")
            ran = preload.Ran(Path(PROGRAM), environment, folder, finished.stdout, finished.stderr)
            preload.prove(ran, Path(LIBRARY) if preloaded else library, run=self.run)
            text = (folder / OUT).read_text(encoding="utf-8", errors="replace")
        return Counted(parse(text, functions), finished.stdout)

    def _command(self, folder: Path, command: Sequence[str], library: Path | None) -> list[str]:
        """Short names for program and library, whatever the real ones are."""
        (folder / PROGRAM).symlink_to(Path(command[0]).absolute())
        if library is not None:
            (folder / LIBRARY).symlink_to(library.absolute())
        options = ["--tool=cachegrind", "--cache-sim=yes", "--branch-sim=yes", *self.cache.options()]
        options += ["--vgdb=no", "--fair-sched=try", f"--cachegrind-out-file={OUT}", f"--log-file={LOG}"]
        return [*self.before, self.valgrind, *options, f"./{PROGRAM}", *command[1:]]


def steady(run: process.Run = process.run) -> tuple[tuple[str, ...], list[str]]:
    """The words to put in front of a command so that it always runs alike, and in words what they achieve;
    of what this machine does not permit, why."""
    before: list[str] = []
    said: list[str] = []
    for words, achieved, otherwise in (
        (["setarch", platform.machine(), "-R"], "addresses not randomised", "addresses randomised"),
        (["taskset", "-c", str(_processor())], "on one processor", "on any processor"),
    ):
        finished = run([*words, "true"], environment=process.environment(), timeout=60)
        if finished.failure is None:
            before += words
        said.append(achieved if finished.failure is None else f"{otherwise} ({finished.failure})")
    return tuple(before), said


def _processor() -> int:
    """One of our processors, each in turn, so that runs at the same time share none."""
    ours = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]
    return ours[(next(_turn) + os.getpid()) % len(ours)]


def _environment(library: Path | None) -> dict[str, str]:
    kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    return {**kept, "LC_ALL": "C", **({preload.VARIABLE: f"./{LIBRARY}"} if library else {})}


# --- cachegrind's file: `events:` names the columns, `fn=` begins a function's lines, `summary:` ends it


def parse(out: str, functions: Collection[str] = ()) -> tuple[Events, Events]:
    """Our events from cachegrind's file: of the whole run, and of these functions alone."""
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
        raise CountersError(f"valgrind's counts hold no number: {error}") from error


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
