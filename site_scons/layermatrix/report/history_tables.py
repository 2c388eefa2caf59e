"""The history of a report: series that the store has, and a table of their points.

Reads what `analysis.history` collected; returns `Series` and `Table`s.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from layermatrix.evidence.columns import Figure, FigureKind, Heading, Table
from layermatrix.report.history import SHOWN, Series

if TYPE_CHECKING:
    from layermatrix.analysis.history import Recorded
    from layermatrix.store.history import Point

HEADINGS = tuple(map(Heading, ("commit", "date, UTC", "cell", "median", "interval", "change")))


def series_of(recorded: Recorded) -> Series:
    """A series of the store, to be printed."""
    entry, found = recorded.entry, recorded.history
    return Series(
        entry.subject, entry.load, entry.figure, entry.unit, entry.better, entry.kind, found.machine,
        found.points, found.apart, recorded.busy,
    )  # fmt: skip


def table(series: Sequence[Series]) -> Table:
    """The points of the series of one figure and load, the newest commit first."""
    first = series[0]
    rows = [(point.when, _row(one, point)) for one in series for point in one.points]
    rows.sort(key=lambda row: row[0], reverse=True)
    apart = [f"{one.subject}, not shown: {it.count}: {it.reason}" for one in series for it in one.apart]
    title = f"{first.figure}{f' on {first.load}' if first.load else ''}, {first.unit}"
    return Table(title, HEADINGS, tuple(row for _, row in rows), tuple(apart))


def date(point: Point) -> str:
    return point.when.replace("T", " ").removesuffix("Z")


def _row(series: Series, point: Point) -> tuple[Figure, ...]:
    median, interval, remark = series.number(point.median), series.interval(point), series.remark(point)
    texts = (date(point), series.subject, median, interval, remark)
    return (Figure(point.commit[:SHOWN], FigureKind.NAME), *map(Figure, texts))
