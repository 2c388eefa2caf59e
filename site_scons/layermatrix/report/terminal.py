"""Print the phase table and the matrix table, with colours on a terminal and without them elsewhere.

Reads results; writes to a rich console. Every column has a unit, reported figures are marked, and a figure
that was not measured has a footnote with the reason.
"""

from __future__ import annotations

import itertools
import shutil
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING

from layermatrix.analysis import comparison
from layermatrix.analysis.comparison import Comparison
from layermatrix.analysis.results import CellResult, LeftOut, Results
from layermatrix.build import paths
from layermatrix.core.command import scons
from layermatrix.core.records import NotMeasured
from layermatrix.evidence.columns import Figure, FigureKind, Table
from layermatrix.measure.peer_results import PeerResults
from layermatrix.report import answer, counter_lock, peer_tables, tables
from layermatrix.report.explain import by_reason

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

PLAIN_WIDTH = 120  # if the output is not a terminal
LOG_LINES = 15  # shown of the first failure
GAP, MARGIN = 2, 1  # between columns, and beside a table
STYLES = {
    FigureKind.MEASURED: "", FigureKind.REPORTED: "dim italic", FigureKind.MISSING: "yellow",
    FigureKind.NOT_APPLICABLE: "dim", FigureKind.NAME: "bold", FigureKind.GOOD: "green",
    FigureKind.BAD: "bold red", FigureKind.ASIDE: "dim",
}  # fmt: skip


def make_console(file: IO[str] | None = None) -> Console:
    """A console with colours and the terminal's width on a terminal; otherwise without colours and 120
    wide."""
    from rich.console import Console

    stream = file or sys.stdout
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="replace")  # show '?' for an unsupported character instead of a traceback
    if stream.isatty():
        return Console(file=stream, width=shutil.get_terminal_size().columns, highlight=False)
    return Console(file=stream, width=PLAIN_WIDTH, no_color=True, highlight=False, force_terminal=False)


def phase_table(results: Results, console: Console, report_dir: Path = paths.REPORT) -> None:
    """The tables of code and run, their comparison with the reported figures, the answer in sentences, and
    the paths of the reports. What a reader needs first is last, where a terminal shows it."""
    for table in (tables.code_table(results), *tables.run_tables(results)):
        _print_table(table, console, baseline=results.baseline.is_known)
    _print_hosts(results, console)
    _print_sentences(results, console)
    _print_reference(results, console)
    _print_failures(results, console)
    _print_answer(answer.sentences(results), console)
    _print_reports(console, report_dir)


def matrix_table(results: Results, console: Console, report_dir: Path = paths.REPORT) -> None:
    """One line per cell, the cells that were left out, then the summary: the failures, each cause once."""
    for table in tables.matrix_tables(results):
        _print_table(table, console, baseline=False)
    _print_hosts(results, console)
    _print_reference(results, console)
    _print_left_out(results.left_out, console)
    _print_failures(results, console)
    _print_answer(answer.sentences(results), console)
    _print_count(results, console)
    _print_reports(console, report_dir)


def comparisons(
    made: Sequence[Comparison],
    left_out: Iterable[tuple[str, str]],
    work: str,
    console: Console,
    *,
    judged: bool = True,
) -> None:
    """A table for each comparison, a summary of its results, and the path of its report. work: the word for
    one operation. judged: whether to print the summary; the caller may have a better one."""
    for one in made:
        _print_table(tables.comparison_table(one, work), console, baseline=True)
        for line in comparison.conclusions(one) if judged else ():
            console.print(line, markup=False, style="bold" if line.startswith("Verdict") else "")
        console.print()
    _print_left_out([LeftOut(name, reason) for name, reason in left_out], console)
    console.print(f"Stored in {comparison.FILE}; {scons('report')} shows it.", markup=False)


def peers(found: PeerResults | NotMeasured, console: Console, file: Path) -> None:
    """The tables of the job `peers`, or the reason why there are none. The summary is last, so that a reader
    sees it first."""
    if isinstance(found, NotMeasured):
        console.print(f"not measured: {found.reason}", markup=False)
        return
    for table in reversed(peer_tables.all_tables(found)):
        _print_table(table, console, baseline=False)
    _print_answer(answer.of_peers(found), console)
    console.print(f"Stored in {file}; {scons('report')} shows it.", markup=False)


def evidence_tables(results: Results, console: Console) -> None:
    """What the binaries show, section by section; then the failures, and the cells that were left out."""
    from layermatrix.report import evidence

    for table in evidence.sections(results):
        _print_table(table, console, baseline=False)
    for line in evidence.uncounted(results):
        console.print(line, style="dim", markup=False, soft_wrap=True)
    _print_left_out(results.left_out, console)
    _print_failures(results, console)
    _print_count(results, console)


def _print_count(results: Results, console: Console) -> None:
    kinds = [tables.verdict(cell).kind for cell in results.cells]
    bad, good = kinds.count(FigureKind.BAD), kinds.count(FigureKind.GOOD)
    words = f"{len(kinds)} cells: {good} passed, {bad} failed, {len(kinds) - good - bad} not tested."
    console.print(words, style="bold red" if bad else "bold")
    if results.saved:
        console.print(f"{results.saved} compilations were saved: cells with equal objects share them.")


def _print_hosts(results: Results, console: Console) -> None:
    """The hosts that took the evidence, if they are several."""
    table = tables.hosts_table(results)
    if table:
        _print_table(table, console, baseline=False)


def print_table(table: Table, console: Console) -> None:
    """A table of another module, with the reasons for missing figures below it."""
    _print_table(table, console, baseline=False)


def _print_table(table: Table, console: Console, *, baseline: bool) -> None:
    reasons = table.reasons()
    for piece in fitted(table, console.width):
        console.print(_rich_table(piece, reasons, baseline=baseline))
    notes = [*table.notes, *(f"[{index}] not measured: {reason}" for index, reason in enumerate(reasons, 1))]
    if table.has_reported:
        notes.insert(0, f"reported: {tables.REPORTED_NOTE}")
    for note in notes:
        console.print(note, style="dim", markup=False)
    console.print()


def fitted(table: Table, width: int) -> list[Table]:
    """The table in pieces that fit the width. Columns of one group stay together if possible, and each piece
    repeats the names."""
    room = width - 2 * MARGIN - _width(table, 0)
    pieces: list[list[int]] = [[]]
    indexes = range(1, len(table.headings))
    for _group, members in itertools.groupby(indexes, lambda index: table.headings[index].group):
        group = list(members)
        if pieces[-1] and _widths(table, pieces[-1] + group) > room:
            pieces.append([])
        for index in group:
            if pieces[-1] and _widths(table, [*pieces[-1], index]) > room:
                pieces.append([])
            pieces[-1].append(index)
    return [_piece(table, [0, *indexes], number) for number, indexes in enumerate(pieces)]


def _widths(table: Table, indexes: Iterable[int]) -> int:
    return sum(_width(table, index) + GAP for index in indexes)


def _width(table: Table, index: int) -> int:
    reasons = table.reasons()
    texts = [_text(row[index], reasons).plain for row in table.rows]
    lines = [line for text in texts for line in text.split("\n")]
    return max(len(line) for line in (table.headings[index].head, table.headings[index].unit, *lines))


def _piece(table: Table, indexes: list[int], number: int) -> Table:
    return Table(
        table.title if number == 0 else f"{table.title} (continued)",
        tuple(table.headings[index] for index in indexes),
        tuple(tuple(row[index] for index in indexes) for row in table.rows),
    )


def _rich_table(table: Table, reasons: list[str], *, baseline: bool) -> RichTable:
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    made = RichTable(
        title=table.title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    for index, heading in enumerate(table.headings):
        style = "dim italic" if heading.reported else "bold"
        head = Text(f"{heading.head}\n{heading.unit}", style=style)
        made.add_column(head, justify="right" if index else "left", no_wrap=True)
    for index, row in enumerate(table.rows):
        made.add_row(*(_text(figure, reasons) for figure in row), end_section=baseline and index == 0)
    return made


def _text(figure: Figure, reasons: list[str]) -> Text:
    from rich.text import Text

    if figure.kind is FigureKind.MISSING:
        return Text(f"n.m. [{reasons.index(figure.reason) + 1}]", style=STYLES[figure.kind])
    # A name of two words takes two lines, like the figures beside it.
    words = figure.text.replace(" ", "\n") if figure.kind is FigureKind.NAME else figure.text
    text = Text(words, style=STYLES[figure.kind])
    if figure.note:
        text.append(f"\n{figure.note}", style="dim")
    return text


def _print_sentences(results: Results, console: Console) -> None:
    sentences = results.story.sentences
    if not sentences:
        return
    console.print("Reported and measured", style="bold")
    for sentence in sentences:
        console.print(f"- {sentence}", style="yellow" if "NOT " in sentence else "", markup=False)
    console.print()


def _print_answer(sentences: Sequence[str], console: Console) -> None:
    """The sentences with which the page begins."""
    if not sentences:
        return
    console.print("In short", style="bold")
    for sentence in sentences:
        console.print(sentence, markup=False)
    console.print()


def _print_reference(results: Results, console: Console) -> None:
    """Whether the counters equal the accepted ones; if not, where to read more."""
    words, well = counter_lock.sentence(results.cells)
    if words:
        hint = "" if well else f" {scons('counters')} shows details."
        console.print(words + hint, style="" if well else "bold red", markup=False, soft_wrap=True)
        console.print()


def _print_failures(results: Results, console: Console) -> None:
    """One line for each cause with its cells, the end of its log, and the command that repeats the first
    cell."""
    causes: dict[str, list[CellResult]] = {}
    for cell in results.cells:
        if cell.failed:
            causes.setdefault(cell.failed.replace(cell.id, "<cell>"), []).append(cell)
    if causes:
        console.print("Failed", style="bold red")
    for first, *others in causes.values():
        names = _some([first.id, *(cell.id for cell in others)])
        console.print(f"{names}: {first.failed}", style="red", markup=False, soft_wrap=True)
        for line in _end_of_log(first):
            console.print(f"    {line}", style="dim", markup=False, soft_wrap=True)
        console.print(f"  repeat: {first.repeat}", markup=False, soft_wrap=True)
    if causes:
        console.print()


def _end_of_log(cell: CellResult) -> list[str]:
    """The last lines without control characters. A log may contain any bytes, and a terminal would execute
    them."""
    lines = cell.failure_log.splitlines()[-LOG_LINES:]
    return ["".join(c if c.isprintable() or c == "\t" else "?" for c in line) for line in lines]


def _print_left_out(left_out: Iterable[LeftOut], console: Console) -> None:
    reasons = by_reason((item.id, item.reason) for item in left_out)
    if not reasons:
        return
    console.print("Left out", style="bold")
    for reason, ids in reasons.items():
        console.print(f"{_some(ids)}: {reason}", style="dim", markup=False)
    console.print()


def _some(ids: list[str], shown: int = 3) -> str:
    return ", ".join(ids) if len(ids) <= shown else f"{', '.join(ids[:shown])} and {len(ids) - shown} more"


def _print_reports(console: Console, report_dir: Path) -> None:
    from layermatrix.report import registry

    first, *others = (exporter.pattern for exporter in registry.EXPORTERS)
    console.print(f"Reports: {report_dir / first}; {', '.join(others)}", markup=False, soft_wrap=True)
