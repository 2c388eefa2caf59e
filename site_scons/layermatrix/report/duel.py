"""Print the comparison of two contenders: a row for each figure and load, then the verdict in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from layermatrix.analysis import comparison
from layermatrix.analysis.comparison import SPEED, Word
from layermatrix.analysis.duel import MEMORY, OVERALL, Duel, Row
from layermatrix.core.command import scons
from layermatrix.evidence.columns import Figure, FigureKind, Heading, Table, figure, not_measured, number
from layermatrix.report import terminal

if TYPE_CHECKING:
    from rich.console import Console

DIGITS = {"instructions": 1, SPEED: 2, MEMORY: 0}  # others: 3
UNITS = {SPEED: "", MEMORY: "KiB"}
KINDS = {Word.BETTER: FigureKind.GOOD, Word.WORSE: FigureKind.BAD, Word.SAME: FigureKind.MEASURED}


def show(found: Duel, work: str, console: Console) -> None:
    """The table and the verdict."""
    terminal.print_table(table(found, work), console)
    for line in verdict(found):
        console.print(line, markup=False, style="bold" if line.startswith("Verdict") else "", soft_wrap=True)
    console.print(f"Stored in {comparison.FILE}; {scons('report')} shows it.", markup=False)


def verdict(found: Duel) -> list[str]:
    """The verdict in sentences; counted figures come first."""
    if not found.verdicts:
        return ["Verdict: none: nothing was measured on both sides."]
    first, *others = found.verdicts
    return [f"Verdict: {first}.", *(f"  {line}." for line in others)]


def table(found: Duel, work: str) -> Table:
    headings = (
        Heading("load"),
        Heading("figure", f"per {work}"),
        Heading(found.a, "a"),
        Heading(found.b, "b"),
        Heading("b / a", "interval"),
        Heading("b is", ""),
    )
    return Table(f"{found.a} or {found.b}?", headings, tuple(_row(row) for row in found.rows))


def _row(row: Row) -> tuple[Figure, ...]:
    digits = DIGITS.get(row.figure, 3)
    name = FigureKind.NAME if row.load == OVERALL else FigureKind.MEASURED
    figures = [figure(value, digits) for value in (row.a, row.b)]
    unit = f" ({UNITS[row.figure]})" if UNITS.get(row.figure) else ""
    return (Figure(row.load, name), Figure(row.figure + unit), *figures, _ratio(row), _word(row))


def _ratio(row: Row) -> Figure:
    if row.ratio is None:
        return figure(None)
    if row.ratio.low == row.ratio.high:
        return Figure(f"{row.ratio.median:.3f}x")
    return Figure(f"{number(row.ratio.median, 3)}x", note=f"{row.ratio.low:.3f}-{row.ratio.high:.3f}")


def _word(row: Row) -> Figure:
    if row.word is None:
        return not_measured(row.reason)
    return Figure(row.word.name.lower() if row.word is not Word.SAME else row.word.value, KINDS[row.word])
