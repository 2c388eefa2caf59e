"""The results as results.md: the tables for a README and for the log of a CI run.

Reads results; returns Markdown text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from layermatrix.analysis import comparison
from layermatrix.analysis.results import Results
from layermatrix.evidence.columns import Figure, FigureKind, Heading, Table
from layermatrix.report import answer, exporter, peer_tables, tables


def render(results: Results) -> str:
    """The text of results.md."""
    several = len({cell.variant for cell in results.cells}) < len(results.cells)
    chosen = [tables.code_table(results), *tables.run_tables(results), *tables.counts_tables(results)]
    chosen.append(tables.text_table(results))
    hosts = tables.hosts_table(results)
    blocks = [
        "# Results",
        *map(escape, answer.sentences(results)),
        *map(phase_table, [*chosen, *(tables.matrix_tables(results) if several else [])]),
    ]
    blocks += [
        _story(results),
        *_experiments(results),
        *map(phase_table, peer_tables.all_tables(results.peers)),
        _failures(results),
        _left_out(results),
        phase_table(hosts) if hosts else "",
        host(results),
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def phase_table(table: Table, level: int = 2) -> str:
    """One table with its title, a heading of this level, and its notes."""
    return f"{'#' * level} {escape(table.title)}\n\n{rows(table)}"


def rows(table: Table) -> str:
    """One table with its notes."""
    heads = [_head(heading) for heading in table.headings]
    rule = [":--" if index == 0 else "--:" for index in range(len(heads))]
    reasons = table.reasons()
    fields = [[_figure(figure, reasons) for figure in row] for row in table.rows]
    lines = [_line(row) for row in (heads, rule, *fields)]
    return "\n".join([*lines, *_notes(table, reasons)])


def _head(heading: Heading) -> str:
    return f"{escape(heading.head)}<br>{escape(heading.unit)}".removesuffix("<br>")


def _notes(table: Table, reasons: list[str]) -> Iterable[str]:
    notes = [f"[{index}] not measured: {escape(reason)}" for index, reason in enumerate(reasons, 1)]
    notes[:0] = map(escape, table.notes)
    if table.has_reported:
        notes.insert(0, f"*Italic*: {tables.REPORTED_NOTE}.")
    for note in notes:
        yield ""
        yield note


def _line(fields: Iterable[str]) -> str:
    return f"| {' | '.join(fields)} |"


def _figure(figure: Figure, reasons: list[str]) -> str:
    if figure.kind is FigureKind.MISSING:
        return f"not measured [{reasons.index(figure.reason) + 1}]"
    text = escape(figure.text)
    if figure.kind is FigureKind.REPORTED:
        text = f"*{text}*"
    elif figure.kind in (FigureKind.NAME, FigureKind.BAD) and text:
        text = f"**{text}**"
    return f"{text}<br>{escape(figure.note)}" if figure.note else text


def escape(text: str) -> str:
    """One line in which nothing is markup, and a pipe does not end the field."""
    return re.sub(r"([\\`*_{}<>|\[\]~])", r"\\\1", " ".join(text.split()))


def _story(results: Results) -> str:
    sentences = [f"- {escape(sentence)}" for sentence in results.story.sentences]
    return "\n".join(["## Reported and measured", "", *sentences]) if sentences else ""


def _experiments(results: Results) -> Iterable[str]:
    for found in results.comparisons:
        yield phase_table(tables.comparison_table(found, results.view.work))
        lines = [f"- {escape(line)}" for line in comparison.conclusions(found)]
        if found.stale:
            lines.append(f"- Rebuilt since this was measured: {escape(', '.join(found.stale))}")
        yield "\n".join(lines)


def _failures(results: Results) -> str:
    lines = [
        f"- **{escape(cell.id)}**: {escape(cell.failed)}. Repeat: `{cell.repeat}`"
        for cell in results.cells
        if cell.failed
    ]
    return "\n".join(["## Failed", "", *lines]) if lines else ""


def _left_out(results: Results) -> str:
    lines = [f"- {escape(item.id)}: {escape(item.reason)}" for item in results.left_out]
    return "\n".join(["## Left out", "", *lines]) if lines else ""


def host(results: Results) -> str:
    """The machine, and what each load does."""
    machine = results.host
    cpu, compilers = f"{machine.cpu}, {machine.cores} cores", machine.compilers.values()
    about = [cpu, machine.kernel, machine.libc, *compilers]
    lines = [f"- {escape(name)}: {escape(load)}" for name, load in results.loads.items()]
    return "\n".join(["## How it was measured", "", f"Measured on: {escape('; '.join(about))}.", "", *lines])


EXPORTER = exporter.single("results.md", render)
