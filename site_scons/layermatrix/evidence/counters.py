"""Count instructions and cache misses an operation, in valgrind's model of a cache.

Runs a benchmark program under `valgrind --tool=cachegrind` with a library preloaded or none. Returns the
record `counters`. The counts are those of a model, not of the machine that runs it, and repeat with the same
binaries, but for what depends on the addresses that the system hands out and on the digits of the time that
the benchmark prints: some thousandths of an instruction or of a miss.

Each figure is a slope: the program runs with N operations and with N/4, and

    per_op = (events(N) - events(N/4)) / (N - N/4)

so that process start, dynamic loading and warm-up, which both runs have, cancel. The same slope of the
dry run (the benchmark's loop without the operations, nothing preloaded) is the benchmark's own share; it
is taken off, and kept in the record. A difference can be negative by a trifle where the dry loop misses the
cache a little more often; it is left as it is.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from layermatrix import process, records

# our name -> cachegrind's events: reads of instructions, data reads, data writes; "mr"/"mw": misses
EVENTS = {
    "instructions": ("Ir",),
    "i1_misses": ("I1mr",),
    "d1_misses": ("D1mr", "D1mw"),
    "ll_misses": ("ILmr", "DLmr", "DLmw"),
}
Counts = dict[str, float]


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
class Load:
    """A benchmark's command with the option that says how many operations, e.g. (prog, --ops, 400000);
    it prints one JSON line with the number of operations that it has done."""

    name: str
    command: tuple[str, ...]
    ops_option: str = "--ops"
    dry_option: str = "--dry"
    ops_field: str = "ops"


def find_valgrind() -> str | None:
    return shutil.which("valgrind")


def measure(
    loads: Sequence[Load],
    preload: Path | None,
    cache: CacheModel,
    valgrind: str | None,
    *,
    run: process.Run = process.run,
    timeout: float = 600.0,
) -> records.Record:
    """The record `counters`. preload: the library, None for the system's own. A load that fails is "not
    measured" with its reason, and so is the record when none succeeds."""
    if valgrind is None:
        return records.not_measured("counters", "valgrind is not installed")
    bench = _Cachegrind(valgrind, cache, run, timeout)
    version = bench.version()
    results = {load.name: _load(bench, load, preload) for load in loads}
    failed = [result["reason"] for result in results.values() if result["status"] == records.NOT_MEASURED]
    if len(failed) == len(results):
        return records.not_measured("counters", failed[0] if failed else "no load is counted")
    shapes = {name: list(shape) for name, shape in vars(cache).items()}
    return records.measured("counters", tool=f"{version} cachegrind", cache=shapes, loads=results)


def _load(bench: _Cachegrind, load: Load, preload: Path | None) -> records.Record:
    try:
        ops, real = bench.slope(load, load.command, preload)
        _, own = bench.slope(load, (*load.command, load.dry_option), None)
    except CountersError as error:
        return {"status": records.NOT_MEASURED, "reason": f"{load.name}: {error}"}
    return {
        "status": records.MEASURED,
        "ops": ops,
        "per_op": {name: round(real[name] - own[name], 6) for name in EVENTS},
        "own_share": {name: round(own[name], 6) for name in EVENTS},
    }


@dataclass(frozen=True)
class _Cachegrind:
    """valgrind, its cache model, and the way to run it."""

    valgrind: str
    cache: CacheModel
    run: process.Run
    timeout: float

    def version(self) -> str:
        finished = self.run([self.valgrind, "--version"], environment=process.environment(), timeout=60)
        return process.last_line(finished.stdout) or "valgrind"

    def slope(self, load: Load, command: Sequence[str], preload: Path | None) -> tuple[int, Counts]:
        """Operations of the longer run, and the events that each further operation costs."""
        wanted = _ops(load, command)
        many, events_many = self.count(load, command, preload)
        few, events_few = self.count(load, _with_ops(load, command, wanted // 4), preload)
        if many <= few:
            raise CountersError(f"asked for {wanted} operations it did {many}, for a quarter of them {few}")
        return many, {name: (events_many[name] - events_few[name]) / (many - few) for name in EVENTS}

    def count(self, load: Load, command: Sequence[str], preload: Path | None) -> tuple[int, dict[str, int]]:
        """Operations done and events counted in one run."""
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder, "out")
            named = str(out).replace("%", "%%")  # valgrind expands %p and the like in file names
            options = ["--tool=cachegrind", "--cache-sim=yes", *self.cache.options()]
            files = [f"--cachegrind-out-file={named}", f"--log-file={named}.log"]
            finished = self.run(
                [self.valgrind, *options, *files, *command],
                environment=process.environment(preload),
                timeout=self.timeout,
            )
            if finished.failure:
                raise CountersError(finished.failure)
            if not out.exists():
                raise CountersError("valgrind wrote no counts")
            return _reported_ops(load, finished), parse(out.read_text(encoding="utf-8", errors="replace"))


def _ops_place(load: Load, command: Sequence[str]) -> int:
    if load.ops_option not in command[:-1]:
        raise CountersError(f"the command has no {load.ops_option} with a number behind it")
    return list(command).index(load.ops_option) + 1


def _ops(load: Load, command: Sequence[str]) -> int:
    text = command[_ops_place(load, command)]
    if not text.isdecimal() or int(text) < 4:
        raise CountersError(f"{load.ops_option} {text}: a number from 4 is needed to take a quarter of it")
    return int(text)


def _with_ops(load: Load, command: Sequence[str], ops: int) -> tuple[str, ...]:
    place = _ops_place(load, command)
    return (*command[:place], str(ops), *command[place + 1 :])


def _reported_ops(load: Load, finished: process.Finished) -> int:
    try:
        ops = process.reported(finished.stdout).get(load.ops_field)
    except ValueError as error:
        raise CountersError(str(error)) from error
    if type(ops) is not int:
        raise CountersError(f"it does not say its number of operations as {load.ops_field!r}")
    return ops


def parse(out: str) -> dict[str, int]:
    """Our events from the lines `events:` and `summary:` of cachegrind's file."""
    fields = {}
    for line in out.splitlines():
        key, colon, rest = line.partition(":")
        if colon and key in ("events", "summary"):
            fields[key] = rest.split()
    names, values = fields.get("events", []), fields.get("summary", [])
    if not names or len(names) != len(values):
        raise CountersError("valgrind's file has no summary of its events")
    try:
        counted = {name: int(value) for name, value in zip(names, values, strict=True)}
        return {ours: sum(counted[name] for name in theirs) for ours, theirs in EVENTS.items()}
    except KeyError as error:
        raise CountersError(f"valgrind did not count {error.args[0]}") from error
    except ValueError as error:
        raise CountersError(f"valgrind's summary holds no number: {error}") from error
