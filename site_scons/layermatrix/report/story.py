"""Print the story as story.md: the reported and measured figures of each variant, and why they differ.

Reads results and `story.md.j2` in this folder; returns Markdown. Every figure comes from the results.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from layermatrix.analysis import comparison, deviations, figures, reported
from layermatrix.analysis.comparison import Comparison
from layermatrix.analysis.results import CellResult, Results
from layermatrix.analysis.story import Against, Deviation, Direction, Step
from layermatrix.core import templates
from layermatrix.core.command import scons
from layermatrix.core.records import NotMeasured
from layermatrix.evidence import code
from layermatrix.evidence.columns import number, state
from layermatrix.report import explain, exporter, markdown, tables

View = dict[str, Any]  # what the template prints

TEMPLATE = "story.md.j2"
SOURCE = "build/report/results.json"


def render(results: Results) -> str:
    """The text of story.md."""
    environment = templates.environment(Path(__file__).parent)
    return _tidy(environment.get_template(TEMPLATE).render(**_view(shipped(results))))


def shipped(results: Results) -> Results:
    """The results of only the cells in the story, which are those of the first compiler that has any."""
    found = [cell for cell in results.cells if cell.is_shipped]
    cells = _in_order([cell for cell in found if cell.compiler == found[0].compiler])
    names = {cell.variant for cell in cells}
    variants = {name: about for name, about in results.variants.items() if name in names}
    less = replace(results, cells=tuple(cells), variants=variants)
    return replace(less, story=reported.story_of(less))


def _in_order(cells: Sequence[CellResult]) -> list[CellResult]:
    """The variants in historical order: the largest family first, parents before children."""
    roots = [cell.lineage[0] for cell in cells]
    return sorted(cells, key=lambda cell: (-roots.count(cell.lineage[0]), cell.lineage))


def _tidy(text: str) -> str:
    """Collapse runs of blank lines into one, and end the text with one newline."""
    lines: list[str] = []
    for line in text.rstrip().split("\n"):
        if line.strip() or (lines and lines[-1]):
            lines.append(line.rstrip())
    return "\n".join(lines) + "\n"


def _view(results: Results) -> View:
    """Everything that the template prints, in its printed form."""
    escape, experiments = markdown.escape, results.experiments
    why = experiments.reason if isinstance(experiments, NotMeasured) else "no experiment was made"
    return {
        "title": f"The story of {escape(results.system.name)}",
        "command": scons("story", "--accept"),
        "source": SOURCE,
        "about": escape(results.system.doc),
        "host": escape(_host(results)),
        "work": escape(results.view.work),
        "sentences": [escape(line) for line in results.story.sentences],
        "tables": list(_tables(results)),
        "phases": [_phase(results, cell) for cell in results.cells],
        "deviations": [_deviation(item) for item in results.story.deviations],
        "experiments": [_experiment(found, results.view.work) for found in _comparisons(results)],
        "no_experiment": escape(why),
        "modules": _modules(results),
        "no_modules": escape(_why_no_modules(results)),
        "switches": list(switches(results)),
        "method": markdown.host(results),
    }


def _host(results: Results) -> str:
    host = results.host
    compilers = dict.fromkeys(cell.compiler for cell in results.cells)
    used = [host.compilers.get(name, name) for name in compilers]
    return ", ".join([host.cpu, f"{host.cores} cores", host.kernel, host.libc, *used])


def _tables(results: Results) -> Iterable[str]:
    for make in (tables.code_table, tables.text_table, tables.run_table):
        yield markdown.phase_table(make(results), level=3)


# --- one variant


def _phase(results: Results, cell: CellResult) -> View:
    own = [step for step in results.story.steps if step.child == cell.variant]
    standings = [item for item in results.story.standings if item.variant == cell.variant]
    return {
        "name": markdown.escape(cell.variant),
        "doc": markdown.escape(cell.doc),
        "changes": [markdown.escape(line) for line in _changes(results, cell)],
        "rows": [[markdown.escape(text) for text in _step_row(step)] for step in own],
        "standings": [markdown.escape(line) for line in _standings(results, standings)],
    }


def _changes(results: Results, cell: CellResult) -> Iterable[str]:
    """The variant's parts, and how it differs from its parent."""
    about = results.variants
    own = about[cell.variant]
    yield f"Layers: {', '.join(layer.title for layer in own.layers)}."
    for group in own.overlaps:
        yield f"{explain.runs(group.keys, own.keys)}: {', '.join(group.layers)} overlap."
    parents = [name for name in own.lineage if name in about and name != cell.variant]
    if not parents:
        return
    parent = about[parents[-1]]
    for words, before, after in (("Removed", parent, own), ("New", own, parent)):
        names = {layer.name for layer in after.layers}
        titles = [layer.title for layer in before.layers if layer.name not in names]
        if titles:
            yield f"{words} since {parents[-1]}: {', '.join(titles)}."
    changed = deviations.changed_settings(parent, own)
    if changed:
        yield f"Changed since {parents[-1]}: {changed}."


def _step_row(step: Step) -> list[str]:
    digits, suffix = reported.shown(step.measure)

    def value(of: float | None) -> str:
        return "not measured" if of is None else f"{number(of, digits)}{suffix}"

    expected = "no change" if step.expected is Direction.SAME else step.expected.value
    return [
        f"{step.title} (after {step.parent})",
        value(step.parent_value),
        value(step.child_value),
        _factor(step.ratio),
        str(step.projected) if step.projected else expected,
        _verdict(step),
    ]


def _verdict(step: Step) -> str:
    if step.reason:
        return f"not measured: {step.reason}"
    if step.agrees and step.extent:
        return step.extent.value
    as_expected = "as reported" if step.is_reported else "as expected"
    return {True: as_expected, False: f"NOT {as_expected}", None: "not decided"}[step.agrees]


def _factor(ratio: float | None) -> str:
    return "" if ratio is None else f"{number(ratio, 2)}x"


def _standings(results: Results, standings: Iterable[Against]) -> Iterable[str]:
    baseline = results.baseline.name
    for item in standings:
        if item.measured is None:
            continue
        line = f"On {item.load}: {item.measured.value}, {_factor(item.ratio)} the {baseline}"
        if item.projected and item.expected:
            line += f"; reported: {item.expected.value}, {item.projected}"
        yield f"{line}."


# --- differences from the report


def _deviation(item: Deviation) -> View:
    ratio = _factor(item.ratio) or "not measured"
    projected = str(item.projected) if item.projected else "a change in the other direction"
    return {
        "title": markdown.escape(f"{item.variant} against {item.against}: {item.figure}"),
        "text": markdown.escape(f"Reported: {projected}. Measured: {ratio}, {item.verdict}."),
        "why": [markdown.escape(reason) for reason in item.why],
        "before": markdown.escape(item.against),
        "after": markdown.escape(item.variant),
        "rows": [
            [markdown.escape(row.name), number(row.before, 3), number(row.after, 3), _factor(row.ratio)]
            for row in item.counters
        ],
    }


def _comparisons(results: Results) -> Sequence[Comparison]:
    """The experiments, followed by the effect of each layer."""
    return sorted(results.comparisons, key=lambda one: one.verdict is None)


def _experiment(found: Comparison, work: str) -> View:
    lines = comparison.conclusions(found)
    if found.stale:
        lines.append(f"Rebuilt since this was measured: {', '.join(found.stale)}.")
    return {
        "question": markdown.escape(found.question),
        "doc": markdown.escape(found.doc),
        "command": found.command,
        "lines": [markdown.escape(line) for line in lines],
        "table": markdown.rows(tables.comparison_table(found, work)),
    }


# --- modules and switches


def _modules(results: Results) -> list[list[str]]:
    records = (cell.of(code.KIND) for cell in results.cells)
    files = next((record.files for record in records if not isinstance(record, NotMeasured)), {})
    return [
        [f"`{name}`", number(about.lines), f"*{about.reported}*", _length(about)]
        for name, about in files.items()
    ]


def _length(about: code.Lines) -> str:
    """The number of a file's lines compared with the reported number."""
    expected = figures.reported_range(about.reported)
    if not expected:
        return ""
    if about.lines > expected[1]:
        return "more"
    return "fewer" if about.lines < expected[0] else "as reported"


def _why_no_modules(results: Results) -> str:
    records = (cell.of(code.KIND) for cell in results.cells)
    reasons = (record.reason for record in records if isinstance(record, NotMeasured))
    return next(reasons, "no file has a reported length")


def switches(results: Results) -> Iterable[View]:
    """The switches of each variant that has any, with their descriptions in the catalogue."""
    for name, about in results.variants.items():
        rows = [
            [f"`{layer.toggle.env}`", layer.title, state(layer.toggle.default), layer.doc]
            for layer in about.layers
            if layer.toggle
        ]
        rows += [
            [f"`{option.env}`", option.name, state(option.value), option.doc]
            for option in about.options
            if option.env
        ]
        if rows:
            escaped = [[row[0], *map(markdown.escape, row[1:])] for row in rows]
            yield {"name": markdown.escape(name), "rows": escaped}


EXPORTER = exporter.single("story.md", render)
