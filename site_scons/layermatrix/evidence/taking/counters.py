"""Count what an operation of each load costs in a simulated processor.

Runs benchmark programs under Cachegrind, with a library or with none. The counts describe the
simulated processor, not the machine that runs it. They repeat, except for the digits of the time that the
benchmark prints: in five runs of each load of three cells on a busy machine, they differed by at most 0.003
instructions, 0.0007 branches and 0.0002 misses per operation.

Each figure is a slope. The program runs with N operations and with N/4, and

    per operation = (events(N) - events(N/4)) / (N - N/4)

Both runs contain process start, dynamic loading and warm-up, so these cancel. Each event has three figures:

raw         All events of the program and the library.
own_share   The benchmark's own events: those in the program's functions while the *empty* library serves it.
            The empty library causes the fewest possible cache misses, and its own events are not included.
            So this share contains the benchmark's loop, its mispredicted branches, and its accesses to lines
            that no library could keep in the cache. For a benchmark with an inlined hot path the share is not
            known, and nothing is subtracted.
per_op      raw - own_share: the cost that the library is responsible for. It contains the library's own
            instructions, branches and misses, the call, and the library's effect on the benchmark's misses
            through where it places data and which lines it evicts. The effect can be negative.
"""

from __future__ import annotations

import functools
import hashlib
import shutil
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from layermatrix.core import c_library, library_use, process
from layermatrix.core.records import Measured, NotMeasured
from layermatrix.evidence.hosted import Hosted, Outline
from layermatrix.evidence.tools.cachegrind import (
    COUNTED_VARIABLE,
    EVENTS,
    LIMIT,
    Cachegrind,
    CacheModel,
    Counted,
    CountersError,
    steady,
)
from layermatrix.evidence.tools.hardware import Perf

# the runs of a load; see `_slope`
RUNS = ("with N ops", "with N/4 ops", "with N ops, empty library", "with N/4 ops, empty library")
NO_VALGRIND = "valgrind is not installed (Debian: valgrind)"
Counts = dict[str, float]
Count = Callable[[Sequence[str]], Counted]


@dataclass(frozen=True)
class CountedLoad(Measured):
    """ops: operations of the longer run. args: changes with the program's arguments. The other fields: event
    -> events per operation. own_share: empty if nothing was subtracted. repeats: whether every run executes
    the same instructions; programs with threads do not."""

    ops: int
    args: str
    per_op: Mapping[str, float]
    own_share: Mapping[str, float]
    raw: Mapping[str, float]
    repeats: bool = True


@dataclass(frozen=True)
class Hardware(Measured):
    """loads: load -> event -> events per operation, counted by the machine's own counters."""

    loads: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class Counters(Measured):
    """cache: each simulated cache as (bytes, ways, bytes of a line)."""

    tool: str
    valgrind: str
    libc: str
    cache: Mapping[str, tuple[int, ...]]
    conditions: tuple[str, ...]
    loads: Mapping[str, CountedLoad | NotMeasured]
    hardware: Hardware | NotMeasured

    def load(self, name: str | None) -> CountedLoad | NotMeasured:
        """The counts of a load; without a name, of the only load."""
        if name is None and len(self.loads) == 1:
            return next(iter(self.loads.values()))
        return self.loads.get(name or "", NotMeasured("this load is not counted"))


@dataclass(frozen=True)
class Load:
    """A benchmark's command with the option for the number of operations, e.g. (prog, --ops, 400000). The
    program prints one JSON line with the number of completed operations. linked: see
    `library_use.run_with`. functions: those that the program itself defines. unreadable: the reason if they
    are not known."""

    name: str
    command: tuple[str, ...]
    linked: bool = False
    functions: tuple[str, ...] = ()
    unreadable: str = ""
    ops_option: str = "--ops"
    ops_field: str = "ops"

    @property
    def digest(self) -> str:
        """Identifies program and arguments. Counts with different digests cannot be compared."""
        words = [Path(self.command[0]).name, *self.command[1:]]
        return hashlib.sha256("\0".join(words).encode()).hexdigest()[:8]

    def relative_to(self, root: Path) -> Load:
        """The load with its program's path in the project of this folder."""
        return self._with(Path(self.command[0]).relative_to(root).as_posix())

    def below(self, root: Path) -> Load:
        """The load with its program's path on this machine; the opposite of `relative_to`."""
        return self._with(str(root / self.command[0]))

    def _with(self, program: str) -> Load:
        return replace(self, command=(program, *self.command[1:]))


@dataclass(frozen=True)
class Request:
    """The loads of a cell. library: the library to use; None for the system's own. empty: the library that
    does almost no work; None if the project has none. data: the files that the programs read."""

    loads: tuple[Load, ...]
    library: str | None
    empty: str | None
    cache: CacheModel
    data: tuple[str, ...] = ()


def take(request: Request, root: Path) -> Counters | NotMeasured:
    """Count the loads, whose files are below this folder."""
    library, empty = (root / name if name else None for name in (request.library, request.empty))
    tools = Tools(shutil.which("valgrind"), shutil.which("perf"))
    return measure([load.below(root) for load in request.loads], library, empty, request.cache, tools)


def _files(request: Request) -> tuple[str, ...]:
    libraries = [name for name in (request.library, request.empty) if name]
    return (*libraries, *request.data, *(load.command[0] for load in request.loads))


def outline(request: Request) -> Outline:
    """What the request runs."""
    valgrind = ["valgrind", "--tool=cachegrind", *request.cache.options()]
    commands = [[*valgrind, *load.command] for load in request.loads]
    variables = {
        COUNTED_VARIABLE: "1",
        **({library_use.VARIABLE: request.library} if request.library else {}),
    }
    names = [f"{load.name} {part}" for load in request.loads for part in RUNS]
    timeouts = dict.fromkeys(names, LIMIT)
    return Outline(commands, variables, timeouts, {"valgrind": "valgrind"}, files=_files(request))


HOSTED = Hosted("counters", Request, take, outline)


@dataclass(frozen=True)
class Tools:
    """The paths of the counting tools; None if a tool is not installed."""

    valgrind: str | None
    perf: str | None


def measure(
    loads: Sequence[Load],
    library: Path | None,
    empty: Path | None,
    cache: CacheModel,
    tools: Tools,
    *,
    run: process.Run = process.run,
) -> Counters | NotMeasured:
    """Count the loads. library: the library to use; None for the system's own. empty: the library that does
    almost no work. The result is NotMeasured if no load could be counted."""
    if tools.valgrind is None:
        return NotMeasured(NO_VALGRIND)
    before, conditions = steady(run)
    bench = Cachegrind(tools.valgrind, cache, run, before=before)
    version = bench.version()
    results = {load.name: _load(bench, load, library, empty) for load in loads}
    failed = [result.reason for result in results.values() if isinstance(result, NotMeasured)]
    if len(failed) == len(results):
        return NotMeasured(failed[0] if failed else "no load is counted")
    return Counters(
        tool=f"{version} cachegrind",
        valgrind=version,
        libc=c_library.version(),
        cache={"I1": cache.I1, "D1": cache.D1, "LL": cache.LL},
        conditions=tuple(conditions),
        loads=results,
        hardware=_hardware(loads, library, tools.perf, run),
    )


def _load(
    bench: Cachegrind, load: Load, library: Path | None, empty: Path | None
) -> CountedLoad | NotMeasured:
    if empty is None and not load.linked:
        return NotMeasured("the project has no empty library to measure the benchmark's own cost with")
    try:
        whole = count_whole(bench, load, library)
        return whole if empty is None or load.linked else net(whole, count_own_share(bench, load, empty))
    except (CountersError, library_use.NotLoadedError) as error:
        return NotMeasured(f"{load.name}: {error}")


def count_whole(bench: Cachegrind, load: Load, library: Path | None) -> CountedLoad:
    """All events of the load with the library; nothing is subtracted. Raises CountersError or
    NotLoadedError."""
    program = _functions(load)
    found = _slope(load, lambda command: bench.count(command, library, program, linked=load.linked))
    raw = _rounded(found.events[0])
    return CountedLoad(found.ops, load.digest, raw, {}, raw, found.repeats)


def count_own_share(bench: Cachegrind, load: Load, empty: Path) -> CountedLoad:
    """The benchmark's own events, counted with the empty library. Raises as `count_whole`."""
    program = _functions(load)
    found = _slope(load, lambda command: bench.count(command, empty, program))
    own = _rounded(found.events[1])
    return CountedLoad(found.ops, load.digest, own, own, own, found.repeats)


def net(whole: CountedLoad, own: CountedLoad) -> CountedLoad:
    """The cost that the library is responsible for."""
    per_op = {name: round(whole.raw[name] - own.own_share[name], 6) for name in EVENTS}
    repeats = whole.repeats and own.repeats
    return replace(whole, per_op=per_op, own_share=own.own_share, repeats=repeats)


def _functions(load: Load) -> Collection[str]:
    """The functions that a program itself defines. Raises CountersError if they are not known."""
    if load.unreadable:
        raise CountersError(load.unreadable)
    return load.functions


def _hardware(
    loads: Sequence[Load], library: Path | None, perf: str | None, run: process.Run
) -> Hardware | NotMeasured:
    """The machine's own counts per operation; nothing is subtracted."""
    if perf is None:
        return NotMeasured("perf is not installed")
    tool = Perf(perf, run)
    counted = {}
    try:
        for load in loads:
            count = functools.partial(tool.count, library=library, linked=load.linked)
            counted[load.name] = _rounded(_slope(load, count).events[0])
    except (CountersError, library_use.NotLoadedError) as error:
        return NotMeasured(str(error))
    return Hardware(counted)


def _rounded(counts: Counts) -> Counts:
    return {name: round(value, 6) for name, value in counts.items()}


# --- slopes


@dataclass(frozen=True)
class _Slope:
    """ops: of the longer run. events: per additional operation. repeats: see `CountedLoad`."""

    ops: int
    events: tuple[Counts, ...]
    repeats: bool


def _slope(load: Load, count: Count) -> _Slope:
    """The slope between a run of a load and one with a quarter of its operations."""
    wanted = _ops(load)
    longer, shorter = count(load.command), count(_with_ops(load, wanted // 4))
    many, few = _reported_ops(load, longer.stdout), _reported_ops(load, shorter.stdout)
    if many <= few:
        raise CountersError(f"it did {many} of {wanted} operations, but {few} of a quarter of them")
    pairs = zip(longer.events, shorter.events, strict=True)
    events = tuple({name: (a[name] - b[name]) / (many - few) for name in a} for a, b in pairs)
    return _Slope(many, events, not (longer.threads or shorter.threads))


def _ops_place(load: Load) -> int:
    if load.ops_option not in load.command[:-1]:
        raise CountersError(f"the command has no {load.ops_option} followed by a number")
    return load.command.index(load.ops_option) + 1


def _ops(load: Load) -> int:
    text = load.command[_ops_place(load)]
    if not text.isdecimal() or int(text) < 4:
        raise CountersError(f"{load.ops_option} {text}: expected 4 or more, so that a quarter is a number")
    return int(text)


def _with_ops(load: Load, ops: int) -> tuple[str, ...]:
    place = _ops_place(load)
    return (*load.command[:place], str(ops), *load.command[place + 1 :])


def _reported_ops(load: Load, stdout: bytes) -> int:
    try:
        ops = process.reported(stdout).get(load.ops_field)
    except ValueError as error:
        raise CountersError(str(error)) from error
    if type(ops) is not int:
        raise CountersError(f"its JSON line has no whole number {load.ops_field!r}")
    return ops
