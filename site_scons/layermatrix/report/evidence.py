"""Lay out what the binaries of the selected cells prove, as the tables that `evidence` prints.

Reads a result record; returns `Table`s. Each kind of evidence is a function in `SECTIONS` that gives its
tables; a new kind is one more of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from layermatrix.report import table as tables
from layermatrix.report.table import Column, Figure, Table

Record = dict[str, Any]

HIT = "hit_"
LIBRARY = "library"
METHODS = {
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
    "the cheapest way from the entry to a return through the code of the first layer;"
    " stack B: bytes of stack in use; spills: stores to the frame; lines: cache lines of code"
)
LIMIT_NOTE = "max: the budget of the variant"


def sections(results: Record) -> Iterator[Table]:
    """Every table that has a row."""
    for section in SECTIONS:
        yield from (table for table in section(results) if table.rows)


def code(results: Record) -> Iterable[Table]:
    """What each entry of the fast path takes: along a hit, and with everything behind it; the library."""
    counted = [(cell, entry) for cell in results["cells"] for entry in cell["asm"].get("entries", {})]
    along = {HIT + key: head for key, head in METHODS.items() if key != "tail_calls"}
    hit = [Column(head, "", _none, _none) for head in along.values()]
    rows = [_row(cell, entry, list(along)) for cell, entry in counted]
    yield Table("A hit", (_cells(), *hit), tuple(rows), notes=_notes(results, HIT_NOTE))
    whole = [Column(head, "", _none, _none) for head in METHODS.values()]
    whole += [Column("asm", "lines -S", _none, _none), Column("seed asm", "lines", _none, _none)]
    rows = [(*_row(cell, entry, list(METHODS)), *_lines(results, cell, entry)) for cell, entry in counted]
    note = "everything that is inlined, cold parts included"
    yield Table("The whole code", (_cells(), *whole), tuple(rows), notes=_notes(results, note))
    sized = [cell for cell in results["cells"] if cell["asm"].get("library")]
    sizes = [Column("text", "bytes", _none, _none), Column("tls", "bytes a thread", _none, _none)]
    rows = [(_name(cell["id"]), *(_figure(cell, LIBRARY, key) for key in ("text", "tls"))) for cell in sized]
    yield Table("The library", (_cells(), *sizes), tuple(rows), notes=_notes(results))


def layers(results: Record) -> Iterable[Table]:
    """How many instructions of each entry are each layer's, cell by cell."""
    for cell in results["cells"]:
        counted = cell["asm"].get("entries", {})
        columns = [Column(entry, part, _none, _none) for entry in counted for part in ("hit", "whole")]
        found = {name for entry in counted.values() for name in entry.get("layers") or {}}
        rows = []
        for layer in sorted(found, key=[*results.get("origins", {}), *sorted(found)].index):
            shares = [_share(entry, layer, hit) for entry in counted.values() for hit in (True, False)]
            rows.append((_name(layer), *shares, _written(results, layer)))
        first, last = Column("layer", "", _none, _none), Column("written", "in", _none, _none)
        yield Table(f"{cell['id']}: instructions by layer", (first, *columns, last), tuple(rows))


def checks(results: Record) -> Iterable[Table]:
    """What else was established about each cell."""
    columns = tables.check_columns(results)
    rows = [(_name(cell["id"]), *(column.figure(cell) for column in columns)) for cell in results["cells"]]
    yield Table("Checks", (_cells(), *columns), tuple(rows))


def broken_budgets(results: Record) -> Iterable[Table]:
    """Every limit that is broken, with what each layer has of it, beside the same of an ancestor. Those of
    which the layers have the same share one table."""
    for cell in results["cells"]:
        alike: dict[tuple[str, str], list[Record]] = {}
        for broken in cell["budget"].get("broken", ()):
            alike.setdefault((broken["entry"], broken["shares"]), []).append(broken)
        for group in alike.values():
            yield _broken_table(cell, group, results)


SECTIONS: tuple[Callable[[Record], Iterable[Table]], ...] = (code, layers, checks, broken_budgets)


def uncounted(results: Record) -> Iterator[str]:
    """The cells without a row in the tables of code, and why."""
    for cell in results["cells"]:
        if not cell["asm"].get("entries"):
            yield f"{cell['id']}: code not counted: {cell['asm'].get('reason')}"


def _cells() -> Column:
    return Column("cell", "", _none, _none)


def _none(_record: Record) -> Figure:
    return tables.not_applicable()


def _name(text: str) -> Figure:
    return Figure(text, tables.NAME)


def _notes(results: Record, *notes: str) -> tuple[str, ...]:
    limited = any(cell["budget"].get("figures") for cell in results["cells"])
    return (*notes, LIMIT_NOTE) if limited else notes


def _row(cell: Record, entry: str, metrics: Sequence[str]) -> tuple[Figure, ...]:
    return (_name(f"{cell['id']} {entry}"), *(_figure(cell, entry, metric) for metric in metrics))


def _figure(cell: Record, entry: str, metric: str) -> Figure:
    """A count, and its limit where there is one."""
    value, reason = _value(cell["asm"], entry, metric)
    limits = {(one["entry"], one["metric"]): one["limit"] for one in cell["budget"].get("figures", ())}
    limit = limits.get((entry, metric))
    if value is None:
        return tables.not_measured(reason)
    text = tables.number(value)
    if limit is None:
        return Figure(text)
    kind = tables.BAD if value > limit else tables.GOOD
    return Figure(text, kind, note=f"max {tables.number(limit)}")


def _value(asm: Record, entry: str, metric: str) -> tuple[int | None, str | None]:
    if entry == LIBRARY:
        return asm["library"].get(metric), asm.get("library_reason")
    counted = asm["entries"][entry]
    if not metric.startswith(HIT):
        return counted.get(metric), counted.get(f"{metric}_reason")
    hit = counted.get("hit") or {}
    return hit.get(metric.removeprefix(HIT)), counted.get("hit_reason") or counted.get("stack_reason")


def _lines(results: Record, cell: Record, entry: str) -> tuple[Figure, Figure]:
    """Lines of assembly, and what the seed counted of them, which was the first entry's."""
    counted = cell["asm"]["entries"][entry]
    own = tables.not_measured(counted.get("lines_reason"))
    if counted.get("lines") is not None:
        own = Figure(tables.number(counted["lines"]))
    is_first = entry == next(iter(tables.entries(results)))
    return own, tables.quoted_lines(cell) if is_first else tables.not_applicable()


def _share(entry: Record, layer: str, hit: bool) -> Figure:
    share = (entry.get("layers") or {}).get(layer)
    if share is None:
        return tables.not_applicable()
    if not hit:
        return Figure(tables.number(share["instructions"]))
    if share.get("hit") is None:
        return tables.not_measured(entry.get("hit_reason"))
    return Figure(tables.number(share["hit"]["instructions"]))


def _written(results: Record, layer: str) -> Figure:
    """The layer's entry in the catalogue; of the frame there is none."""
    origin = results.get("origins", {}).get(layer)
    return Figure(origin["entry"]) if origin else tables.not_applicable()


def _broken_table(cell: Record, group: Sequence[Record], results: Record) -> Table:
    broken = group[0]
    ancestor = broken["ancestor"]
    columns = [Column(broken["shares"].replace("_", " "), "here", _none, _none)]
    if ancestor:
        columns += [Column(ancestor, "there", _none, _none), Column("change", "", _none, _none)]
    columns += [Column("printed", "from", _none, _none), Column("written", "in", _none, _none)]
    rows = []
    for share in broken["layers"]:
        before = [Figure(tables.number(share["ancestor"])), _change(share)] if ancestor else []
        origin = results.get("origins", {}).get(share["layer"])
        printed = Figure(origin["template"]) if origin else tables.not_applicable()
        here = Figure(tables.number(share["value"]))
        rows.append((_name(share["layer"]), here, *before, printed, _written(results, share["layer"])))
    title = "\n".join(f"OVER BUDGET  {cell['id']}: {one['sentence']}" for one in group)
    if not rows:  # of the library's size, or of what could not be counted
        rows = [
            (_name(one["metric"]), _total(one), *([tables.not_applicable()] * (len(columns) - 1)))
            for one in group
        ]
    first = Column("layer", "", _none, _none)
    return Table(title, (first, *columns), tuple(rows))


def _total(broken: Record) -> Figure:
    if broken["value"] is None:
        return tables.not_measured(broken["reason"])
    return Figure(tables.number(broken["value"]), tables.BAD)


def _change(share: Record) -> Figure:
    change = share["value"] - share["ancestor"]
    kind = tables.BAD if change > 0 else tables.GOOD if change < 0 else tables.MEASURED
    return Figure(f"{change:+,}", kind)
