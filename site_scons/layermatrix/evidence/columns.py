"""What a figure looks like in a table: a field, a heading, a table of text.

The kinds of evidence give their columns in these words, and the exporters print them: once laid out, a table
is the same for the terminal, Markdown and HTML. A figure says of itself whether it was measured here, is
reported by others, was not measured (and why), or does not apply.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeVar

from layermatrix.core.records import NotMeasured

T = TypeVar("T")


class FigureKind(Enum):
    """What a field holds, which decides how an exporter shows it."""

    MEASURED = "measured"
    REPORTED = "reported"  # quoted from a report, not measured here
    MISSING = "missing"
    NOT_APPLICABLE = "none"
    NAME = "name"
    GOOD = "good"
    BAD = "bad"
    ASIDE = "aside"  # measured, and not one of those that are compared


@dataclass(frozen=True)
class Figure:
    """What stands in one field; `note` is its second line (a spread), `reason` why nothing was measured."""

    text: str
    kind: FigureKind = FigureKind.MEASURED
    note: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Heading:
    """A heading of two lines, the second being the unit, and how the figures below it were taken. Columns of
    one group stand together where a table is too wide for one piece. reported: the heading of figures that a
    report gives."""

    head: str
    unit: str = ""
    method: str = ""
    group: str = ""
    reported: bool = False


@dataclass(frozen=True)
class Column(Generic[T]):
    """A heading, and the figure of each record below it.

    brief: whether the table with one line a cell has it too. beside: the name of a reported figure
    (`reported:` of a variant) that is shown beside this one.
    """

    heading: Heading
    figure: Callable[[T], Figure]
    brief: bool = False
    beside: str | None = None


@dataclass(frozen=True)
class Table:
    title: str
    headings: tuple[Heading, ...]
    rows: tuple[tuple[Figure, ...], ...]
    notes: tuple[str, ...] = ()

    def reasons(self) -> list[str]:
        """Why figures are missing, each reason once; its place in the list is its footnote's number."""
        missing = (figure for row in self.rows for figure in row if figure.kind is FigureKind.MISSING)
        return list(dict.fromkeys(figure.reason for figure in missing))

    @property
    def has_reported(self) -> bool:
        return any(figure.kind is FigureKind.REPORTED for row in self.rows for figure in row)


@dataclass(frozen=True)
class View:
    """What a kind has to know of a report to name its columns: the loads, the headline first, the words for a
    unit of work and for a speed, and what every cell is compared with."""

    loads: tuple[str, ...] = ()
    work: str = "op"
    speed: str = "M/s"
    baseline: str = "baseline"

    @property
    def headline(self) -> str | None:
        return next(iter(self.loads), None)


def not_measured(reason: str | None) -> Figure:
    return Figure("not measured", FigureKind.MISSING, reason=reason or "no reason was given")


def not_applicable() -> Figure:
    return Figure("-", FigureKind.NOT_APPLICABLE)


def figure(value: float | NotMeasured | None, digits: int = 0) -> Figure:
    """A number, or why there is none; None does not apply."""
    if value is None:
        return not_applicable()
    return not_measured(value.reason) if isinstance(value, NotMeasured) else Figure(number(value, digits))


def number(value: float, digits: int = 0) -> str:
    """A figure for people; what rounds to nothing has no sign."""
    return f"{round(value, digits) + 0.0:,.{digits}f}"
