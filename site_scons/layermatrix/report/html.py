"""Print the results as one page, index.html, which needs no other file and no network.

Reads results and `report.html.j2` in this folder; returns HTML text. The template escapes all text from the
results (logs, names, reasons). Only pictures and charts, whose texts are escaped where they are drawn, are
inserted unescaped. Every figure stands in a table or a chart without a script. With the page's script, tables
can be sorted and filtered, and charts show exact figures. The page is an overview; each cell has its own page
with everything that is known about it.
"""

from __future__ import annotations

import functools
import itertools
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from layermatrix.analysis import comparison, figures, host_groups
from layermatrix.analysis.comparison import Comparison
from layermatrix.analysis.figures import Interval
from layermatrix.analysis.results import NO_PEERS, CellResult, Results
from layermatrix.analysis.story import Against, Direction, Step
from layermatrix.core import templates
from layermatrix.core.command import scons
from layermatrix.core.records import NotMeasured
from layermatrix.evidence import conditions, counters, registry
from layermatrix.evidence.columns import Figure, FigureKind, Table, not_measured, several
from layermatrix.evidence.kind import Status
from layermatrix.report import (
    answer,
    budgets,
    explain,
    history_tables,
    layer_drawing,
    peer_figures,
    peer_tables,
    tables,
    usage_tables,
)
from layermatrix.report.charts import heat, scaling, standing, variants, vega
from layermatrix.report.charts import history as history_chart
from layermatrix.report.charts.chart import Chart, of_run
from layermatrix.report.exporter import Exporter
from layermatrix.report.history import Series
from layermatrix.report.peer_figures import Field, Units

if TYPE_CHECKING:
    from jinja2 import Environment

    from layermatrix.analysis.layer_path import LayerPath
    from layermatrix.measure.peer_results import PeerResults

View = dict[str, Any]  # what a template prints

NAME = "index.html"
TEMPLATE = "report.html.j2"
SCRIPT = Path(__file__).with_name("report.js")
KEPT = "charts"  # the folder of rendered charts, beside that of the reports
DRAWN = ("speed", "peak")  # maps
FEW_CELLS = (
    16  # of more cells, only those that failed have their evidence on the page; each has a page of its own
)
MANY_EMPTY = 3  # rows without any figure, which are then listed below their table
FEW_ROWS, MANY_COLUMNS = 8, 7  # a table with fewer rows and more columns than these is turned
TABLES = (lambda results: [tables.code_table(results)], tables.run_tables)
AGREES = {True: "agrees", False: "does not agree", None: "not decided"}
TERMS = (
    "A variant is one choice of the code's layers. A cell is a variant that is built in one way: its mode,"
    " compiler, sanitizer and target. A load is a benchmark program with its arguments."
)
CONTENTS = {
    "peers": "Beside other libraries", "story": "Reported and measured", "tables": "Code and counters",
    "experiments": "Experiments", "history": "History", "paths": "Layer paths", "budgets": "Budgets",
    "cells": "Evidence by cell", "method": "Method and machine",
}  # fmt: skip
UNITS = {
    Units.BEST: "relative to the best other", Units.BASE: "relative to the {}", Units.ABSOLUTE: "as measured",
}  # fmt: skip


def render(results: Results, kept: Path | None = None) -> str:
    """The text of index.html. kept: the folder in which rendered charts are kept."""
    page = _Page(results, kept)
    text = environment().get_template(TEMPLATE).render(**page.view())
    if kept:
        vega.forget_others(kept, page.charts)
    return text


@functools.cache  # it remembers the templates: a report has a page for each cell
def environment() -> Environment:
    """The templates in this folder. Their output is escaped."""
    return templates.environment(Path(__file__).parent, autoescape=True)


@dataclass(frozen=True)
class PageExporter(Exporter):
    """Writes the page. Its charts are kept in a folder of the build, because rendering takes a second."""

    def files(self, results: Results, folder: Path) -> Mapping[str, str]:
        return {NAME: render(results, folder.parent / KEPT)}


class _Page:
    """The page's view. It remembers the charts, whose specs stand at the end of the page."""

    def __init__(self, results: Results, kept: Path | None) -> None:
        self.results = results
        self.kept = kept
        self.charts: list[Chart] = []
        self.specs: dict[str, str] = {}
        self.variants = {cell.id: cell.variant for cell in results.cells}
        self.variants |= {cell.variant: cell.variant for cell in results.cells}

    def view(self) -> View:
        """Everything that the template prints, in its printed form."""
        from markupsafe import Markup

        results = self.results
        peers = None if isinstance(results.peers, NotMeasured) else self._peers(results.peers)
        view = {
            "results": results,
            "title": f"{results.system.name}: how fast each variant is, and what it costs",
            "contents": _contents(results).items(),
            "has_peers": results.peers != NO_PEERS,
            "has_reported": answer.has_reported(results),
            "answer": answer.sentences(results),
            "marks": [words.removeprefix(conditions.PREFIX) for words in answer.marks(results)],
            "terms": TERMS,
            "cards": list(_cards(results)),
            "peers": peers,
            "no_peers": _reason(results.peers),
            "shades": _shades(),
            "charts": [self._chart(one) for one in variants.charts(host_groups.main(results))],
            **self._story(),
            "tables": [self._table(one) for make in TABLES for one in make(results)],
            "counts_tables": [self._table(table) for table in tables.counts_tables(results)],
            "usage_tables": [self._table(table) for table in usage_tables.of_cells(results)],
            "text_table": self._table(tables.text_table(results)),
            "comparisons": [self._comparison(found) for found in results.comparisons],
            "no_comparison": _reason(results.experiments),
            "history": self._history(),
            "variants": [_variant(results, name, about) for name, about in results.variants.items()],
            "budgets": self._budgets(),
            "cells_tables": [self._table(one) for one in tables.matrix_tables(results)],
            "hosts": self._hosts(),
            "links": {cell.id: f"cells/{cell.id}.html" for cell in results.cells},
            "left_out": explain.by_reason((item.id, item.reason) for item in results.left_out),
            "reported_note": tables.REPORTED_NOTE,
            "methods": list(_methods(results)),
        }
        script = SCRIPT.read_text(encoding="utf-8")
        return {**view, **self._scripts(), "script": Markup(script)}  # a file of this program

    def _scripts(self) -> View:
        """The specs of the charts, and Vega. A page without charts needs neither."""
        from markupsafe import Markup

        if not self.charts:
            return {"specs": None, "vega": None}
        specs = ",\n".join(f"{json.dumps(key)}:{spec}" for key, spec in self.specs.items())
        # "<" as an escape: nothing in a text can end the script element
        return {
            "specs": Markup(f"{{{specs}}}".replace("<", "\\u003c")), "vega": Markup(vega.bundle(self.kept)),
        }  # fmt: skip

    # --- parts

    def _peers(self, found: PeerResults) -> View:
        fields = peer_figures.fields(found)
        made = [*standing.charts(found), *scaling.charts(found)]
        means = [one for one in made if one.key == standing.MEANS]
        rest = [one for one in made if one not in means]
        return {
            "units": [(units.value, words.format(found.baseline)) for units, words in UNITS.items()],
            "groups": peer_figures.groups_of(found),
            "names": peer_figures.names_of(found),
            "summary": self._table(peer_tables.summary_table(found), sortable=False),
            "charts": {
                "means": [self._chart(one) for one in means],
                "other": [self._chart(one) for one in rest],
            },
            "closed": [one.key for one in rest if one.key.startswith(standing.LOADS)],
            "maps": [self._map(field, found) for field in fields],
            "loads": self._table(peer_tables.loads_table(found), sortable=False),
            "usage": [
                self._table(table, f"peers-{_key(table.title)}") for table in usage_tables.of_peers(found)
            ],
            "command": scons("peers"),
        }

    def _map(self, field: Field, found: PeerResults) -> View:
        """A map as a table, and as a chart if its figure is one of the two that are drawn: a map is large."""
        drawn = of_run(heat.chart(field), found.conditions) if field.key in DRAWN else None
        return {**_map(field), "chart": self._chart(drawn) if drawn else None}

    def _chart(self, one: Chart) -> View:
        from markupsafe import Markup

        rendered = vega.render(one, self.kept)
        self.charts.append(one)
        self.specs[one.key] = rendered.spec
        return {
            "key": one.key,
            "title": one.title,
            "about": one.about,
            "svg": Markup(rendered.svg),  # Vega escapes all its texts
            "legend": one.legend,
            "busy": [words.removeprefix(conditions.PREFIX) for words in one.busy],
            "without": one.without,
        }

    def _table(self, table: Table, key: str = "", *, sortable: bool = True) -> View:
        """sortable: whether each row stands for itself."""
        table, folded = _folded(table)
        reasons = table.reasons()
        few = len(table.rows) <= FEW_ROWS and len(table.headings) > MANY_COLUMNS
        return {
            "key": key or f"table-{_key(table.title)}",
            "title": table.title,
            "headings": table.headings,
            "rows": table.rows,
            "number": {reason: index for index, reason in enumerate(reasons, 1)},
            "reasons": reasons,
            "notes": table.notes,
            "folded": folded,
            "folded_words": f"{sum(map(len, folded.values()))} rows without any figure",
            "has_reported": table.has_reported,
            "repeated": _repeated([heading.head for heading in table.headings]),
            "turned": few,
            "sortable": sortable,
            "variants": self.variants,
        }

    def _story(self) -> View:
        story = self.results.story
        return {
            "steps": [_step(step) for step in story.steps],
            "standings": [_standing(item) for item in story.standings if item.verdict],
            "several": len({step.config for step in story.steps}) > 1,
        }

    def _comparison(self, found: Comparison) -> View:
        verdict = found.verdict
        table = tables.comparison_table(found, self.results.view.work)
        return {
            "found": found,
            "table": self._table(table, f"experiment-{_key(found.name)}"),
            "conclusions": comparison.conclusions(found),
            "mark": None if verdict is None else verdict.agrees,
            "winner": verdict and (verdict.winner or "no winner"),
        }

    def _history(self) -> View:
        found = self.results.history
        if isinstance(found, NotMeasured):
            return {"charts": [], "reason": found.reason}
        shown: dict[tuple[str, str], list[Series]] = {}
        for one in found:
            shown.setdefault((one.entry.figure, one.entry.load), []).append(history_tables.series_of(one))
        made = [
            {
                "chart": self._chart(history_chart.draw(series)),
                "table": self._table(history_tables.table(series)),
            }
            for series in shown.values()
        ]
        return {"charts": made, "reason": None}

    def _hosts(self) -> View:
        """The hosts that took the evidence, and which of them the charts are about."""
        table, found = tables.hosts_table(self.results), host_groups.groups(self.results)
        return {
            "table": self._table(table) if table else None,
            "charts": found[0].words if found else "",
        }

    def _budgets(self) -> View:
        table = budgets.table(self.results)
        return {"words": budgets.sentence(self.results), "table": self._table(table) if table.rows else None}


def _contents(results: Results) -> dict[str, str]:
    """The sections that this project has."""
    found = dict(CONTENTS)
    if results.peers == NO_PEERS:
        del found["peers"]
    if not answer.has_reported(results):
        found["story"] = "The variants"
    return found


def _folded(table: Table) -> tuple[Table, Mapping[str, Sequence[str]]]:
    """The table without its rows that have no figure, and their names by the reason; unless they are few, or
    no other row is left."""
    empty = [row for row in table.rows if _is_empty(row)]
    if len(empty) < MANY_EMPTY or len(empty) == len(table.rows):
        return table, {}
    reasons = [
        (row[0].text, "; ".join(dict.fromkeys(one.reason for one in row if one.kind is FigureKind.MISSING)))
        for row in empty
    ]
    return replace(table, rows=tuple(row for row in table.rows if row not in empty)), explain.by_reason(
        reasons
    )


def _is_empty(row: Sequence[Figure]) -> bool:
    """Whether a row has a name, and besides only reasons why there is no figure."""
    kinds = {one.kind for one in row[1:]}
    return FigureKind.MISSING in kinds and kinds <= {FigureKind.MISSING, FigureKind.NOT_APPLICABLE}


def _repeated(heads: Sequence[str]) -> set[str]:
    """The headings that stand several times in a table, so that their group has to be named, too."""
    return {head for head in heads if heads.count(head) > 1}


def _key(text: str) -> str:
    """An id for the page."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def _reason(found: object) -> str | None:
    return found.reason if isinstance(found, NotMeasured) else None


# --- maps


def _map(field: Field) -> View:
    return {
        "key": f"{field.key}-table",
        "title": field.title,
        "words": f"as measured: in {field.unit}",
        "names": field.names,
        "rows": [
            {
                "load": row.load,
                "group": row.group,
                "doc": row.doc,
                "cells": [_square(row, name) for name in field.names],
            }
            for row in field.rows
        ],
    }


def _square(row: peer_figures.Row, name: str) -> View:
    reading = row.readings[name]
    best, base = reading.shade(Units.BEST), reading.shade(Units.BASE)
    shades = (f"best-{best}" if best is not None else "", f"base-{base}" if base is not None else "")
    return {
        "shades": " ".join(filter(None, shades)),
        "title": reading.exact,
        "texts": {units.value: reading.text(units) for units in Units},
    }


def _shades() -> list[str]:
    """The meaning of each shade, as a share of the best."""
    limits = peer_figures.SHADES
    inner = (f"{low:g} to {high:g}" for low, high in itertools.pairwise(limits))
    return [f"below {limits[0]:g} of the best other", *inner, f"{limits[-1]:g} and more"]


# --- the story


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


# --- cells and variants


def _variant(results: Results, name: str, about: LayerPath) -> View:
    from markupsafe import Markup

    return {
        "name": name,
        "about": about,
        "svg": Markup(layer_drawing.draw(about)),  # layer_drawing.draw has escaped all its texts
        "overlaps": [
            (explain.runs(group.keys, about.keys), ", ".join(group.layers)) for group in about.overlaps
        ],
        "cells": [_cell(results, cell) for cell in _shown(results) if cell.variant == name],
    }


def _shown(results: Results) -> list[CellResult]:
    """The cells whose evidence is on the page."""
    few = len(results.cells) <= FEW_CELLS
    return [cell for cell in results.cells if few or cell.failed]


def _cell(results: Results, cell: CellResult) -> View:
    passed: dict[str, list[str]] = {}
    for found in cell.checks:
        if found.check.status is Status.PASSED:
            passed.setdefault(found.kind, []).append(found.check.name)
    return {
        "record": cell,
        "verdict": tables.verdict(cell),
        "kinds": [(kind.title, list(_figures(results, cell, kind))) for kind in registry.KINDS],
        "passed": passed,
        "count": sum(map(len, passed.values())),
        "others": [found for found in cell.checks if found.check.status is not Status.PASSED],
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


# --- cards


def _cards(results: Results) -> Iterable[View]:
    """The most important figures for a reader."""
    yield _passed(results)
    shipped = [cell for cell in results.cells if cell.is_shipped]
    yield from _fastest(results, _shipped_of_one_host(results))
    yield from _shortest(results, shipped)
    yield from _agreeing(results)


def _agreeing(results: Results) -> Iterable[View]:
    """How many of the reported effects were found, too."""
    good, decided = answer.agreeing(results)
    if decided and answer.has_reported(results):
        words = f"reported {'effect' if decided == 1 else 'effects'} found here, too, or a better one"
        yield {"figure": f"{good} of {decided}", "words": words, "good": good == decided}


def _passed(results: Results) -> View:
    """How many cells passed, of those that were tested."""
    verdicts = [tables.verdict(cell).kind for cell in results.cells]
    good, tested = verdicts.count(FigureKind.GOOD), len(verdicts) - verdicts.count(FigureKind.MISSING)
    idle = len(verdicts) - tested
    words = "builds (cells) passed their checks"
    if idle:
        words = f"tested {words}; {several(idle, 'other')} {'was' if idle == 1 else 'were'} not tested"
    return {"figure": f"{good} of {tested}", "words": words, "good": good == tested > 0}


def _shipped_of_one_host(results: Results) -> list[CellResult]:
    """The shipped cells whose timings compare."""
    return [cell for cell in host_groups.main(results).cells if cell.is_shipped]


def _fastest(results: Results, cells: Sequence[CellResult]) -> Iterable[View]:
    load = results.headline
    ratios = [(figures.speed_ratio(cell, load), cell.id) for cell in cells]
    found = [(ratio.middle, cell_id) for ratio, cell_id in ratios if isinstance(ratio, Interval)]
    if found:
        ratio, cell_id = max(found)
        words = f"the speed of the {results.baseline.name} on {load}: {cell_id}, the fastest cell"
        yield {"figure": f"{ratio:.2f}x", "words": words, "good": ratio >= 1.0}


def _shortest(results: Results, cells: Sequence[CellResult]) -> Iterable[View]:
    found = [figures.entry_instructions(cell) for cell in cells]
    counts = [value.middle for value in found if isinstance(value, Interval)]
    if counts:
        words = f"instructions of {tables.entries(results)[0]}, longest and shortest"
        yield {"figure": f"{max(counts):,.0f} → {min(counts):,.0f}", "words": words, "good": True}


# --- method


def _methods(results: Results) -> Iterable[tuple[str, str]]:
    """(figure, how it was measured), in the terms of the headings and of the evidence itself."""
    seen: set[str] = set()
    made = [table for make in TABLES for table in make(results)]
    made += [tables.text_table(results), *tables.counts_tables(results), *usage_tables.of_cells(results)]
    for table in made:
        for heading in table.headings:
            if heading.method and heading.method not in seen:
                seen.add(heading.method)
                yield f"{heading.head}, {heading.unit}", heading.method
    records = (cell.of(counters.KIND) for cell in results.cells)
    counted = next((record for record in records if not isinstance(record, NotMeasured)), None)
    if counted:
        how = f" ({', '.join(counted.conditions)})" if counted.conditions else ""
        repeats = "the cache is a model, so the counts repeat on every host of one kind"
        yield "counters", f"{counted.tool}; {repeats}{how}"
    yield from results.loads.items()


EXPORTER = PageExporter(NAME, lambda results: {NAME: render(results)})
