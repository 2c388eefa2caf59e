"""Tables of text: figures, headings, columns.

The kinds of evidence define their columns with these types, and the exporters print them; the terminal,
Markdown and HTML share one layout. Each figure states whether it was measured here, is reported by others,
was not measured (with the reason), or does not apply.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeVar

from layermatrix.core.records import NotMeasured

T = TypeVar("T")


class FigureKind(Enum):
    """The kind of a field's content; exporters choose its style by it."""

    MEASURED = "measured"
    REPORTED = "reported"  # quoted from a report, not measured here
    MISSING = "missing"
    NOT_APPLICABLE = "none"
    NAME = "name"
    GOOD = "good"
    BAD = "bad"
    ASIDE = "aside"  # measured, but not compared with the others


@dataclass(frozen=True)
class Figure:
    """The content of one field. note: its second line, such as a spread. reason: why it was not measured."""

    text: str
    kind: FigureKind = FigureKind.MEASURED
    note: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Heading:
    """A heading of two lines. unit: its second line. method: how the figures below it were taken. group:
    columns of one group stay together when a wide table is split. reported: the figures are reported ones."""

    head: str
    unit: str = ""
    method: str = ""
    group: str = ""
    reported: bool = False


@dataclass(frozen=True)
class Column(Generic[T]):
    """A heading and the function that gives the figure of each record.

    brief: whether the short table has this column, too. beside: the name of the reported figure (`reported:`
    of a variant) that is shown next to this one.
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
        """The distinct reasons for missing figures; the position of a reason is its footnote number."""
        missing = (figure for row in self.rows for figure in row if figure.kind is FigureKind.MISSING)
        return list(dict.fromkeys(figure.reason for figure in missing))

    @property
    def has_reported(self) -> bool:
        return any(figure.kind is FigureKind.REPORTED for row in self.rows for figure in row)


@dataclass(frozen=True)
class View:
    """What a kind needs from a report to name its columns. loads: the headline first. work: one unit of work.
    speed: the unit of speed. baseline: the name of the baseline."""

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
    """The figure of a number, of a missing one with its reason, or of None, which does not apply."""
    if value is None:
        return not_applicable()
    return not_measured(value.reason) if isinstance(value, NotMeasured) else Figure(number(value, digits))


def state(value: bool | int) -> str:
    """The value of a toggle or an option, as it stands in a file."""
    return ("on" if value else "off") if isinstance(value, bool) else str(value)


def several(count: int, noun: str) -> str:
    """A count of things: "1 load", "2 loads"."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def number(value: float, digits: int = 0) -> str:
    """A number as text, with thousands separators; a value that rounds to 0 has no sign."""
    return f"{round(value, digits) + 0.0:,.{digits}f}"
