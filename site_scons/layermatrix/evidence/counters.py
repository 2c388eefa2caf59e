"""Evidence `counters`: the cost of an operation of each load in a simulated processor.

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
from typing import TYPE_CHECKING

from layermatrix.build.step import Task
from layermatrix.core import c_library, library_use, process
from layermatrix.core.records import Measured, NotMeasured
from layermatrix.evidence.builder import Builder
from layermatrix.evidence.columns import Column, Figure, Heading, View, figure
from layermatrix.evidence.kind import Inputs, Kind
from layermatrix.evidence.tools import load_commands
from layermatrix.evidence.tools.cachegrind import (
    EVENTS,
    Cachegrind,
    CacheModel,
    Counted,
    CountersError,
    steady,
)
from layermatrix.evidence.tools.hardware import Perf
from layermatrix.model.cells import ONLY_SHIPPED

if TYPE_CHECKING:
    from layermatrix.model.cells import Cell
    from layermatrix.model.project import Project

PERF_PERMISSION = Path("/proc/sys/kernel/perf_event_paranoid")
NET = "simulated; without the benchmark's own cost, which is measured with an empty library"
RAW = "simulated; with the benchmark's own cost"

Counts = dict[str, float]
Count = Callable[[Sequence[str]], Counted]


@dataclass(frozen=True)
class CountedLoad(Measured):
    """ops: operations of the longer run. args: changes with the program's arguments. The other fields: event
    -> events per operation. own_share: empty if nothing was subtracted."""

    ops: int
    args: str
    per_op: Mapping[str, float]
    own_share: Mapping[str, float]
    raw: Mapping[str, float]


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


def l1_misses(counts: Mapping[str, float]) -> float:
    """The misses of both first-level caches."""
    return counts["i1_misses"] + counts["d1_misses"]


def _left_out(cell: Cell, project: Project) -> str | None:
    return None if cell.is_counted else ONLY_SHIPPED.format("counted")


def _declare(build: Builder) -> Inputs:
    empty = [build.empty] if build.empty else []
    return Inputs([*build.libraries[:1], *empty, *build.benches], values=[_conditions(build.project)])


def _conditions(project: Project) -> str:
    """A text that changes when the counts have to be taken again for a reason other than a new binary: loads,
    simulated caches, C library, tools."""
    chosen = project.matrix.counters
    loads = [
        (name, project.matrix.loads[name].program, project.matrix.loads[name].counted)
        for name in chosen.loads
    ]
    tools = [load_commands.state(tool) for tool in ("valgrind", "perf", "setarch", "taskset")]
    permitted = PERF_PERMISSION.read_text(encoding="ascii") if PERF_PERMISSION.is_file() else None
    return repr((loads, chosen.I1, chosen.D1, chosen.LL, c_library.version(), tools, permitted))


def _take(task: Task) -> Counters | NotMeasured:
    """Count the loads. sources: the shared library (not for the baseline), the empty library, the
    benchmarks."""
    library, others = (None, task.sources) if task.of_baseline else (task.sources[0], task.sources[1:])
    empty = next((path for path in others if path.suffix == ".so"), None)
    chosen, known = task.project.matrix.counters, task.project.matrix.loads
    names = [name for name in chosen.loads if not (task.of_baseline and known[name].is_inlined)]
    commands = load_commands.commands(task.project, names, others)
    loads = [Load(name, command, known[name].is_inlined) for name, command in commands.items()]
    cache = CacheModel(I1=chosen.I1, D1=chosen.D1, LL=chosen.LL)
    tools = Tools(shutil.which("valgrind"), shutil.which("perf"))
    return measure(loads, library, empty, cache, tools)


@dataclass(frozen=True)
class Load:
    """A benchmark's command with the option for the number of operations, e.g. (prog, --ops, 400000). The
    program prints one JSON line with the number of completed operations. linked: see
    `library_use.run_with`."""

    name: str
    command: tuple[str, ...]
    linked: bool = False
    ops_option: str = "--ops"
    ops_field: str = "ops"

    @property
    def digest(self) -> str:
        """Identifies program and arguments. Counts with different digests cannot be compared."""
        words = [Path(self.command[0]).name, *self.command[1:]]
        return hashlib.sha256("\0".join(words).encode()).hexdigest()[:8]


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
        return NotMeasured("valgrind is not installed")
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
    from layermatrix.evidence.binary import elf

    if empty is None and not load.linked:
        return NotMeasured("the project has no empty library to measure the benchmark's own cost with")
    try:
        whole = count_whole(bench, load, library)
        return whole if empty is None or load.linked else net(whole, count_own_share(bench, load, empty))
    except (CountersError, library_use.NotLoadedError, elf.ElfError) as error:
        return NotMeasured(f"{load.name}: {error}")


def count_whole(bench: Cachegrind, load: Load, library: Path | None) -> CountedLoad:
    """All events of the load with the library; nothing is subtracted. Raises CountersError, NotLoadedError,
    or ElfError."""
    program = _functions(Path(load.command[0]))
    ops, (raw, _) = _slope(load, lambda command: bench.count(command, library, program, linked=load.linked))
    return CountedLoad(ops, load.digest, _rounded(raw), {}, _rounded(raw))


def count_own_share(bench: Cachegrind, load: Load, empty: Path) -> CountedLoad:
    """The benchmark's own events, counted with the empty library. Raises as `count_whole`."""
    program = _functions(Path(load.command[0]))
    ops, (_, own) = _slope(load, lambda command: bench.count(command, empty, program))
    return CountedLoad(ops, load.digest, _rounded(own), _rounded(own), _rounded(own))


def net(whole: CountedLoad, own: CountedLoad) -> CountedLoad:
    """The cost that the library is responsible for."""
    per_op = {name: round(whole.raw[name] - own.own_share[name], 6) for name in EVENTS}
    return replace(whole, per_op=per_op, own_share=own.own_share)


def _functions(program: Path) -> Collection[str]:
    """The functions that a program itself defines. Raises ElfError, or CountersError if it has no symbols."""
    from layermatrix.evidence.binary import elf

    found = {
        symbol.name
        for symbol in elf.read(program).symbols
        if symbol.kind == "STT_FUNC" and symbol.section is not None
    }
    if not found:
        raise CountersError(f"{program.name} has no symbols, so its own cost cannot be measured")
    return found


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
            _, (events,) = _slope(load, count)
            counted[load.name] = _rounded(events)
    except (CountersError, library_use.NotLoadedError) as error:
        return NotMeasured(str(error))
    return Hardware(counted)


def _rounded(counts: Counts) -> Counts:
    return {name: round(value, 6) for name, value in counts.items()}


# --- slopes


def _slope(load: Load, count: Count) -> tuple[int, tuple[Counts, ...]]:
    """The operations of the longer run, and the events per additional operation."""
    wanted = _ops(load)
    longer, shorter = count(load.command), count(_with_ops(load, wanted // 4))
    many, few = _reported_ops(load, longer.stdout), _reported_ops(load, shorter.stdout)
    if many <= few:
        raise CountersError(f"it did {many} of {wanted} operations, but {few} of a quarter of them")
    pairs = zip(longer.events, shorter.events, strict=True)
    return many, tuple({name: (a[name] - b[name]) / (many - few) for name in a} for a, b in pairs)


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


# --- columns


def _columns(records: Sequence[Counters], view: View) -> list[Column[Counters]]:
    each, missed, load = f"per {view.work}", f"miss/{view.work}", view.headline

    def heading(head: str, unit: str, method: str) -> Heading:
        return Heading(head, unit, method, "counters")

    return [
        Column(heading("instr.", each, NET), _of(load, lambda counted: counted.per_op["instructions"], 1)),
        Column(heading("mispred.", each, NET), _of(load, lambda counted: counted.per_op["mispredicted"], 3)),
        Column(
            heading("L1", missed, NET), _of(load, lambda counted: l1_misses(counted.per_op), 3), brief=True
        ),
        Column(
            heading("L1 whole", missed, RAW),
            _of(load, lambda counted: l1_misses(counted.raw), 3),
            beside="l1_misses",
        ),
    ]


def _of(load: str | None, value: Callable[[CountedLoad], float], digits: int) -> Callable[[Counters], Figure]:
    def of(record: Counters) -> Figure:
        counted = record.load(load)
        return figure(counted if isinstance(counted, NotMeasured) else value(counted), digits)

    return of


KIND = Kind(
    name="counters",
    title="Counters",
    doc="the cost of an operation of each load: instructions, branches, misses in a simulated processor",
    record=Counters,
    columns=_columns,
    declare=_declare,
    take=_take,
    left_out=_left_out,
    of_baseline=True,
    is_figure=True,
)
