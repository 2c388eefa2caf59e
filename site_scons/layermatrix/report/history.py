"""Print the history of figures: a table with a small plot for each series, and the page docs/history.md.

Reads what `store.history` found, and the titles of the commits. A page is printed from a record of the same,
so that it can be printed again without the store.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from layermatrix.core import templates
from layermatrix.core.records import Format, Measured
from layermatrix.evidence.columns import Figure, FigureKind, Heading, Table
from layermatrix.store.changes import Change
from layermatrix.store.history import DETERMINISTIC, Apart, Point

if TYPE_CHECKING:
    from rich.console import Console

    from layermatrix.analysis.history import Recorded

BLOCKS = "▁▂▃▄▅▆▇█"
SHOWN = 10  # characters of a commit's hash
PAGE = "history.md"
WORDS = {True: "better", False: "worse"}


@dataclass(frozen=True)
class Series:
    """The history of one figure, with how to read it. machine: where it was measured, in words."""

    subject: str
    load: str
    figure: str
    unit: str
    better: str
    kind: str
    machine: str
    points: tuple[Point, ...]
    apart: tuple[Apart, ...] = ()

    @property
    def title(self) -> str:
        """The subject, the figure with its unit, and the load."""
        load = f" on {self.load}" if self.load else ""
        return f"{self.subject}: {self.figure}{load}, {self.unit}"

    @property
    def plot(self) -> str:
        """A character for each point, from the lowest to the highest figure."""
        values = [point.median for point in self.points]
        low, high = min(values, default=0), max(values, default=0)
        span = (high - low) or 1.0
        return "".join(BLOCKS[round((value - low) / span * (len(BLOCKS) - 1))] for value in values)

    @property
    def changes(self) -> tuple[Point, ...]:
        """The points at which the figure changed."""
        return tuple(point for point in self.points if point.change)

    def interval(self, point: Point) -> str:
        """The interval of a timing; empty for a count, which has none."""
        return "" if self.kind == DETERMINISTIC else f"{number(point.low)}-{number(point.high)}"

    def change(self, point: Point) -> str:
        """A change in words: its size, whether it is better, and the last commit before it."""
        return "" if point.change is None else change_text(point.change, self.better)


@dataclass(frozen=True)
class Missed:
    """A commit without figures, and why."""

    commit: str
    when: str
    reason: str


@dataclass(frozen=True)
class Page(Measured):
    """What docs/history.md is printed from. titles: commit -> the first line of its message."""

    command: str
    series: tuple[Series, ...]
    titles: Mapping[str, str]
    missed: tuple[Missed, ...] = ()

    def title(self, commit: str) -> str:
        return self.titles.get(commit, "")

    @property
    def commits(self) -> int:
        """The number of commits that have a figure."""
        return len({point.commit for one in self.series for point in one.points})


FORMAT = Format("history", Page)


def of(recorded: Recorded) -> Series:
    """A series of the store, to be printed."""
    entry, found = recorded.entry, recorded.history
    return Series(
        entry.subject, entry.load, entry.figure, entry.unit, entry.better, entry.kind, found.machine,
        found.points, found.apart,
    )  # fmt: skip


def figures_table(series: Sequence[Series]) -> Table:
    """The points of the series of one figure and load, for a report: newest commit first."""
    first = series[0]
    headings = ("commit", "date, UTC", "cell", "median", "interval", "change")
    rows = [
        (point.when, (Figure(point.commit[:SHOWN], FigureKind.NAME), *_fields(one, point)))
        for one in series
        for point in one.points
    ]
    rows.sort(key=lambda row: row[0], reverse=True)
    apart = [f"{one.subject}, not shown: {it.count}: {it.reason}" for one in series for it in one.apart]
    title = f"{first.figure}{f' on {first.load}' if first.load else ''}, {first.unit}"
    return Table(title, tuple(map(Heading, headings)), tuple(row for _, row in rows), tuple(apart))


def _fields(series: Series, point: Point) -> tuple[Figure, ...]:
    when = point.when.replace("T", " ").removesuffix("Z")
    texts = (when, series.subject, number(point.median), series.interval(point), series.change(point))
    return tuple(map(Figure, texts))


def number(value: float) -> str:
    """A figure with as many digits as tell two neighbours apart."""
    return f"{value:,.0f}" if value == int(value) and abs(value) >= 10 else f"{value:,.3f}"


def change_text(change: Change, better: str) -> str:
    """Such as "-9.1 % (better) since 0123456789"."""
    relative = change.relative
    size = f"{change.after - change.before:+,.3f}" if relative is None else f"{100 * relative:+.1f} %"
    word = WORDS[(change.after > change.before) == (better == "higher")]
    return f"{size} ({word}) since {change.since[:SHOWN]}"


def tables(series: Sequence[Series], missed: Sequence[Missed], console: Console) -> None:
    """A table for each series."""
    for one in series:
        _table(one, missed, console)


def _table(series: Series, missed: Sequence[Missed], console: Console) -> None:
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    console.print(Text(f"{series.title}  {series.plot}", style="bold"))
    console.print(Text(f"measured on {series.machine}", style="dim"))
    table = RichTable(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for name in ("commit", "date, UTC"):
        table.add_column(name, no_wrap=True)
    table.add_column("median", justify="right", no_wrap=True)
    for name in ("interval", "change"):
        table.add_column(name)
    for when, row in sorted([*_rows(series), *_missed(missed, series)], key=lambda pair: pair[0]):
        style = "bold" if row[-1] else ""
        table.add_row(row[0], when.replace("T", " ").removesuffix("Z"), *row[1:], style=style)
    console.print(table)
    for apart in series.apart:
        console.print(Text(f"not shown: {apart.count}: {apart.reason}", style="dim"))
    console.print()


def _rows(series: Series) -> list[tuple[str, tuple[str, ...]]]:
    """The date of each point, and the fields of its row."""
    return [
        (
            point.when,
            (point.commit[:SHOWN], number(point.median), series.interval(point), series.change(point)),
        )
        for point in series.points
    ]


def _missed(missed: Sequence[Missed], series: Series) -> list[tuple[str, tuple[str, ...]]]:
    shown = {point.commit for point in series.points}
    return [
        (one.when, (one.commit[:SHOWN], "-", "", f"not measured: {one.reason}"))
        for one in missed
        if one.commit not in shown
    ]


def render(page: Page, folder: Path) -> str:
    """The page's text, from its template in this folder. Raises jinja2's errors for a broken template."""
    environment = templates.environment(folder)
    return environment.get_template(f"{PAGE}.j2").render(page=page, number=number, short=SHOWN)
