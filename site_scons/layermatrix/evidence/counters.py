"""Evidence `counters`: what an operation of each load costs in a model of a processor.

Runs benchmark programs under cachegrind with a library preloaded or none. The
counts are those of a model, not of the machine that runs it. They repeat but for the digits of the time that
the benchmark prints: in five runs on a busy machine, each load of three cells, they differed by at most 0.003
instructions, 0.0007 branches and 0.0002 misses an operation.

Each figure is a slope: the program runs with N operations and with N/4, and

    per operation = (events(N) - events(N/4)) / (N - N/4)

so that process start, dynamic loading and warm-up, which both runs have, cancel. Of each event three figures:

raw         everything that the program and the library do.
own_share   the benchmark's own: the events in the program's functions while the *empty* library serves it.
            That answers in the way that misses the cache least, and what it spends on that is left out. So
            the loop, its mispredicted branches, and the touching of lines that no library can keep in the
            cache, are the benchmark's. A benchmark that has the hot path inlined cannot do without it: its
            share is not known and nothing is taken off.
per_op      raw - own_share: what the library is answerable for. Its own instructions, branches and misses;
            the call; and what it costs the benchmark (or, below 0, saves it) by where it puts data, or by
            throwing the benchmark's lines out of the cache.
"""

from __future__ import annotations

import functools
import hashlib
import shutil
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from layermatrix.build import toolchain
from layermatrix.build.step import Task
from layermatrix.core import preload, process
from layermatrix.core.records import Measured, NotMeasured
from layermatrix.evidence.builder import Builder
from layermatrix.evidence.columns import Column, Figure, Heading, View, figure
from layermatrix.evidence.kind import Inputs, Kind
from layermatrix.evidence.tools import loads as load_commands
from layermatrix.evidence.tools.cachegrind import (
    EVENTS,
    Cachegrind,
    CacheModel,
    Counted,
    CountersError,
    steady,
)
from layermatrix.evidence.tools.hardware import Perf

if TYPE_CHECKING:
    from layermatrix.model.matrix import Cell
    from layermatrix.model.project import Project

PERF_PERMISSION = Path("/proc/sys/kernel/perf_event_paranoid")
NET = "simulated; what the benchmark itself costs, which an empty library shows, is taken off"
RAW = "simulated; the benchmark's own share included"

Counts = dict[str, float]
Count = Callable[[Sequence[str]], Counted]


@dataclass(frozen=True)
class CountedLoad(Measured):
    """ops: operations of the longer run; args: changes with the program's arguments; the others: event -> how
    many an operation. own_share: empty where nothing was taken off."""

    ops: int
    args: str
    per_op: Mapping[str, float]
    own_share: Mapping[str, float]
    raw: Mapping[str, float]


@dataclass(frozen=True)
class Hardware(Measured):
    """Load -> event -> how many an operation, as the machine itself counts."""

    loads: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class Counters(Measured):
    """cache: each simulated cache as bytes, ways, bytes of a line."""

    tool: str
    valgrind: str
    libc: str
    cache: Mapping[str, tuple[int, ...]]
    conditions: tuple[str, ...]
    loads: Mapping[str, CountedLoad | NotMeasured]
    hardware: Hardware | NotMeasured

    def load(self, name: str | None) -> CountedLoad | NotMeasured:
        """What was counted of a load; without a name, of the only one."""
        if name is None and len(self.loads) == 1:
            return next(iter(self.loads.values()))
        return self.loads.get(name or "", NotMeasured("this load is not counted"))


def l1_misses(counts: Mapping[str, float]) -> float:
    """Misses of both first-level caches."""
    return counts["i1_misses"] + counts["d1_misses"]


def _left_out(cell: Cell, project: Project) -> str | None:
    return None if cell.is_counted else "only release cells without a sanitizer are counted"


def _declare(build: Builder) -> Inputs:
    empty = [build.empty] if build.empty else []
    return Inputs([*build.libraries[:1], *empty, *build.benches], values=[_conditions(build.project)])


def _conditions(project: Project) -> str:
    """What the counters depend on besides the binaries: loads, simulated caches, C library, and tools."""
    chosen = project.matrix.counters
    loads = [
        (name, project.matrix.loads[name].program, project.matrix.loads[name].counted)
        for name in chosen.loads
    ]
    tools = [load_commands.state(tool) for tool in ("valgrind", "perf", "setarch", "taskset")]
    permitted = PERF_PERMISSION.read_text(encoding="ascii") if PERF_PERMISSION.is_file() else None
    return repr((loads, chosen.I1, chosen.D1, chosen.LL, toolchain.libc(), tools, permitted))


def _take(task: Task) -> Counters | NotMeasured:
    """sources: the shared library, unless the baseline is counted; the empty one; the benchmarks."""
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
    """A benchmark's command with the option that says how many operations, e.g. (prog, --ops, 400000);
    it prints one JSON line with the number of operations that it has done. linked: the program is linked with
    the library; else that is preloaded."""

    name: str
    command: tuple[str, ...]
    linked: bool = False
    ops_option: str = "--ops"
    ops_field: str = "ops"

    @property
    def digest(self) -> str:
        """Another one where program or arguments are others: such counts are not to be compared."""
        words = [Path(self.command[0]).name, *self.command[1:]]
        return hashlib.sha256("\0".join(words).encode()).hexdigest()[:8]


@dataclass(frozen=True)
class Tools:
    """Paths of what counts, None where it is not installed."""

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
    """library: what is used, None for the system's own; empty: the library that does nothing. The record is
    not measured where no load is."""
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
        libc=toolchain.libc(),
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
        return NotMeasured("the project has no empty library, which shows the benchmark's own share")
    try:
        program = _functions(Path(load.command[0]))
        ops, (raw, _) = _slope(
            load, lambda command: bench.count(command, library, program, linked=load.linked)
        )
        if load.linked:
            return CountedLoad(ops, load.digest, _rounded(raw), {}, _rounded(raw))
        _, (_, own) = _slope(load, lambda command: bench.count(command, empty, program))
    except (CountersError, preload.NotLoadedError, elf.ElfError) as error:
        return NotMeasured(f"{load.name}: {error}")
    per_op = {name: round(raw[name] - own[name], 6) for name in EVENTS}
    return CountedLoad(ops, load.digest, per_op, _rounded(own), _rounded(raw))


def _functions(program: Path) -> Collection[str]:
    """The functions of a program's own. ElfError, CountersError where they cannot be told."""
    from layermatrix.evidence.binary import elf

    found = {
        symbol.name
        for symbol in elf.read(program).symbols
        if symbol.kind == "STT_FUNC" and symbol.section is not None
    }
    if not found:
        raise CountersError(f"{program.name} has no symbols, so that its own share cannot be told")
    return found


def _hardware(
    loads: Sequence[Load], library: Path | None, perf: str | None, run: process.Run
) -> Hardware | NotMeasured:
    """What the machine itself counts for each operation; nothing is taken off."""
    if perf is None:
        return NotMeasured("perf is not installed")
    tool = Perf(perf, run)
    counted = {}
    try:
        for load in loads:
            count = functools.partial(tool.count, library=library, linked=load.linked)
            _, (events,) = _slope(load, count)
            counted[load.name] = _rounded(events)
    except (CountersError, preload.NotLoadedError) as error:
        return NotMeasured(str(error))
    return Hardware(counted)


def _rounded(counts: Counts) -> Counts:
    return {name: round(value, 6) for name, value in counts.items()}


# --- slopes


def _slope(load: Load, count: Count) -> tuple[int, tuple[Counts, ...]]:
    """Operations of the longer run, and the events that each further operation costs."""
    wanted = _ops(load)
    longer, shorter = count(load.command), count(_with_ops(load, wanted // 4))
    many, few = _reported_ops(load, longer.stdout), _reported_ops(load, shorter.stdout)
    if many <= few:
        raise CountersError(f"asked for {wanted} operations it did {many}, for a quarter of them {few}")
    pairs = zip(longer.events, shorter.events, strict=True)
    return many, tuple({name: (a[name] - b[name]) / (many - few) for name in a} for a, b in pairs)


def _ops_place(load: Load) -> int:
    if load.ops_option not in load.command[:-1]:
        raise CountersError(f"the command has no {load.ops_option} with a number behind it")
    return load.command.index(load.ops_option) + 1


def _ops(load: Load) -> int:
    text = load.command[_ops_place(load)]
    if not text.isdecimal() or int(text) < 4:
        raise CountersError(f"{load.ops_option} {text}: a number from 4 is needed to take a quarter of it")
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
        raise CountersError(f"it does not say its number of operations as {load.ops_field!r}")
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
    doc="what an operation of each load costs: instructions, branches, and misses in a simulated processor",
    record=Counters,
    columns=_columns,
    declare=_declare,
    take=_take,
    left_out=_left_out,
    of_baseline=True,
    is_figure=True,
)
