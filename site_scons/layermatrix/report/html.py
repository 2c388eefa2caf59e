"""Print the results as one page, index.html, without scripts or external files.

Reads results and `report.html.j2` in this folder; returns HTML text. The template escapes all text from the
results (logs, names, reasons). Only pictures and charts that this program draws are inserted unescaped. The
page is an overview; each cell has its own page with everything that is known about it.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from layermatrix.analysis import comparison, figures
from layermatrix.analysis.comparison import Comparison
from layermatrix.analysis.figures import Interval
from layermatrix.analysis.results import CellResult, Results
from layermatrix.analysis.story import Against, Direction, Step
from layermatrix.core import templates
from layermatrix.core.command import scons
from layermatrix.core.records import NotMeasured
from layermatrix.evidence import counters, registry
from layermatrix.evidence.columns import Figure, FigureKind, Table, not_measured
from layermatrix.report import charts, explain, exporter, layer_drawing, peer_tables, tables

if TYPE_CHECKING:
    from jinja2 import Environment

    from layermatrix.analysis.layer_path import LayerPath

View = dict[str, Any]  # what a template prints

TEMPLATE = "report.html.j2"
TABLES = (tables.code_table, tables.run_table, tables.text_table)
AGREES = {True: "agrees", False: "does not agree", None: "not decided"}


def render(results: Results) -> str:
    """The text of index.html."""
    return environment().get_template(TEMPLATE).render(**_view(results))


def environment() -> Environment:
    """The templates in this folder. Their output is escaped."""
    return templates.environment(Path(__file__).parent, autoescape=True)


def _view(results: Results) -> View:
    """Everything that the template prints, in its printed form."""
    peers = results.peers
    return {
        "results": results,
        "title": f"{results.system.name}: the code and the speed of each variant",
        "tables": [_table(make(results)) for make in TABLES],
        "counts_tables": [_table(table) for table in tables.counts_tables(results)],
        "comparisons": [_comparison(found, results.view.work) for found in results.comparisons],
        "no_comparison": _reason(results.experiments),
        "peers_tables": [_table(table) for table in peer_tables.all_tables(peers)],
        "peers_command": scons("peers"),
        "no_peers": _reason(peers),
        "cells_table": _table(tables.matrix_table(results)),
        "charts": [_chart(chart) for chart in charts.of_results(results)],
        "steps": [_step(step) for step in results.story.steps],
        "standings": [_standing(item) for item in results.story.standings if item.verdict],
        "cards": list(_cards(results)),
        "variants": [_variant(results, name, about) for name, about in results.variants.items()],
        "left_out": explain.by_reason((item.id, item.reason) for item in results.left_out),
        "reported_note": tables.REPORTED_NOTE,
        "several": len({step.config for step in results.story.steps}) > 1,
        "methods": list(_methods(results)),
    }


def _reason(found: object) -> str | None:
    return found.reason if isinstance(found, NotMeasured) else None


def _table(table: Table) -> View:
    reasons = table.reasons()
    return {
        "title": table.title,
        "headings": table.headings,
        "rows": table.rows,
        "number": {reason: index for index, reason in enumerate(reasons, 1)},
        "reasons": reasons,
        "notes": table.notes,
        "has_reported": table.has_reported,
    }


def _comparison(found: Comparison, work: str) -> View:
    verdict = found.verdict
    return {
        "found": found,
        "table": _table(tables.comparison_table(found, work)),
        "conclusions": comparison.conclusions(found),
        "mark": None if verdict is None else verdict.agrees,
        "winner": verdict and (verdict.winner or "no winner"),
    }


def _chart(chart: charts.Chart) -> View:
    from markupsafe import Markup

    # Markup: charts.draw has escaped all its texts.
    return {
        "title": chart.title,
        "unit": chart.unit,
        "svg": Markup(charts.draw(chart)),
        "legend": charts.legend(chart),
    }


def _step(step: Step) -> View:
    expected = "no change" if step.expected is Direction.SAME else step.expected.value
    measured = step.reason if step.measured is None else step.measured.value + _factor(step.ratio)
    return {
        "step": step,
        "reported": expected + (f", {step.projected}" if step.projected else ""),
        "found": measured,
        "verdict": AGREES[step.agrees],
        "extent": step.extent.value if step.agrees and step.extent else None,
    }


def _factor(ratio: float | None) -> str:
    return "" if ratio is None else f", {ratio:.2f}x"


def _standing(item: Against) -> View:
    expected, measured = (one.value if one else "" for one in (item.expected, item.measured))
    return {
        "item": item,
        "reported": f"{expected}, {item.projected}",
        "found": measured + _factor(item.ratio),
        "verdict": item.verdict.value if item.verdict else "",
    }


def _variant(results: Results, name: str, about: LayerPath) -> View:
    from markupsafe import Markup

    return {
        "name": name,
        "about": about,
        "svg": Markup(layer_drawing.draw(about)),  # layer_drawing.draw has escaped all its texts
        "overlaps": [
            (explain.runs(group.keys, about.keys), ", ".join(group.layers)) for group in about.overlaps
        ],
        "cells": [_cell(results, cell) for cell in results.cells if cell.variant == name],
    }


def _cell(results: Results, cell: CellResult) -> View:
    return {
        "record": cell,
        "verdict": tables.verdict(cell),
        "kinds": [(kind.title, list(_figures(results, cell, kind))) for kind in registry.KINDS],
        "checks": cell.checks,
    }


def _figures(results: Results, cell: CellResult, kind: Any) -> Iterable[tuple[str, Figure]]:
    """The evidence of one kind about a cell, each figure under its heading, or the reason why there is
    none."""
    record = cell.of(kind)
    if isinstance(record, NotMeasured):
        yield "", not_measured(record.reason)
        return
    for column in kind.columns([record], results.view):
        yield f"{column.heading.head}, {column.heading.unit}", column.figure(record)


def _cards(results: Results) -> Iterable[View]:
    """The most important figures for a reader."""
    verdicts = [tables.verdict(cell).kind for cell in results.cells]
    good = verdicts.count(FigureKind.GOOD)
    count = len(results.cells)
    yield {"figure": f"{good} of {count}", "words": "cells passed", "good": good == count}
    shipped = [cell for cell in results.cells if cell.is_shipped]
    yield from _fastest(results, shipped)
    yield from _shortest(results, shipped)
    agrees = results.story.agrees
    words = {True: "as reported or better", False: "not as reported", None: "not decided"}[agrees]
    yield {
        "figure": words,
        "words": "the measured figures, compared with the reported ones",
        "good": agrees is True,
    }


def _fastest(results: Results, cells: list[CellResult]) -> Iterable[View]:
    load = results.headline
    ratios = [(figures.speed_ratio(cell, load), cell.id) for cell in cells]
    found = [(ratio.middle, cell_id) for ratio, cell_id in ratios if isinstance(ratio, Interval)]
    if found:
        ratio, cell_id = max(found)
        words = f"the speed of the {results.baseline.name} on {load}: {cell_id}, the fastest cell"
        yield {"figure": f"{ratio:.2f}x", "words": words, "good": ratio >= 1.0}


def _shortest(results: Results, cells: list[CellResult]) -> Iterable[View]:
    found = [figures.entry_instructions(cell) for cell in cells]
    counts = [value.middle for value in found if isinstance(value, Interval)]
    if counts:
        words = f"instructions of {tables.entries(results)[0]}, longest and shortest"
        yield {"figure": f"{max(counts):,.0f} → {min(counts):,.0f}", "words": words, "good": True}


def _methods(results: Results) -> Iterable[tuple[str, str]]:
    """(figure, how it was measured), in the terms of the headings and of the evidence itself."""
    seen: set[str] = set()
    for table in (*(make(results) for make in TABLES), *tables.counts_tables(results)):
        for heading in table.headings:
            if heading.method and heading.method not in seen:
                seen.add(heading.method)
                yield f"{heading.head}, {heading.unit}", heading.method
    records = (cell.of(counters.KIND) for cell in results.cells)
    counted = next((record for record in records if not isinstance(record, NotMeasured)), None)
    if counted:
        conditions = f" ({', '.join(counted.conditions)})" if counted.conditions else ""
        repeats = "the cache is a model, so the counts repeat on any machine"
        yield "counters", f"{counted.tool}; {repeats}{conditions}"
    yield from results.loads.items()


EXPORTER = exporter.single("index.html", render)
