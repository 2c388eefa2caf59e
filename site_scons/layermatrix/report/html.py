"""The result record as one page, index.html: no script, nothing loaded from elsewhere.

Reads a result record and `report.html.j2` beside this file; returns HTML text. The template escapes whatever
comes from a record (logs, names, reasons); only pictures and charts made here are let through as they are.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from layermatrix.analysis import comparison, reported
from layermatrix.analysis.results import failed, failure_log, repeat_command
from layermatrix.report import charts, explain, exporter, picture
from layermatrix.report import table as tables

if TYPE_CHECKING:
    from jinja2 import Environment

    from layermatrix.analysis.layer_path import LayerPath

Record = dict[str, Any]

TEMPLATE = "report.html.j2"
TABLES = (tables.code_table, tables.run_table, tables.text_table)
AGREES = {True: "agrees", False: "does not agree", None: "not decided"}


def render(results: Record) -> str:
    """The text of index.html."""
    page: str = environment().get_template(TEMPLATE).render(**_view(results))
    return page + "\n"


def environment() -> Environment:
    """The templates beside this file; what they print is escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _view(results: Record) -> Record:
    """Everything that the template prints, ready to print."""
    return {
        "results": results,
        "title": f"{results['system']['name'] or 'layermatrix'}: what each variant is, and how it runs",
        "tables": [_table(make(results)) for make in TABLES],
        "counts_tables": [_table(table) for table in tables.counts_tables(results)],
        "comparisons": [_comparison(found) for found in _comparisons(results)],
        "no_comparison": results["experiments"].get("reason"),
        "peers_table": _table(tables.peers_table(results["peers"])) if "loads" in results["peers"] else None,
        "cells_table": _table(tables.matrix_table(results)),
        "charts": [_chart(chart) for chart in charts.of_results(results)],
        "steps": [_step(step) for step in results["story"]["steps"]],
        "standings": [_standing(item) for item in results["story"]["standings"] if item["verdict"]],
        "cards": list(_cards(results)),
        "variants": [_variant(results, name, about) for name, about in results["variants"].items()],
        "failures": [cell for cell in results["cells"] if failed(cell)],
        "failed": failed,
        "log": failure_log,
        "repeat": repeat_command,
        "left_out": explain.by_reason((item["id"], item["reason"]) for item in results["left_out"]),
        "seed_note": tables.SEED_NOTE,
        "several": len({step["config"] for step in results["story"]["steps"]}) > 1,
        "methods": list(_methods(results)),
    }


def _table(table: tables.Table) -> Record:
    reasons = table.reasons()
    return {
        "title": table.title,
        "columns": table.columns,
        "rows": table.rows,
        "number": {reason: index for index, reason in enumerate(reasons, 1)},
        "reasons": reasons,
        "notes": table.notes,
        "quotes_seed": table.quotes_seed,
    }


def _comparisons(results: Record) -> Iterable[Record]:
    return list(results["experiments"].get("comparisons", {}).values())


def _comparison(found: Record) -> Record:
    verdict = found["verdict"]
    return {
        **found,
        "table": _table(tables.comparison_table(found)),
        "conclusions": comparison.conclusions(found),
        "mark": None if verdict is None else verdict["agrees"],
        "winner": verdict and (verdict["winner"] or "no winner"),
    }


def _chart(chart: charts.Chart) -> Record:
    from markupsafe import Markup

    # Markup: charts.draw has escaped every text that it was given.
    return {
        "title": chart.title,
        "unit": chart.unit,
        "svg": Markup(charts.draw(chart)),
        "legend": charts.legend(chart),
    }


def _step(step: Record) -> Record:
    projected = step["projected"]
    told = "no change" if step["expected"] == "level" else step["expected"]
    return {
        **step,
        "told": told + (f", {reported.span(projected)}" if projected else ""),
        "found": step["reason"] if step["measured"] is None else _found(step),
        "verdict": AGREES[step["agrees"]],
        "extent": step["extent"] if step["agrees"] else None,
    }


def _found(step: Record) -> str:
    factor = "" if step["ratio"] is None else f", {step['ratio']:.2f}x"
    return f"{step['measured']}{factor}"


def _standing(item: Record) -> Record:
    return {
        **item,
        "agrees": item["verdict"] != "worse than told",
        "told": f"{item['expected']}, {reported.span(item['projected'])}",
        "found": f"{item['measured']}, {item['ratio']:.2f}x",
    }


def _variant(results: Record, name: str, about: LayerPath) -> Record:
    from markupsafe import Markup

    return {
        "name": name,
        "about": about,
        "svg": Markup(picture.draw(about)),  # picture.draw has escaped every text that it was given
        "overlaps": [
            (explain.runs(group.classes, about.order), ", ".join(group.layers)) for group in about.overlaps
        ],
        "cells": [_cell(cell) for cell in results["cells"] if cell["variant"] == name],
    }


def _cell(cell: Record) -> Record:
    return {
        "record": cell,
        "verdict": tables.verdict(cell),
        "asm": _asm_rows(cell["asm"]),
        "loads": list(cell["bench"].get("loads", {}).items()),
        "counted": list(cell["counters"].get("loads", {}).items()),
        "compared": cell["reference"].get("loads", {}),
        "hardware": cell["counters"].get("hardware"),
        "programs": [(kind, cell[kind], tables.passed(cell[kind])) for kind in ("tests", "programs")],
    }


def _asm_rows(asm: Record) -> list[tuple[str, list[str]]]:
    """(what was counted, its figure for each entry); the keys that say nothing in numbers are left out."""
    entries = asm.get("entries", {})
    keys = dict.fromkeys(
        key for entry in entries.values() for key, value in entry.items() if isinstance(value, int)
    )
    return [
        (key.replace("_", " "), [_number(entry.get(key)) for entry in entries.values()])
        for key in keys
    ]  # fmt: skip


def _number(value: float | None) -> str:
    return "not measured" if value is None else tables.number(value)


def _cards(results: Record) -> Iterable[Record]:
    """The few figures that a reader wants first."""
    cells = results["cells"]
    verdicts = [tables.verdict(cell).kind for cell in cells]
    good = verdicts.count(tables.GOOD)
    yield {"figure": f"{good} of {len(cells)}", "words": "cells passed", "good": good == len(cells)}
    told = [cell for cell in cells if reported.is_told(cell)]
    yield from _fastest(results, told)
    yield from _shortest(results, told)
    agrees = results["story"]["agrees"]
    words = {True: "as told or better", False: "not as told", None: "not decided"}[agrees]
    yield {"figure": words, "words": "the seed's story, as measured here", "good": agrees is True}


def _fastest(results: Record, cells: list[Record]) -> Iterable[Record]:
    load = results["headline"]
    found = [
        (cell["bench"]["loads"][load]["ratio"]["median"], cell["id"])
        for cell in cells
        if cell["bench"].get("loads", {}).get(load, {}).get("ratio")
    ]
    if found:
        ratio, cell_id = max(found)
        words = f"the {results['baseline']['name']}'s speed on {load}: {cell_id}, the fastest cell"
        yield {"figure": f"{ratio:.2f}x", "words": words, "good": ratio >= 1.0}


def _shortest(results: Record, cells: list[Record]) -> Iterable[Record]:
    names = tables.entries(results)
    counts = [
        cell["asm"]["entries"][names[0]]["instructions"]
        for cell in cells
        if names and names[0] in cell["asm"].get("entries", {})
    ]
    if counts:
        words = f"instructions of {names[0]}, longest and shortest"
        yield {"figure": f"{max(counts):,} → {min(counts):,}", "words": words, "good": True}


def _methods(results: Record) -> Iterable[tuple[str, str]]:
    """(figure, how it was taken), in the words of the columns and of the evidence itself."""
    seen: set[str] = set()
    for table in (*(make(results) for make in TABLES), *tables.counts_tables(results)):
        for column in table.columns:
            if column.method and column.method not in seen:
                seen.add(column.method)
                yield f"{column.head}, {column.unit}", column.method
    counted = next((cell["counters"] for cell in results["cells"] if cell["counters"].get("tool")), None)
    if counted:
        conditions = ", ".join(counted.get("conditions", ()))
        words = "; the cache is a model, so the counts repeat on any machine"
        yield "counters", counted["tool"] + words + (f" ({conditions})" if conditions else "")
    yield from results["loads"].items()


EXPORTER = exporter.single("index.html", render)
