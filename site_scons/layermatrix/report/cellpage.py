"""A page for each cell, cells/<cell>.html: its spec, the picture of its path, and all its evidence.

Reads a result record and `cell.html.j2` beside this file; returns HTML text. `nested` lays the evidence out,
which knows none of it by name, so whatever a build establishes has its place here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from layermatrix.analysis.results import failed, repeat_command
from layermatrix.report import explain, html, nested, picture
from layermatrix.report import table as tables
from layermatrix.report.exporter import Exporter

if TYPE_CHECKING:
    from layermatrix.analysis.layer_path import LayerPath

Record = dict[str, Any]

TEMPLATE = "cell.html.j2"
FOLDER = "cells"
# What is known of the evidence by name is its heading alone; any other kind is called by its own name.
TITLES = {
    "asm": ("Code", "Decoded from the binary: each entry whole, along its hit path, and layer by layer."),
    "code": ("Text", "What the text leaves to the preprocessor and to the run, and how long it is."),
    "guards": ("Debug output", "What is left of debug statements in the library."),
    "counters": ("Counters", "An operation of each load, simulated, the benchmark's own share taken off."),
    "reference": ("Against what was accepted", "The same beside what was accepted last."),
    "layer_counts": ("Layers", "What each layer did in each load, what that cost, and the path without it."),
    "tests": ("Tests", "Programs that exit with 0 when they pass."),
    "programs": ("Programs", "Real programs with the library preloaded: the same output as without it."),
    "bench": ("Speed", "Timed in turn with the baseline."),
}
MARKS = {tables.GOOD: ("yes", "passed"), tables.BAD: ("no", "failed"), tables.MISSING: ("open", "not tested")}


def pages(results: Record) -> dict[str, str]:
    """The text of each cell's page."""
    return {f"{FOLDER}/{cell['id']}.html": render(results, cell) for cell in results["cells"]}


def render(results: Record, cell: Record) -> str:
    """The text of one cell's page."""
    kind, text = MARKS[tables.verdict(cell).kind]
    page: str = (
        html.environment()
        .get_template(TEMPLATE)
        .render(
            cell=cell,
            system=results["system"]["name"] or "layermatrix",
            mark={"kind": kind, "text": text},
            reason=failed(cell),
            repeat=repeat_command(cell),
            parts=list(_parts(results, cell)),
        )
    )
    return page + "\n"


def _parts(results: Record, cell: Record) -> Iterable[Record]:
    """The sections of the page in order: what it is, what went wrong, then the evidence."""
    from markupsafe import Markup

    about = results["variants"].get(cell["variant"])
    if about:
        yield _part("spec", "Spec", blocks=list(_spec(cell, about)))
        drawn = picture.draw(about, cell.get("layer_counts"))
        yield _part("path", "Path", svg=Markup(drawn))  # it has escaped every text
    if cell["failure"]:
        yield _part("failure", "Failure", blocks=list(nested.blocks(cell["failure"])))
    for key, evidence in cell.items():
        if isinstance(evidence, dict) and "status" in evidence and key != "failure":
            title, doc = TITLES.get(key, (nested.words(key).capitalize(), ""))
            missing = evidence.get("reason") if evidence["status"] == nested.MISSING else None
            shown = {name: item for name, item in evidence.items() if name not in nested.HIDDEN}
            yield _part(key, title, doc=doc, missing=missing, blocks=list(nested.blocks(shown)))


def _part(key: str, title: str, **changes: Any) -> Record:
    return {"key": key, "title": title, "doc": "", "missing": None, "svg": None, "blocks": [], **changes}


def _spec(cell: Record, about: LayerPath) -> Iterable[nested.Block]:
    """What the variant's file says, with what it takes over from others."""
    configuration = [(name, cell[name]) for name in ("mode", "compiler", "sanitizer", "target")]
    source = [("spec", about.source), ("lineage", " → ".join(about.lineage))]
    yield nested.Block("", pairs=(*source, *configuration))
    yield nested.Block(
        "settings", pairs=tuple((nested.words(k), str(v)) for k, v in about.settings.items())
    )
    rows = tuple(
        (
            layer.title,
            layer.role,
            explain.classes_text(about, layer),
            explain.storage_text(layer),
            explain.toggle_text(layer.toggle),
            layer.doc,
        )
        for layer in about.layers
    )
    yield nested.Block("layers", ("", "role", "classes", "storage", "switch", "what it does"), rows)
    if about.options:
        options = tuple(
            (option.name, _value(option.value), option.env or "fixed", option.doc)
            for option in about.options
        )
        yield nested.Block("options", ("", "value", "read from", "what it does"), options)
    if about.reported:
        pairs = tuple((nested.words(name), text) for name, text in about.reported.items())
        yield nested.Block("reported, not measured here", pairs=pairs)


def _value(value: bool | int) -> str:
    return ("on" if value else "off") if isinstance(value, bool) else nested.shown(value)


EXPORTER = Exporter(f"{FOLDER}/*.html", pages)
