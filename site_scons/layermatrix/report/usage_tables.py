"""Lay out what the timed programs used: page faults, context switches, and events that the processor counts.

Reads the timings of results or of a comparison with other libraries; returns `Table`s of text. Where the
machine has no counters, or perf is missing, a note says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from layermatrix.analysis import figures
from layermatrix.analysis.results import Results
from layermatrix.core.records import NotMeasured
from layermatrix.evidence.bench import UNCOUNTED, Timing
from layermatrix.evidence.columns import (
    Figure,
    FigureKind,
    Heading,
    Table,
    figure,
    not_applicable,
    not_measured,
)
from layermatrix.measure.peer_results import PeerResults
from layermatrix.report import tables

OF_RUNS = "median of the timed runs, of the whole process, including its start"
OF_PERF = "counted by the processor in user mode with perf stat, in the untimed run, of the whole process"
FAULTS = (
    "Page faults: without disk, the kernel only had to map memory; with disk, it had to read a file."
    " Context switches: voluntary, the program waited; forced, another program got the CPU."
    f" {OF_RUNS.capitalize()}."
)


@dataclass(frozen=True)
class _Part:
    """One figure of a timing. of: its part of the record. counter: whether the processor counts it."""

    head: str
    unit: str
    of: Callable[[Timing], float | NotMeasured]
    digits: int = 0
    counter: bool = False


def of_cells(results: Results) -> list[Table]:
    """What each cell used, a table for each timed load."""
    return [made for load in results.view.loads if (made := _of_load(results, load)).rows]


def of_peers(found: PeerResults) -> list[Table]:
    """What each library used with each load, a table for each figure that is not 0 everywhere."""
    timings = [one for load in found.loads.values() for one in load.figures.values()]
    tables_of_parts = (_of_part(found, part) for part in _parts(timings, found.work))
    made = [table for table in tables_of_parts if any(_is_above_zero(row) for row in table.rows)]
    return [*made[:-1], replace(made[-1], notes=_notes(timings))] if made else []


def _of_part(found: PeerResults, part: _Part) -> Table:
    """A figure of each load and library."""
    rows = [
        (Figure(name, FigureKind.NAME), *(_figure(load.figures.get(one), part) for one in found.names))
        for name, load in found.loads.items()
    ]
    headings = (Heading("load"), *(Heading(name, method=_method(part)) for name in found.names))
    return Table(f"{part.head.capitalize()}, {part.unit}", headings, tuple(rows))


def _is_above_zero(row: Sequence[Figure]) -> bool:
    return any(one.kind is FigureKind.MEASURED and one.text != "0" for one in row)


def _of_load(results: Results, load: str) -> Table:
    names = tables.row_names(results)
    records = [(results.baseline.name, results.baseline)] if results.baseline.is_known else []
    timed = [(name, figures.timing(record, load)) for name, record in records]
    timed += [(names[cell.id], figures.timing(cell, load)) for cell in results.cells]
    known = [one for _, one in timed]
    parts = _parts(known, results.view.work)
    rows = [
        (Figure(name, FigureKind.NAME), *(_figure(one, part) for part in parts))
        for name, one in timed
        if isinstance(one, Timing)
    ]
    headings = (Heading("variant"), *(Heading(part.head, part.unit, _method(part)) for part in parts))
    title = f"Faults, context switches and hardware counters: {load}"
    return Table(title, headings, tuple(rows), _notes(known))


def _parts(timings: Iterable[Timing | NotMeasured], work: str) -> list[_Part]:
    """The figures that are shown: events only if the processor counted any."""
    has_counters = any(
        isinstance(one, Timing) and not isinstance(one.hardware, NotMeasured) for one in timings
    )
    return [*_usage(), *(_counters(work) if has_counters else ())]


def _usage() -> Iterable[_Part]:
    for name, head, unit in (
        ("minor_faults", "page faults", "without disk"),
        ("major_faults", "page faults", "with disk"),
        ("voluntary_switches", "context switches", "voluntary"),
        ("involuntary_switches", "context switches", "forced"),
    ):
        yield _Part(head, unit, lambda timing, name=name: _field(timing.usage, name))  # type: ignore[misc]


def _counters(work: str) -> Iterable[_Part]:
    for name, head, digits in (
        ("cycles", "cycles", 1),
        ("instructions", "instructions", 1),
        ("cache_misses", "cache misses", 4),
        ("branch_misses", "branch misses", 4),
    ):
        yield _Part(
            head,
            f"per {work}",
            lambda timing, name=name: _field(timing.hardware, name),  # type: ignore[misc]
            digits,
            counter=True,
        )


def _field(record: object, name: str) -> float | NotMeasured:
    found: float | NotMeasured = record if isinstance(record, NotMeasured) else getattr(record, name)
    return found


def _method(part: _Part) -> str:
    return OF_PERF if part.counter else OF_RUNS


def _figure(timing: Timing | NotMeasured | None, part: _Part) -> Figure:
    if timing is None:
        return not_applicable()
    if isinstance(timing, NotMeasured):
        return not_measured(timing.reason)
    return figure(part.of(timing), part.digits)


def _notes(timings: Iterable[Timing | NotMeasured]) -> tuple[str, ...]:
    """How to read the table, and why there are no hardware counters, if there are none."""
    timed = [one for one in timings if isinstance(one, Timing)]
    missing = [one.hardware.reason for one in timed if isinstance(one.hardware, NotMeasured)]
    counted = len(missing) < len(timed)
    reasons = dict.fromkeys(missing or [UNCOUNTED.reason])
    how = OF_PERF if counted else f"not measured: {'; '.join(reasons)}"
    return (FAULTS, f"Hardware counters: {how}.")
