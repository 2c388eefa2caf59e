"""Print what an operation costs now beside what was accepted, and what of that is worse.

Reads cell records with their `reference`; writes to a rich console.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from layermatrix.analysis import counter_lock
from layermatrix.model.measuring import METRICS
from layermatrix.report.table import number
from layermatrix.spec import lockspec

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

Record = dict[str, Any]

HEADS = ("instr.", "I1 miss", "D1 miss", "LL miss", "branches", "mispred.")  # of METRICS
STYLES = {
    counter_lock.WORSE: "bold red", counter_lock.MISSED: "yellow", counter_lock.NEW: "yellow",
    counter_lock.BETTER: "green", counter_lock.KEPT: "",
}  # fmt: skip


def print_table(cells: Iterable[Record], console: Console) -> None:
    """Three lines for each load of each cell: accepted, now, and the difference."""
    from rich import box
    from rich.table import Table

    made = Table(
        title="What an operation costs, and what was accepted",
        title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False,
    )  # fmt: skip
    for head in ("cell", "load", ""):
        made.add_column(head, no_wrap=True)
    for head in HEADS:
        made.add_column(head, justify="right", no_wrap=True)
    made.add_column("", no_wrap=True)
    for cell in cells:
        loads = cell["reference"].get("loads", {})
        for place, (name, load) in enumerate(loads.items(), 1):
            shown = cell["id"] if place == 1 else ""
            made.add_row(*_fields(shown, name, load, cell), end_section=place == len(loads))
    if made.row_count:
        console.print(made)


def _fields(cell_id: str, name: str, load: Record, cell: Record) -> Iterable[Text | str]:
    from rich.text import Text

    yield Text(cell_id, style="bold")
    yield name
    compared = load["figures"]
    yield "accepted\nnow\ndifference" if compared else "now"
    now = cell["counters"]["loads"][name].get("per_op", {})
    for metric in METRICS:
        if compared:
            yield _figure(compared[metric])
        else:
            yield number(now[metric], lockspec.DIGITS) if metric in now else "-"
    yield Text(load["verdict"], style=STYLES[load["verdict"]])


def _figure(figure: Record) -> Text:
    from rich.text import Text

    old, new = (number(figure[key], lockspec.DIGITS) for key in ("old", "new"))
    text = Text(f"{old}\n{new}\n")
    return text.append(_difference(figure), style=STYLES[figure["verdict"]] or "dim")


def _difference(figure: Record) -> str:
    difference = round(figure["new"] - figure["old"], lockspec.DIGITS)
    return f"{difference:+.{lockspec.DIGITS}f}" if difference else "="


def print_findings(cells: Iterable[Record], console: Console, hint: str = "") -> None:
    """A line for each figure that is worse, and for each load or cell that is new or not compared; then the
    sum, and the hint where there was anything to say."""
    found = [finding for cell in cells for finding in findings(cell)]
    for verdict, words in found:
        if words:
            console.print(f"{verdict}: {words}", style=STYLES[verdict], markup=False, soft_wrap=True)
    verdicts = reversed(counter_lock.GRAVEST_FIRST)
    counts = {verdict: sum(it == verdict for it, _ in found) for verdict in verdicts}
    loads = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
    hint = hint if any(words for _, words in found) else ""
    console.print(f"{lockspec.FILE}: {loads or 'nothing was compared'}{hint}", markup=False, soft_wrap=True)


def findings(cell: Record) -> Iterable[tuple[str, str]]:
    """(verdict, words) of each load; the words are empty where there is nothing to say."""
    compared = cell["reference"]
    if "loads" not in compared:
        yield counter_lock.MISSED, f"{cell['id']}: {compared['reason']}"
        return
    for name, load in compared["loads"].items():
        words = [
            f"{metric} {_words(figure)}"
            for metric, figure in load["figures"].items()
            if figure["verdict"] == load["verdict"] and load["verdict"] != counter_lock.KEPT
        ]
        words += [load["reason"]] if load["reason"] else []
        yield load["verdict"], f"{cell['id']}, {name}: {'; '.join(words)}" if words else ""


def _words(figure: Record) -> str:
    old, new = (number(figure[key], lockspec.DIGITS) for key in ("old", "new"))
    share = f", {100 * (figure['new'] / figure['old'] - 1):+.1f}%" if figure["old"] > 0 else ""
    limit = f", may change by {number(figure['allowed'], lockspec.DIGITS)}"
    return f"{old} -> {new} ({_difference(figure)}{share}{limit})"


def sentence(cells: Iterable[Record]) -> tuple[str, bool]:
    """What all comparisons say in a line, empty where nothing was compared, and whether all is well."""
    by_verdict: dict[str, list[str]] = {}
    for cell in cells:
        if "loads" in cell["reference"]:
            by_verdict.setdefault(cell["reference"]["verdict"], []).append(cell["id"])
    parts = [
        f"{verdict}: {', '.join(ids)}" if verdict in counter_lock.BROKEN else f"{len(ids)} {verdict}"
        for verdict, ids in by_verdict.items()
    ]
    words = f"Counters against {lockspec.FILE}: {'; '.join(parts)}." if parts else ""
    return words, not set(by_verdict) & set(counter_lock.BROKEN)
