"""Lay results out as tables of figures, once for the terminal, Markdown and HTML.

Reads results; returns `Table`s of text. Each kind of evidence defines its columns. Kinds that the baseline
has, too, describe how the code runs; the other kinds describe the code. A reported figure has a column next
to the measured one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from layermatrix.analysis import comparison, figures, host_groups
from layermatrix.analysis.comparison import Comparison, Side
from layermatrix.analysis.counter_lock import Verdict
from layermatrix.analysis.results import BaselineResult, CellResult, Results
from layermatrix.core.records import Measured, NotMeasured
from layermatrix.evidence import asm, bench, code, conditions, counters, registry, tests
from layermatrix.evidence.bench import Ratio, Timing
from layermatrix.evidence.columns import (
    Column,
    Figure,
    FigureKind,
    Heading,
    Table,
    figure,
    not_applicable,
    not_measured,
    number,
)
from layermatrix.evidence.kind import Kind

AGAINST = "compared with the accepted cost for this compiler, C library and valgrind (variants/counters.lock)"
BELOW_ZERO = "a negative figure: the benchmark itself costs less with this library than with the empty one"
PRINTED = (
    "a header is generated for one variant, so it needs few #if: most choices are made when it is generated"
)
REPORTED_NOTE = "reported, not measured here"
EVENTS = (
    ("instructions", "instr.", "per", 1),
    ("branches", "branches", "per", 2),
    ("mispredicted", "mispred.", "per", 3),
    ("i1_misses", "I1", "miss/", 3),
    ("d1_misses", "D1", "miss/", 3),
    ("ll_misses", "LL", "miss/", 3),
)
COMPARED = ("instructions", "mispredicted", "i1_misses", "d1_misses")


def _not_applicable(_record: object) -> Figure:
    return not_applicable()


@dataclass(frozen=True)
class _Column:
    """A column of a table, with a value for each cell. `baseline` is the figure in the baseline's row."""

    heading: Heading
    figure: Callable[[CellResult], Figure]
    baseline: Callable[[BaselineResult], Figure] = _not_applicable


# --- tables of cells


def code_table(results: Results) -> Table:
    """The table about the code: layers, instructions, lines of assembly, checks."""
    layers = _Column(Heading("layers", "count"), lambda cell: Figure(str(len(cell.layers))))
    return _table("The code", results, [layers, *_of_kinds(results, _code_kinds())], baseline=True)


def text_table(results: Results) -> Table:
    """The table about the text: conditional paths and runtime checks."""
    columns = list(_of_kind(results, code.KIND))
    return replace(
        _table("Conditional paths and runtime checks", results, columns, baseline=False), notes=(PRINTED,)
    )


def run_table(results: Results) -> Table:
    """The table about the run: counters and speed of each load, compared with the baseline."""
    kinds = [kind for kind in registry.KINDS if kind.of_baseline]
    table = _noted(_table("Counters and speed", results, list(_of_kinds(results, kinds)), baseline=True))
    return _marked(table, _records(results))


def run_tables(results: Results) -> list[Table]:
    """A table about the run for each group of hosts whose timings compare."""
    return [_of_group(run_table(part), group) for group, part in host_groups.parts(results)]


def matrix_tables(results: Results) -> list[Table]:
    """A short table for each group of hosts whose timings compare."""
    return [_of_group(matrix_table(part), group) for group, part in host_groups.parts(results)]


def _of_group(table: Table, group: host_groups.Group) -> Table:
    return replace(table, title=f"{table.title}{group.suffix}")


def hosts_table(results: Results) -> Table | None:
    """The hosts that took the evidence; None if it is one."""
    used = host_groups.used(results)
    if len(used) < 2:
        return None
    heads = ("processor", "features", "cores", "C library", "kernel", "Python")
    rows = [
        (
            Figure(one.host.identity[: host_groups.TOLD] or "unknown", FigureKind.NAME),
            *map(Figure, (one.host.cpu, one.host.cpu_flags, str(one.host.cores), one.host.libc)),
            *map(Figure, (one.host.kernel, one.host.python, str(len(one.cells)))),
        )
        for one in used
    ]
    headings = (Heading("machine"), *map(Heading, heads), Heading("cells", "count"))
    return Table("Hosts", headings, tuple(rows))


def checks_columns(results: Results) -> list[_Column]:
    """The columns of all checks."""
    return list(_of_kinds(results, [kind for kind in registry.KINDS if kind.is_gate]))


def counts_tables(results: Results) -> list[Table]:
    """The costs of each counted load, for each kind of host."""
    work = results.view.work
    return [
        _of_group(
            _noted(_table(f"The cost of one {work}: {load}", part, list(_events(load, work)), baseline=True)),
            group,
        )
        for load in counted_loads(results)
        for group, part in host_groups.parts(results, timed=False)
    ]


def matrix_table(results: Results) -> Table:
    """The short table: one line per cell."""
    built = _Column(Heading("built", "library"), _built)
    brief = [
        _plain(kind, column) for kind in registry.KINDS for column in _columns(results, kind) if column.brief
    ]
    return _marked(_table("Cells", results, [built, *brief], baseline=False), results.cells)


def _code_kinds() -> list[Kind[Any]]:
    return [kind for kind in registry.KINDS if not kind.of_baseline and kind is not code.KIND]


def _of_kinds(results: Results, kinds: Iterable[Kind[Any]]) -> Iterable[_Column]:
    for kind in kinds:
        yield from _of_kind(results, kind)


def _of_kind(results: Results, kind: Kind[Any]) -> Iterable[_Column]:
    """The columns of a kind, each followed by the reported figures if there are any."""
    for column in _columns(results, kind):
        yield _plain(kind, column)
        beside = column.beside
        if beside and any(results.reported(record, beside) for record in _records(results)):
            heading = Heading("reported", column.heading.unit, group=column.heading.group, reported=True)
            shown = _reported_column(results, beside)
            yield _Column(heading, shown, shown)


def _columns(results: Results, kind: Kind[Any]) -> Sequence[Column[Any]]:
    found = [record.of(kind) for record in results.cells]
    return kind.columns([record for record in found if not isinstance(record, NotMeasured)], results.view)


def _plain(kind: Kind[Any], column: Column[Any]) -> _Column:
    def of(record: CellResult | BaselineResult) -> Figure:
        found = record.of(kind)
        return not_measured(found.reason) if isinstance(found, NotMeasured) else column.figure(found)

    return _Column(column.heading, of, of if kind.of_baseline else _not_applicable)


def _records(results: Results) -> tuple[CellResult | BaselineResult, ...]:
    return (results.baseline, *results.cells)


def _reported_column(results: Results, beside: str) -> Callable[[CellResult | BaselineResult], Figure]:
    def of(record: CellResult | BaselineResult) -> Figure:
        text = results.reported(record, beside)
        return Figure(text, FigureKind.REPORTED) if text else not_applicable()

    return of


def _events(load: str, work: str) -> Iterable[_Column]:
    for event, head, unit, digits in EVENTS:
        shown = _event(load, event, digits)
        yield _Column(Heading(head, _unit(unit, work), counters.NET), shown, shown)
    yield _Column(Heading("reference", "verdict", AGAINST), _against(load))


def _unit(unit: str, work: str) -> str:
    return f"{unit}{work}" if unit.endswith("/") else f"{unit} {work}"


def _event(load: str, event: str, digits: int) -> Callable[[figures.Evidence], Figure]:
    def of(record: figures.Evidence) -> Figure:
        found = figures.counted(record, load)
        if isinstance(found, NotMeasured):
            return not_measured(found.reason)
        value = found.per_op.get(event)
        return not_measured("this is not counted") if value is None else figure(value, digits)

    return of


def _against(load: str) -> Callable[[CellResult], Figure]:
    """The result of comparing a load with its accepted figures."""

    def of(cell: CellResult) -> Figure:
        if isinstance(cell.reference, NotMeasured):
            return not_measured(cell.reference.reason)
        found = cell.reference.loads.get(load)
        if found is None or found.verdict is Verdict.MISSED:
            return not_measured(found.reason if found else "this load is not counted")
        kinds = {Verdict.WORSE: FigureKind.BAD, Verdict.BETTER: FigureKind.GOOD}
        return Figure(found.verdict.value, kinds.get(found.verdict, FigureKind.MEASURED))

    return of


def _table(title: str, results: Results, columns: Sequence[_Column], *, baseline: bool) -> Table:
    names = row_names(results)
    first = Heading("variant" if baseline else "cell")
    rows = []
    if baseline and results.baseline.is_known:
        own = (column.baseline(results.baseline) for column in columns)
        rows.append((Figure(results.baseline.name, FigureKind.NAME), *own))
    for cell in results.cells:
        name = names[cell.id] if baseline else cell.id
        rows.append((Figure(name, FigureKind.NAME), *(column.figure(cell) for column in columns)))
    return Table(title, (first, *(column.heading for column in columns)), tuple(rows))


def _noted(table: Table) -> Table:
    """The table with a note on figures below zero, if there are any."""
    texts = [figure.text for row in table.rows for figure in row]
    below_zero = any(text.startswith("-") and len(text) > 1 for text in texts)
    return replace(table, notes=(BELOW_ZERO,)) if below_zero else table


def _marked(table: Table, records: Iterable[figures.Evidence]) -> Table:
    """The table with a note for each run on a busy machine whose timings it shows."""
    timed = (record.of(bench.KIND) for record in records)
    busy = conditions.marks(one.conditions for one in timed if isinstance(one, bench.Bench))
    return replace(table, notes=(*table.notes, *busy))


def _built(cell: CellResult) -> Figure:
    if not cell.built and not cell.failure and cell.why_unbuilt:
        return not_measured(cell.why_unbuilt)
    return Figure("yes", FigureKind.GOOD) if cell.built else Figure("no", FigureKind.BAD)


# --- comparisons


def comparison_table(found: Comparison, work: str) -> Table:
    """The sides of an experiment, or a variant and copies of it without one of its layers each."""
    columns: list[tuple[Heading, Callable[[Side], Figure]]] = [
        (Heading("layers", "count"), lambda side: Figure(str(len(side.layers))))
    ]
    names = dict.fromkeys(name for side in found.sides for name in figures.entry_names(side))
    columns += [(Heading(name, "instr.", asm.DECODED, "code"), _instructions(name)) for name in names]
    for load in found.loads:
        columns += list(_of_load(found, load, work))
    rows = [(Figure(side.variant, FigureKind.NAME), *(of(side) for _, of in columns)) for side in found.sides]
    table = Table(found.question, (Heading("cell"), *(heading for heading, _ in columns)), tuple(rows))
    return _marked(table, found.sides)


def _of_load(found: Comparison, load: str, work: str) -> Iterable[tuple[Heading, Callable[[Side], Figure]]]:
    for event, head, unit, digits in EVENTS:
        if event in COMPARED:
            title = f"{head}/{work}" if unit == "per" else f"{head} {unit}{work}"
            yield Heading(title, load, "simulated", load), _event(load, event, digits)
    if _is_timed(found, load):
        yield Heading(load, _speed_unit(found, load), bench.ROUNDS, load), _timed(load, _speed)
        yield Heading("ratio to", "the first", bench.ROUNDS, load), _timed(load, _own_ratio)
        yield Heading("peak", "KiB", bench.PEAK, load), _timed(load, lambda timing: figure(timing.peak_kib))


def _is_timed(found: Comparison, load: str) -> bool:
    """Whether a speed is expected: if anything was timed, this load was included."""
    timed = [side.bench.loads for side in found.sides if not isinstance(side.bench, NotMeasured)]
    return not timed or any(load in loads for loads in timed)


def _speed_unit(found: Comparison, load: str) -> str:
    timings = (figures.timing(side, load) for side in found.sides)
    return next((timing.unit for timing in timings if isinstance(timing, Timing)), "speed")


def _instructions(entry: str) -> Callable[[Side], Figure]:
    def of(side: Side) -> Figure:
        if isinstance(side.asm, NotMeasured):
            return not_measured(side.asm.reason)
        found = side.asm.entry(entry)
        return figure(found if isinstance(found, NotMeasured) else found.instructions)

    return of


def _timed(load: str, shown: Callable[[Timing], Figure]) -> Callable[[Side], Figure]:
    def of(side: Side) -> Figure:
        timing = figures.timing(side, load)
        return not_measured(timing.reason) if isinstance(timing, NotMeasured) else shown(timing)

    return of


def _speed(timing: Timing) -> Figure:
    return Figure(number(timing.median, 1), note=f"{number(timing.low, 1)}-{number(timing.high, 1)}")


def _own_ratio(timing: Timing) -> Figure:
    """The ratio to the first side. The first side has none."""
    if isinstance(timing.ratio, NotMeasured):
        return not_measured(timing.ratio.reason)
    return Figure("1.00x") if timing.ratio is None else ratio_figure(timing.ratio)


def ratio_figure(ratio: Ratio | comparison.Ratio) -> Figure:
    return Figure(f"{ratio.median:.2f}x", note=f"{ratio.low:.2f}-{ratio.high:.2f}")


# --- functions for other modules of the report


def entries(results: Results) -> list[str]:
    """The entries of the fast path that were decoded in any cell."""
    return list(dict.fromkeys(name for cell in results.cells for name in figures.entry_names(cell)))


def counted_loads(results: Results) -> list[str]:
    """The loads that were counted in any cell, the headline first."""
    found: dict[str, None] = {}
    for cell in results.cells:
        record = cell.of(counters.KIND)
        found |= {} if isinstance(record, NotMeasured) else dict.fromkeys(record.loads)
    return sorted(found, key=lambda name: name != results.headline)


def row_names(results: Results) -> dict[str, str]:
    """The name of each cell's row: its variant if that is unique, otherwise its id."""
    unique = len({cell.variant for cell in results.cells}) == len(results.cells)
    return {cell.id: cell.variant if unique else cell.id for cell in results.cells}


def verdict(cell: CellResult) -> Figure:
    """Whether the cell passed. If not, its first failure; if no test ran, the reason."""
    if cell.failed:
        return Figure(cell.failed, FigureKind.BAD)
    record: Measured | NotMeasured = cell.of(tests.KIND)
    if isinstance(record, NotMeasured):
        return not_measured(record.reason)
    return Figure("passed", FigureKind.GOOD)
