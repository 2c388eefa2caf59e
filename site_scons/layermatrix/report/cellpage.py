"""A page for each cell, cells/<cell>.html: its spec, the picture of its path, and all its evidence.

Reads results and `cell.html.j2` in this folder; returns HTML text. `record_blocks` lays out the records of
evidence without knowing their fields, so the page shows all of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from layermatrix.analysis.results import CellResult, Results
from layermatrix.core.records import NotMeasured, plain
from layermatrix.evidence import registry
from layermatrix.evidence.columns import FigureKind, state
from layermatrix.report import explain, html, layer_drawing, record_blocks, tables
from layermatrix.report.exporter import Exporter

if TYPE_CHECKING:
    from layermatrix.analysis.layer_path import LayerPath

TEMPLATE = "cell.html.j2"
FOLDER = "cells"
REFERENCE = ("reference", "Compared with the accepted cost", "the counters compared with the accepted ones")
LAYER_COSTS = ("layer_costs", "Layer costs", "what each layer did, what that cost, and the path without it")
MARKS = {
    FigureKind.GOOD: ("yes", "passed"),
    FigureKind.BAD: ("no", "failed"),
    FigureKind.MISSING: ("open", "not tested"),
}


def pages(results: Results) -> dict[str, str]:
    """The text of each cell's page."""
    return {f"{FOLDER}/{cell.id}.html": render(results, cell) for cell in results.cells}


def render(results: Results, cell: CellResult) -> str:
    """The text of one cell's page."""
    kind, text = MARKS[tables.verdict(cell).kind]
    return (
        html.environment()
        .get_template(TEMPLATE)
        .render(
            cell=cell,
            system=results.system.name,
            mark={"kind": kind, "text": text},
            parts=list(_parts(results, cell)),
        )
    )


def _parts(results: Results, cell: CellResult) -> Iterable[html.View]:
    """The sections of the page in order: what it is, what went wrong, then the evidence."""
    from markupsafe import Markup

    about = results.variants.get(cell.variant)
    if about:
        yield _part("spec", "Spec", blocks=list(_spec(cell, about)))
        drawn = layer_drawing.draw(about, cell.layer_costs)
        yield _part("path", "Path", svg=Markup(drawn))  # it has escaped every text
    if cell.failure:
        yield _part("failure", "Failure", blocks=list(record_blocks.blocks(plain(cell.failure))))
    for kind in registry.KINDS:
        yield _evidence(kind.name, kind.title, kind.doc, cell.of(kind))
    yield _evidence(*REFERENCE, cell.reference)
    yield _evidence(*LAYER_COSTS, cell.layer_costs)


def _evidence(key: str, title: str, doc: str, record: object) -> html.View:
    """A section for one record."""
    missing = record.reason if isinstance(record, NotMeasured) else None
    parts = {} if missing else plain(record)
    shown = {name: item for name, item in parts.items() if name not in record_blocks.HIDDEN}
    doc = f"{doc[:1].upper()}{doc[1:]}."
    return _part(key, title, doc=doc, missing=missing, blocks=list(record_blocks.blocks(shown)))


def _part(key: str, title: str, **changes: Any) -> html.View:
    return {"key": key, "title": title, "doc": "", "missing": None, "svg": None, "blocks": [], **changes}


def _spec(cell: CellResult, about: LayerPath) -> Iterable[record_blocks.Block]:
    """The variant's settings: its own, and those of the variants that it extends."""
    configuration = [(name, getattr(cell, name)) for name in ("mode", "compiler", "sanitizer", "target")]
    source = [("spec", about.source), ("lineage", " → ".join(about.lineage))]
    yield record_blocks.Block("", pairs=(*source, *configuration))
    yield record_blocks.Block(
        "settings", pairs=tuple((record_blocks.words(k), str(v)) for k, v in about.settings.items())
    )
    rows = tuple(
        (
            layer.title,
            layer.role,
            explain.keys_text(about, layer),
            explain.storage_text(about, layer),
            explain.toggle_text(layer.toggle),
            layer.doc,
        )
        for layer in about.layers
    )
    yield record_blocks.Block(
        "layers", ("", "role", f"serves, by {about.key}", "storage", "switch", "what it does"), rows
    )
    if about.options:
        options = tuple(
            (option.name, _value(option.value), option.env or "fixed", option.doc) for option in about.options
        )
        yield record_blocks.Block("options", ("", "value", "read from", "what it does"), options)
    if about.reported:
        pairs = tuple((record_blocks.words(name), text) for name, text in about.reported.items())
        yield record_blocks.Block("reported, not measured here", pairs=pairs)


def _value(value: bool | int) -> str:
    return state(value) if isinstance(value, bool) else record_blocks.shown(value)


EXPORTER = Exporter(f"{FOLDER}/*.html", pages)
