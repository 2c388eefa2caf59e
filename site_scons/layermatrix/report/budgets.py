"""The budgets of the cells: each limited figure beside its limit.

Reads results; returns a `Table` and a sentence.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from layermatrix.analysis.results import CellResult, Results
from layermatrix.core.records import NotMeasured
from layermatrix.evidence import budget
from layermatrix.evidence.budget import Limited
from layermatrix.evidence.columns import Figure, FigureKind, Heading, Table, not_measured, number, several
from layermatrix.report.explain import by_reason

HEADINGS = (
    Heading("cell"), Heading("entry"), Heading("figure"), Heading("measured"), Heading("limit"),
    Heading("used", "% of the limit"), Heading("set in"),
)  # fmt: skip


def table(results: Results) -> Table:
    """A row for each limit of each cell."""
    rows = [_row(cell, one) for cell, one in _limited(results)]
    return Table("Figures and their limits", HEADINGS, tuple(rows))


def sentence(results: Results) -> str:
    """How many figures are within their limits, and why cells have none."""
    limited = [one for _, one in _limited(results)]
    within = sum(not one.is_over for one in limited)
    are = "is" if len(limited) == 1 else "are"
    words = [f"{within} of {several(len(limited), 'figure')} {are} within budget."] if limited else []
    missing = [(cell.id, cell.of(budget.KIND)) for cell in results.cells]
    reasons = by_reason((name, one.reason) for name, one in missing if isinstance(one, NotMeasured))
    others = [f"{several(len(ids), 'cell')}: {reason}" for reason, ids in reasons.items()]
    return " ".join([*words, *([f"Not measured: {'; '.join(others)}."] if others else [])])


def _limited(results: Results) -> Iterator[tuple[CellResult, Limited]]:
    for cell in results.cells:
        record = cell.of(budget.KIND)
        limits: Iterable[Limited] = () if isinstance(record, NotMeasured) else record.figures
        for one in limits:
            yield cell, one


def _row(cell: CellResult, one: Limited) -> tuple[Figure, ...]:
    about = (Figure(cell.id, FigureKind.NAME), Figure(one.entry), Figure(one.metric.replace("_", " ")))
    limit, place = Figure(number(one.limit)), Figure(one.place)
    if isinstance(one.value, NotMeasured):
        return (*about, not_measured(one.value.reason), limit, not_measured(one.value.reason), place)
    kind = FigureKind.BAD if one.is_over else FigureKind.GOOD
    used = (
        Figure(number(100 * one.value / one.limit)) if one.limit else Figure("-", FigureKind.NOT_APPLICABLE)
    )
    return (*about, Figure(number(one.value), kind), limit, used, place)
