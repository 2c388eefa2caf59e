"""Evidence `counters`: the cost of an operation of each load in a simulated processor.

`taking.counters` counts, and says what each figure means.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from layermatrix.build.step import Task
from layermatrix.core import c_library
from layermatrix.core.records import Format, NotMeasured
from layermatrix.evidence.builder import Builder
from layermatrix.evidence.columns import Column, Figure, Heading, View, figure
from layermatrix.evidence.hosted import Part
from layermatrix.evidence.kind import Inputs, Kind
from layermatrix.evidence.taking import counters as taking
from layermatrix.evidence.taking.counters import CountedLoad as CountedLoad  # the records of this kind
from layermatrix.evidence.taking.counters import Counters as Counters
from layermatrix.evidence.taking.counters import Hardware as Hardware
from layermatrix.evidence.tools import load_commands
from layermatrix.evidence.tools.cachegrind import CacheModel
from layermatrix.model.cells import ONLY_SHIPPED

if TYPE_CHECKING:
    from layermatrix.model.cells import Cell
    from layermatrix.model.project import Project

FORMAT = Format("counters", Counters)
PERF_PERMISSION = Path("/proc/sys/kernel/perf_event_paranoid")
NET = "simulated; without the benchmark's own cost, which is measured with an empty library"
RAW = "simulated; with the benchmark's own cost"


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
    """Count the loads. sources: as for `ask`."""
    found = task.from_host("counters", FORMAT)
    return taking.take(ask(task), task.root) if found is None else found


def ask(task: Task) -> taking.Request:
    """What has to be counted. sources: the shared library (not for the baseline), the empty library, the
    benchmarks."""
    library, others = (None, task.sources) if task.of_baseline else (task.sources[0], task.sources[1:])
    empty = next((path for path in others if path.suffix == ".so"), None)
    chosen, known = task.project.matrix.counters, task.project.matrix.loads
    names = [name for name in chosen.loads if not (task.of_baseline and known[name].is_inlined)]
    commands = load_commands.commands(task.project, names, others)
    loads = [load_of(name, command, known[name].is_inlined) for name, command in commands.items()]
    words = [word for command in commands.values() for word in command[1:]]
    return taking.Request(
        loads=tuple(load.relative_to(task.root) for load in loads),
        library=task.inside(library) if library else None,
        empty=task.inside(empty) if empty else None,
        cache=CacheModel(I1=chosen.I1, D1=chosen.D1, LL=chosen.LL),
        data=tuple(task.inside(path) for path in load_commands.files(task.root, words)),
    )


def load_of(name: str, command: tuple[str, ...], linked: bool = False) -> taking.Load:
    """The load that this command runs, with the functions of its program."""
    from layermatrix.evidence.binary import elf

    program = Path(command[0])
    try:
        symbols = elf.read(program).symbols
    except elf.ElfError as error:
        return taking.Load(name, command, linked, unreadable=str(error))
    found = {one.name for one in symbols if one.kind == "STT_FUNC" and one.section is not None}
    if not found:
        reason = f"{program.name} has no symbols, so its own cost cannot be measured"
        return taking.Load(name, command, linked, unreadable=reason)
    return taking.Load(name, command, linked, tuple(sorted(found)))


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
    hosted=Part(taking.HOSTED, ask),
    left_out=_left_out,
    of_baseline=True,
    is_figure=True,
)
