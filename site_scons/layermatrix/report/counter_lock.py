"""Print the current cost of an operation next to the accepted cost, and the figures that are worse.

Reads cells with their comparison; writes to a rich console.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from layermatrix.analysis import figures
from layermatrix.analysis.counter_lock import BAD, ComparedFigure, ComparedLoad, Verdict
from layermatrix.analysis.results import CellResult
from layermatrix.core.records import NotMeasured
from layermatrix.evidence.columns import number
from layermatrix.model.measuring import METRICS
from layermatrix.spec import lockspec

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

HEADS = ("instr.", "I1 miss", "D1 miss", "LL miss", "branches", "mispred.")  # of METRICS
STYLES = {
    Verdict.WORSE: "bold red", Verdict.MISSED: "yellow", Verdict.NEW: "yellow", Verdict.BETTER: "green",
    Verdict.WITHIN: "",
}  # fmt: skip


def print_table(cells: Iterable[CellResult], work: str, console: Console) -> None:
    """Three lines for each load of each cell: accepted, now, and the difference."""
    from rich import box
    from rich.table import Table

    made = Table(
        title=f"The cost of one {work}, accepted and current",
        title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False,
    )  # fmt: skip
    for head in ("cell", "load", ""):
        made.add_column(head, no_wrap=True)
    for head in HEADS:
        made.add_column(head, justify="right", no_wrap=True)
    made.add_column("", no_wrap=True)
    for cell in cells:
        loads = _loads(cell)
        for place, (name, load) in enumerate(loads.items(), 1):
            shown = cell.id if place == 1 else ""
            made.add_row(*_fields(shown, name, load, cell), end_section=place == len(loads))
    if made.row_count:
        console.print(made)


def _loads(cell: CellResult) -> Mapping[str, ComparedLoad]:
    return {} if isinstance(cell.reference, NotMeasured) else cell.reference.loads


def _fields(cell_id: str, name: str, load: ComparedLoad, cell: CellResult) -> Iterable[Text | str]:
    from rich.text import Text

    yield Text(cell_id, style="bold")
    yield name
    compared = load.figures
    yield "accepted\nnow\ndifference" if compared else "now"
    now = figures.per_op(cell, name)
    for metric in METRICS:
        if compared:
            yield _figure(compared[metric])
        else:
            yield number(now[metric], lockspec.DIGITS) if metric in now else "-"
    yield Text(load.verdict.value, style=STYLES[load.verdict])


def _figure(figure: ComparedFigure) -> Text:
    from rich.text import Text

    old, new = (number(value, lockspec.DIGITS) for value in (figure.old, figure.new))
    text = Text(f"{old}\n{new}\n")
    return text.append(_difference(figure), style=STYLES[figure.verdict] or "dim")


def _difference(figure: ComparedFigure) -> str:
    difference = round(figure.new - figure.old, lockspec.DIGITS)
    return f"{difference:+.{lockspec.DIGITS}f}" if difference else "="


def print_findings(cells: Iterable[CellResult], console: Console, hint: str = "") -> None:
    """A line for each figure that is worse, and for each load or cell that is new or not compared; then the
    sum, and the hint if there is a finding."""
    found = [finding for cell in cells for finding in findings(cell)]
    for verdict, words in found:
        if words:
            style = STYLES[verdict]
            console.print(f"{verdict.value}: {words}", style=style, markup=False, soft_wrap=True)
    counts = {verdict: sum(it is verdict for it, _ in found) for verdict in reversed(Verdict)}
    loads = ", ".join(f"{count} {verdict.value}" for verdict, count in counts.items() if count)
    hint = hint if any(words for _, words in found) else ""
    console.print(f"{lockspec.FILE}: {loads or 'nothing was compared'}{hint}", markup=False, soft_wrap=True)


def findings(cell: CellResult) -> Iterable[tuple[Verdict, str]]:
    """(verdict, words) of each load; the words are empty if there is no finding."""
    if isinstance(cell.reference, NotMeasured):
        yield Verdict.MISSED, f"{cell.id}: {cell.reference.reason}"
        return
    for name, load in cell.reference.loads.items():
        words = [
            f"{metric} {_words(figure)}"
            for metric, figure in load.figures.items()
            if figure.verdict is load.verdict and load.verdict is not Verdict.WITHIN
        ]
        words += [load.reason] if load.reason else []
        yield load.verdict, f"{cell.id}, {name}: {'; '.join(words)}" if words else ""


def _words(figure: ComparedFigure) -> str:
    old, new = (number(value, lockspec.DIGITS) for value in (figure.old, figure.new))
    share = f", {100 * (figure.new / figure.old - 1):+.1f}%" if figure.old > 0 else ""
    limit = "" if figure.allowed is None else f", may change by {number(figure.allowed, lockspec.DIGITS)}"
    return f"{old} -> {new} ({_difference(figure)}{share}{limit})"


def sentence(cells: Iterable[CellResult]) -> tuple[str, bool]:
    """The result of all comparisons in one line (empty if nothing was compared), and whether it is a pass."""
    by_verdict: dict[Verdict, list[str]] = {}
    for cell in cells:
        if not isinstance(cell.reference, NotMeasured):
            by_verdict.setdefault(cell.reference.verdict, []).append(cell.id)
    parts = [
        f"{verdict.value}: {', '.join(ids)}" if verdict in BAD else f"{len(ids)} {verdict.value}"
        for verdict, ids in by_verdict.items()
    ]
    words = f"Counters against {lockspec.FILE}: {'; '.join(parts)}." if parts else ""
    return words, not set(by_verdict) & set(BAD)
