"""Print the history of figures: a table with a small plot for each series, and the page docs/history.md.

Reads what `store.history` found, and the titles of the commits. A page is printed from a record of the same,
so that it can be printed again without the store.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from layermatrix.core import templates
from layermatrix.core.records import Format, Measured
from layermatrix.store.changes import Change
from layermatrix.store.entries import DETERMINISTIC
from layermatrix.store.history import Apart, Point

if TYPE_CHECKING:
    from rich.console import Console

BLOCKS = "▁▂▃▄▅▆▇█"
SHOWN = 10  # characters of a commit's hash
PAGE = "history.md"
WORDS = {True: "better", False: "worse"}


class PageError(ValueError):
    """The page's template is about something that the record does not have; str() is one line."""


@dataclass(frozen=True)
class Series:
    """The history of one figure, with how to read it. machine: where it was measured, in words. busy: commit
    -> the mark of its timing, if the machine was busy."""

    subject: str
    load: str
    figure: str
    unit: str
    better: str
    kind: str
    machine: str
    points: tuple[Point, ...]
    apart: tuple[Apart, ...] = ()
    busy: Mapping[str, str] = field(default_factory=dict)

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

    def number(self, value: float) -> str:
        """A figure with the digits of the series: none if all of its figures are whole numbers."""
        digits = 0 if all(point.median == int(point.median) for point in self.points) else 3
        return f"{value:,.{digits}f}"

    def interval(self, point: Point) -> str:
        """The interval of a timing; empty for a count, which has none."""
        return "" if self.kind == DETERMINISTIC else f"{self.number(point.low)}-{self.number(point.high)}"

    def remark(self, point: Point) -> str:
        """The change at a point, and the mark of its timing, in words."""
        return "; ".join(filter(None, (self.change(point), self.busy.get(point.commit, ""))))

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
        """The title of a commit, which may be abbreviated. Raises PageError if the page does not show it."""
        for name, title in self.titles.items():
            if name.startswith(commit):
                return title
        raise PageError(f"the page has no commit {commit}")

    def change(self, load: str, figure: str, commit: str) -> Change:
        """The change of a figure at a commit. Raises PageError if there is none, because the page's text is
        about it."""
        for one in self.series:
            for point in one.points if (one.load, one.figure) == (load, figure) else ():
                if point.change and point.commit.startswith(commit):
                    return point.change
        raise PageError(f"{figure} has no change at commit {commit}{load and f' on {load}'}")

    @property
    def commits(self) -> int:
        """The number of commits that have a figure."""
        return len({point.commit for one in self.series for point in one.points})


FORMAT = Format("history", Page)


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
    from rich.table import Table
    from rich.text import Text

    console.print(Text(f"{series.title}  {series.plot}", style="bold"))
    if series.points:
        console.print(Text(f"measured on {series.machine}", style="dim"))
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
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
            (point.commit[:SHOWN], series.number(point.median), series.interval(point), series.remark(point)),
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
    return environment.get_template(f"{PAGE}.j2").render(page=page, short=SHOWN)
