"""The story as story.md: what was told of each variant, what was measured, and why the two differ.

Reads a result record and `story.md.j2` beside this file; returns Markdown. Every figure is from the record.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from layermatrix.analysis import comparison, deviations, figures, reported
from layermatrix.report import explain, exporter, markdown
from layermatrix.report import table as tables

Record = dict[str, Any]

TEMPLATE = "story.md.j2"
COMMAND = "./sconsw story --accept"
SOURCE = "build/report/results.json"


def render(results: Record) -> str:
    """The text of story.md."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return _tidy(environment.get_template(TEMPLATE).render(**_view(told(results))))


def told(results: Record) -> Record:
    """The record of those cells alone that the story is about: of the first compiler that has any."""
    cells = [cell for cell in results["cells"] if reported.is_told(cell)]
    cells = _in_order([cell for cell in cells if cell["compiler"] == cells[0]["compiler"]])
    names = {cell["variant"] for cell in cells}
    less = {
        **results,
        "cells": cells,
        "variants": {name: about for name, about in results["variants"].items() if name in names},
    }
    return {**less, "story": reported.tell(less)}


def _in_order(cells: list[Record]) -> list[Record]:
    """The largest family first, parents before children: as the story went."""
    roots = [cell["lineage"][0] for cell in cells]
    return sorted(cells, key=lambda cell: (-roots.count(cell["lineage"][0]), cell["lineage"]))


def _tidy(text: str) -> str:
    """No two blank lines in a row, one newline at the end."""
    lines: list[str] = []
    for line in text.rstrip().split("\n"):
        if line.strip() or (lines and lines[-1]):
            lines.append(line.rstrip())
    return "\n".join(lines) + "\n"


def _view(results: Record) -> Record:
    """Everything that the template prints, ready to print."""
    escape, told_story = markdown.escape, results["story"]
    return {
        "title": f"The story of {escape(results['system']['name'] or 'these variants')}",
        "command": COMMAND,
        "source": SOURCE,
        "about": escape(results["system"]["doc"]),
        "host": escape(_host(results)),
        "sentences": [escape(line) for line in told_story["sentences"]],
        "tables": list(_tables(results)),
        "phases": [_phase(results, cell) for cell in results["cells"]],
        "wrong": [_wrong(item) for item in told_story["wrong"]],
        "experiments": [_experiment(found) for found in _asked(results)],
        "no_experiment": escape(results["experiments"].get("reason") or "no experiment was made"),
        "modules": _modules(results),
        "no_modules": escape(_why_no_modules(results)),
        "switches": list(switches(results)),
        "method": markdown.host(results),
    }


def _host(results: Record) -> str:
    host = results["host"]
    compilers = dict.fromkeys(cell["compiler"] for cell in results["cells"])
    used = [host["compilers"].get(name, name) for name in compilers]
    return ", ".join([f"{host['cpu']}", f"{host['cores']} cores", host["kernel"], host["libc"], *used])


def _tables(results: Record) -> Iterable[str]:
    for make in (tables.code_table, tables.text_table, tables.run_table):
        yield markdown.phase_table(make(results), level=3)


# --- one variant


def _phase(results: Record, cell: Record) -> Record:
    own = [step for step in results["story"]["steps"] if step["child"] == cell["variant"]]
    standings = [item for item in results["story"]["standings"] if item["variant"] == cell["variant"]]
    return {
        "name": markdown.escape(cell["variant"]),
        "doc": markdown.escape(cell["doc"]),
        "changes": [markdown.escape(line) for line in _changes(results, cell)],
        "rows": [[markdown.escape(text) for text in _step_row(step)] for step in own],
        "standings": [markdown.escape(line) for line in _standings(results, standings)],
    }


def _changes(results: Record, cell: Record) -> Iterable[str]:
    """What the variant consists of, and what it has otherwise than the one it comes from."""
    about = results["variants"]
    own = about[cell["variant"]]
    yield f"Layers: {', '.join(layer.title for layer in own['layers'])}."
    for group in own.overlaps:
        yield f"{explain.runs(group['classes'], order)}: {', '.join(group.layers)} overlap."
    parents = [name for name in own.lineage if name in about and name != cell["variant"]]
    if not parents:
        return
    parent = about[parents[-1]]
    for words, before, after in (("Gone", parent, own), ("New", own, parent)):
        names = {layer.name for layer in after.layers}
        titles = [layer.title for layer in before["layers"] if layer.name not in names]
        if titles:
            yield f"{words} since {parents[-1]}: {', '.join(titles)}."
    changed = deviations.changed_settings(parent, own)
    if changed:
        yield f"Changed since {parents[-1]}: {changed}."


def _step_row(step: Record) -> list[str]:
    digits, suffix = reported.shown(step["measure"])

    def value(of: float | None) -> str:
        return "not measured" if of is None else f"{tables.number(of, digits)}{suffix}"

    factor = "" if step["ratio"] is None else f"{tables.number(step['ratio'], 2)}x"
    verdict = {True: "as told", False: "NOT as told", None: "not decided"}[step["agrees"]]
    if step["agrees"] and step["extent"]:
        verdict = step["extent"]
    if step["reason"]:
        verdict = f"not measured: {step['reason']}"
    promised = "no change" if step["expected"] == "level" else step["expected"]
    if step["projected"]:
        promised = reported.span(step["projected"])
    return [
        f"{step['title']} (after {step['parent']})",
        value(step["parent_value"]),
        value(step["child_value"]),
        factor,
        promised,
        verdict,
    ]


def _standings(results: Record, standings: Iterable[Record]) -> Iterable[str]:
    baseline = results["baseline"]["name"]
    for item in standings:
        if item["ratio"] is None:
            continue
        line = f"On {item['load']}: {item['measured']}, {tables.number(item['ratio'], 2)}x the {baseline}"
        if item["projected"]:
            line += f"; told was {item['expected']}, {reported.span(item['projected'])}"
        yield f"{line}."


# --- what went otherwise


def _wrong(item: Record) -> Record:
    ratio = "not measured" if item["ratio"] is None else f"{tables.number(item['ratio'], 2)}x"
    projected = reported.span(item["projected"]) if item["projected"] else "a change in the other direction"
    return {
        "title": markdown.escape(f"{item['variant']} against {item['against']}: {item['figure']}"),
        "text": markdown.escape(f"Told: {projected}. Measured: {ratio}, {item['verdict']}."),
        "why": [markdown.escape(reason) for reason in item["why"]],
        "before": markdown.escape(item["against"]),
        "after": markdown.escape(item["variant"]),
        "rows": [
            [
                markdown.escape(row["name"]),
                tables.number(row["before"], 3),
                tables.number(row["after"], 3),
                "" if row["ratio"] is None else f"{tables.number(row['ratio'], 2)}x",
            ]
            for row in item["counters"]
        ],
    }


def _asked(results: Record) -> Iterable[Record]:
    """The experiments, and behind them what each layer brings."""
    found = results["experiments"].get("comparisons", {}).values()
    return sorted(found, key=lambda one: one["verdict"] is None)


def _experiment(found: Record) -> Record:
    lines = comparison.conclusions(found)
    if found.get("stale"):
        lines.append(f"Built anew since this was measured: {', '.join(found['stale'])}.")
    return {
        "question": markdown.escape(found["question"]),
        "doc": markdown.escape(found["doc"]),
        "command": found["command"],
        "lines": [markdown.escape(line) for line in lines],
        "table": markdown.rows(tables.comparison_table(found)),
    }


# --- modules and switches


def _modules(results: Record) -> list[list[str]]:
    counted = [cell["code"]["files"] for cell in results["cells"] if cell["code"].get("files")]
    files: Record = counted[0] if counted else {}
    rows = []
    for name, about in files.items():
        promised = figures.quoted_range(about["told"])
        verdict = ""
        if promised:
            verdict = (
                "more"
                if about["lines"] > promised[1]
                else "fewer"
                if about["lines"] < promised[0]
                else "as told"
            )
        rows.append([f"`{name}`", tables.number(about["lines"]), f"*{about['told']}*", verdict])
    return rows


def _why_no_modules(results: Record) -> str:
    return next(
        (cell["code"]["reason"] for cell in results["cells"] if cell["code"].get("reason")), "no file is told"
    )


def switches(results: Record) -> Iterable[Record]:
    """Of each variant that has any: its switches, with what is said about them in the catalogue."""
    for name, about in results["variants"].items():
        rows = [
            [f"`{layer.toggle['env']}`", layer.title, _state(layer.toggle.default), layer.doc]
            for layer in about.layers
            if layer.toggle
        ]
        rows += [
            [f"`{option.env}`", option.name, _state(option.value), option.doc]
            for option in about.options
            if option.env
        ]
        if rows:
            escaped = [[row[0], *map(markdown.escape, row[1:])] for row in rows]
            yield {"name": markdown.escape(name), "rows": escaped}


def _state(value: bool | int) -> str:
    return ("on" if value else "off") if isinstance(value, bool) else str(value)


EXPORTER = exporter.single("story.md", render)
