"""Lay out the evidence about the binaries as the tables that the job `evidence` prints.

Reads results; returns `Table`s. Machine code and budgets have tables of their own, by layer. Other kinds of
evidence use their own columns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from layermatrix.analysis import figures
from layermatrix.analysis.results import CellResult, Results
from layermatrix.core.records import NotMeasured
from layermatrix.evidence import asm, budget
from layermatrix.evidence.binary.counts import Entry
from layermatrix.evidence.budget import LayerShare, OverBudget
from layermatrix.evidence.columns import (
    Figure,
    FigureKind,
    Heading,
    Table,
    figure,
    not_applicable,
    not_measured,
    number,
)
from layermatrix.model.budgets import HIT
from layermatrix.report import tables

LIBRARY = "library"
METRICS = {
    "instructions": "instr.",
    "branches": "branches",
    "calls": "calls",
    "tail_calls": "tail calls",
    "atomics": "atomics",
    "stack": "stack B",
    "spills": "spills",
    "bytes": "bytes",
    "cache_lines": "lines",
}
HIT_NOTE = (
    "the shortest way from the entry to a return through the code of the first layer;"
    " stack B: bytes of stack in use; spills: stores to the frame; lines: cache lines of code"
)
WHOLE_NOTE = "everything that is inlined, cold parts included"
LIMIT_NOTE = "max: the budget of the variant"


def sections(results: Results) -> Iterator[Table]:
    """Every table that has a row."""
    for section in SECTIONS:
        yield from (table for table in section(results) if table.rows)


def code(results: Results) -> Iterable[Table]:
    """The cost of each entry of the fast path: of a hit, and of its whole code; and of the library."""
    counted = [(cell, name) for cell in results.cells for name in figures.entry_names(cell)]
    along = {HIT + key: head for key, head in METRICS.items() if key != "tail_calls"}
    rows = [_row(cell, name, list(along)) for cell, name in counted]
    yield _table("Hit path", list(along.values()), rows, _notes(results, HIT_NOTE))
    rows = [(*_row(cell, name, list(METRICS)), *_lines(results, cell, name)) for cell, name in counted]
    whole = [*map(Heading, METRICS.values()), Heading("asm", "lines -S")]
    whole.append(Heading("reported", "lines", reported=True))
    yield Table("The whole code", (Heading("cell"), *whole), tuple(rows), _notes(results, WHOLE_NOTE))
    sized = [cell for cell in results.cells if not isinstance(cell.of(asm.KIND), NotMeasured)]
    rows = [(_name(cell.id), *(_figure(cell, LIBRARY, key) for key in ("text", "tls"))) for cell in sized]
    sizes = (Heading("cell"), Heading("text", "bytes"), Heading("tls", "bytes a thread"))
    yield Table("The library", sizes, tuple(rows), _notes(results))


def layers(results: Results) -> Iterable[Table]:
    """How many instructions of each entry are each layer's, cell by cell."""
    for cell in results.cells:
        entries = _entries(cell)
        found = {
            layer
            for entry in entries.values()
            if not isinstance(entry.layers, NotMeasured)
            for layer in entry.layers
        }
        order = [*results.origins, *sorted(found)]
        rows = [
            (_name(layer), *_shares(entries.values(), layer), _written(results, layer))
            for layer in sorted(found, key=order.index)
        ]
        parts = [Heading(name, part) for name in entries for part in ("hit", "whole")]
        headings = (Heading("layer"), *parts, Heading("written", "in"))
        yield Table(f"{cell.id}: instructions by layer", headings, tuple(rows))


def checks(results: Results) -> Iterable[Table]:
    """What else was established about each cell."""
    columns = tables.checks_columns(results)
    rows = [(_name(cell.id), *(column.figure(cell) for column in columns)) for cell in results.cells]
    yield Table("Checks", (Heading("cell"), *(column.heading for column in columns)), tuple(rows))


def over_budget(results: Results) -> Iterable[Table]:
    """Every figure over its limit, with what each layer has of it, beside the same of an ancestor. Those of
    which the layers have the same share one table."""
    for cell in results.cells:
        record = cell.of(budget.KIND)
        alike: dict[tuple[str, str], list[OverBudget]] = {}
        for over in () if isinstance(record, NotMeasured) else record.over:
            alike.setdefault((over.entry, over.shares), []).append(over)
        for group in alike.values():
            yield _over_table(cell, group, results)


SECTIONS: tuple[Callable[[Results], Iterable[Table]], ...] = (code, layers, checks, over_budget)


def uncounted(results: Results) -> Iterator[str]:
    """The cells without a row in the tables of code, and why."""
    for cell in results.cells:
        record = cell.of(asm.KIND)
        if isinstance(record, NotMeasured):
            yield f"{cell.id}: code not counted: {record.reason}"


def _table(
    title: str, heads: Sequence[str], rows: Sequence[tuple[Figure, ...]], notes: Sequence[str]
) -> Table:
    return Table(title, (Heading("cell"), *map(Heading, heads)), tuple(rows), tuple(notes))


def _name(text: str) -> Figure:
    return Figure(text, FigureKind.NAME)


def _entries(cell: CellResult) -> dict[str, Entry]:
    record = cell.of(asm.KIND)
    return {} if isinstance(record, NotMeasured) else dict(record.entries)


def _notes(results: Results, *notes: str) -> tuple[str, ...]:
    limited = any(not isinstance(cell.of(budget.KIND), NotMeasured) for cell in results.cells)
    return (*notes, LIMIT_NOTE) if limited else notes


def _row(cell: CellResult, entry: str, metrics: Sequence[str]) -> tuple[Figure, ...]:
    return (_name(f"{cell.id} {entry}"), *(_figure(cell, entry, metric) for metric in metrics))


def _figure(cell: CellResult, entry: str, metric: str) -> Figure:
    """A count, and its limit where there is one."""
    value = budget.value(cell.of(asm.KIND), entry, metric)
    if isinstance(value, NotMeasured):
        return not_measured(value.reason)
    record = cell.of(budget.KIND)
    limits = () if isinstance(record, NotMeasured) else record.figures
    limit = next((one.limit for one in limits if (one.entry, one.metric) == (entry, metric)), None)
    if limit is None:
        return Figure(number(value))
    kind = FigureKind.BAD if value > limit else FigureKind.GOOD
    return Figure(number(value), kind, note=f"max {number(limit)}")


def _lines(results: Results, cell: CellResult, entry: str) -> tuple[Figure, Figure]:
    """Lines of assembly, and how many are reported, which is of the first entry."""
    own = figure(_entries(cell)[entry].lines)
    is_first = entry == next(iter(tables.entries(results)))
    text = results.reported(cell, "asm_lines") if is_first else None
    return own, Figure(text, FigureKind.REPORTED) if text else not_applicable()


def _shares(entries: Iterable[Entry], layer: str) -> Iterator[Figure]:
    """What a layer has of each entry: along its hit, and of the whole."""
    for entry in entries:
        has_none = isinstance(entry.layers, NotMeasured) or layer not in entry.layers
        for metric in (f"{HIT}instructions", "instructions"):
            yield not_applicable() if has_none else figure(entry.share(layer, metric))


def _written(results: Results, layer: str) -> Figure:
    """The layer's entry in the catalogue; the frame has none."""
    origin = results.origins.get(layer)
    return Figure(origin.entry) if origin else not_applicable()


def _over_table(cell: CellResult, group: Sequence[OverBudget], results: Results) -> Table:
    first = group[0]
    columns = [Heading(first.shares.replace("_", " "), "here")]
    if first.ancestor:
        columns += [Heading(first.ancestor, "there"), Heading("change")]
    columns += [Heading("printed", "from"), Heading("written", "in")]
    rows = [_share_row(share, first, results) for share in first.layers]
    if not rows:  # of the library's size, or of what could not be counted
        rest = [not_applicable()] * (len(columns) - 1)
        rows = [(_name(one.metric), _total(one), *rest) for one in group]
    title = "\n".join(f"OVER BUDGET  {cell.id}: {one.sentence}" for one in group)
    return Table(title, (Heading("layer"), *columns), tuple(rows))


def _share_row(share: LayerShare, over: OverBudget, results: Results) -> tuple[Figure, ...]:
    origin = results.origins.get(share.layer)
    before = [Figure(number(share.ancestor)), _change(share)] if over.ancestor else []
    printed = Figure(origin.template) if origin else not_applicable()
    return (
        _name(share.layer), Figure(number(share.value)), *before, printed, _written(results, share.layer)
    )  # fmt: skip


def _total(over: OverBudget) -> Figure:
    if isinstance(over.value, NotMeasured):
        return not_measured(over.value.reason)
    return Figure(number(over.value), FigureKind.BAD)


def _change(share: LayerShare) -> Figure:
    change = share.value - share.ancestor
    kind = FigureKind.BAD if change > 0 else FigureKind.GOOD if change < 0 else FigureKind.MEASURED
    return Figure(f"{change:+,}", kind)
