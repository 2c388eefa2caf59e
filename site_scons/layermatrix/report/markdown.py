"""The result record as results.md: the tables for a README and for the log of a CI run.

Reads a result record; returns Markdown text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from layermatrix.analysis import comparison
from layermatrix.analysis.results import failed, repeat_command
from layermatrix.report import exporter
from layermatrix.report import table as tables

Record = dict[str, Any]


def render(results: Record) -> str:
    """The text of results.md."""
    several = len({cell["variant"] for cell in results["cells"]}) < len(results["cells"])
    chosen = [tables.code_table(results), tables.run_table(results), *tables.counts_tables(results)]
    chosen.append(tables.text_table(results))
    blocks = ["# Results", *map(phase_table, [*chosen, *([tables.matrix_table(results)] if several else [])])]
    blocks += [
        _story(results),
        *_experiments(results),
        *([phase_table(tables.peers_table(results["peers"]))] if "loads" in results["peers"] else []),
        _failures(results),
        _left_out(results),
        host(results),
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def phase_table(table: tables.Table, level: int = 2) -> str:
    """One table with its title, a heading of this level, and its notes."""
    return f"{'#' * level} {escape(table.title)}\n\n{rows(table)}"


def rows(table: tables.Table) -> str:
    """One table with its notes."""
    heads = [
        f"{escape(column.head)}<br>{escape(column.unit)}".removesuffix("<br>") for column in table.columns
    ]
    rule = [":--" if index == 0 else "--:" for index in range(len(heads))]
    reasons = table.reasons()
    fields = [[_figure(figure, reasons) for figure in row] for row in table.rows]
    lines = [_line(row) for row in (heads, rule, *fields)]
    return "\n".join([*lines, *_notes(table, reasons)])


def _notes(table: tables.Table, reasons: list[str]) -> Iterable[str]:
    notes = [f"[{index}] not measured: {escape(reason)}" for index, reason in enumerate(reasons, 1)]
    notes[:0] = map(escape, table.notes)
    if table.quotes_seed:
        notes.insert(0, f"*Italic*: {tables.SEED_NOTE}.")
    for note in notes:
        yield ""
        yield note


def _line(fields: Iterable[str]) -> str:
    return f"| {' | '.join(fields)} |"


def _figure(figure: tables.Figure, reasons: list[str]) -> str:
    if figure.kind == tables.MISSING:
        return f"not measured [{reasons.index(figure.reason) + 1}]"
    text = escape(figure.text)
    if figure.kind == tables.SEED:
        text = f"*{text}*"
    elif figure.kind in (tables.NAME, tables.BAD) and text:
        text = f"**{text}**"
    return f"{text}<br>{escape(figure.note)}" if figure.note else text


def escape(text: str) -> str:
    """One line in which nothing is markup, and a pipe does not end the field."""
    return re.sub(r"([\\`*_{}<>|\[\]~])", r"\\\1", " ".join(text.split()))


def _story(results: Record) -> str:
    sentences = [f"- {escape(sentence)}" for sentence in results["story"]["sentences"]]
    return "\n".join(["## The seed's story", "", *sentences]) if sentences else ""


def _experiments(results: Record) -> Iterable[str]:
    for found in results["experiments"].get("comparisons", {}).values():
        yield phase_table(tables.comparison_table(found))
        lines = [f"- {escape(line)}" for line in comparison.conclusions(found)]
        if found.get("stale"):
            lines.append(f"- Built anew since this was measured: {escape(', '.join(found['stale']))}")
        yield "\n".join(lines)


def _failures(results: Record) -> str:
    bad = [(cell, reason) for cell in results["cells"] if (reason := failed(cell))]
    lines = [
        f"- **{escape(cell['id'])}**: {escape(reason)}. Repeat: `{repeat_command(cell)}`"
        for cell, reason in bad
    ]
    return "\n".join(["## Failed", "", *lines]) if lines else ""


def _left_out(results: Record) -> str:
    lines = [f"- {escape(item['id'])}: {escape(item['reason'])}" for item in results["left_out"]]
    return "\n".join(["## Left out", "", *lines]) if lines else ""


def host(results: Record) -> str:
    machine = results["host"]
    about = [
        f"{machine['cpu']}, {machine['cores']} cores",
        machine["kernel"],
        machine["libc"],
        *machine["compilers"].values(),
    ]
    lines = [f"Measured on: {escape('; '.join(about))}."]
    for name, load in results["loads"].items():
        lines.append(f"- {escape(name)}: {escape(load)}")
    return "\n".join(["## How it was measured", "", lines[0], "", *lines[1:]])


EXPORTER = exporter.single("results.md", render)
