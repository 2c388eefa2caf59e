"""A chart: a Vega-Lite spec with its words. What all charts share: their looks, colours and controls.

Colours are CSS variables of the page, so that a chart follows the page's light or dark colours. The page's
script sets the parameters `units`, `libraries`, `groups` and `variants` of a chart that has them. A text from
results is data of a chart and never part of an expression.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from layermatrix.evidence.conditions import Conditions
from layermatrix.measure.peer_results import PeerResults
from layermatrix.report import peer_figures

Spec = dict[str, Any]  # a part of a Vega-Lite spec

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
FONT = "sans-serif"  # the page's style sheet replaces it
SERIES_COLOURS = 9  # --series-0 to --series-8 of the page
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right")
DASHES = ([1, 0], [6, 3], [2, 2], [8, 3, 2, 3])
INK, SOFT, EDGE, PAGE = "var(--ink)", "var(--soft)", "var(--edge)", "var(--page)"
GOOD, BAD, WARN, REPORTED, BASE = (f"var(--{one})" for one in ("good", "bad", "warn", "reported", "base"))
AXIS = {
    "labelColor": SOFT, "titleColor": SOFT, "gridColor": EDGE, "domainColor": EDGE, "tickColor": EDGE,
    "labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": 500, "labelLimit": 240, "titlePadding": 10,
}  # fmt: skip
CONFIG = {
    "background": None,
    "font": FONT,
    "padding": {"left": 30, "top": 6, "right": 44, "bottom": 8},  # the fonts of readers may be wider
    "aria": False,
    "view": {"stroke": None},
    "axis": AXIS,
    "legend": {
        "labelColor": INK, "titleColor": SOFT, "labelFontSize": 12, "titleFontSize": 12, "labelLimit": 240,
        "symbolStrokeWidth": 2, "symbolOpacity": 1, "orient": "top", "offset": 8, "columns": 4,
        "columnPadding": 14,
    },
    "header": {"labelColor": INK, "titleColor": SOFT, "labelFontSize": 12, "labelFontWeight": 600},
    "text": {"color": INK, "fontSize": 12},
}  # fmt: skip


LEAST = "least"  # user data of a spec: the least width at which the chart can be read, in pixels
BUSY = "the machine was busy during this run"  # the words of the sign
QUIET, UNWATCHED = "quiet during this run", "not watched during this run"
MACHINE = "machine"  # the line of a tooltip that says which


@dataclass(frozen=True)
class Chart:
    """key: its id in the page. about: how to read it, in a sentence. legend: (class of the swatch, words) of
    marks that the chart's own legend does not name. busy: the marks of its runs on a busy machine.
    without: what has no figure, and why."""

    key: str
    title: str
    about: str
    spec: Spec = field(hash=False)
    legend: tuple[tuple[str, str], ...] = ()
    busy: tuple[str, ...] = ()
    without: tuple[str, ...] = ()

    @property
    def document(self) -> Spec:
        """The whole Vega-Lite spec."""
        return {"$schema": SCHEMA, "config": CONFIG, **self.spec}


def params(*names: str) -> list[Spec]:
    """The parameters that the page's script sets: the units, and what is hidden."""
    start: dict[str, object] = {
        "units": peer_figures.Units.BEST.value,
        "libraries": [],
        "groups": [],
        "variants": [],
    }
    return [{"name": name, "value": start[name]} for name in names]


def shown(*names: str) -> list[Spec]:
    """The transforms that leave out what is hidden."""
    fields = {"libraries": "library", "groups": "group", "variants": "variant"}
    return [{"filter": f"indexof({name}, datum.{fields[name]}) < 0"} for name in names]


def colours(found: PeerResults) -> dict[str, str]:
    """The colour of each library. The baseline is grey."""
    names = [name for name in peer_figures.names_of(found) if name != found.baseline]
    made = {name: f"var(--series-{index % SERIES_COLOURS})" for index, name in enumerate(names)}
    return {**made, found.baseline: BASE}


def series_scale(names: Sequence[str], values: Iterable[object]) -> Spec:
    """A scale that gives each name the value in its place."""
    return {"domain": [*names], "range": [*values]}


def cycled(values: Sequence[object], count: int) -> list[object]:
    return [values[index % len(values)] for index in range(count)]


def tooltip(**fields: str) -> list[Spec]:
    """Title -> field, for the box with exact figures."""
    return [{"field": name, "title": title.replace("_", " ")} for title, name in fields.items()]


def machine(conditions: Conditions | None) -> str:
    """The state of the machine during a run, for a tooltip."""
    if conditions is None:
        return UNWATCHED
    return conditions.mark or QUIET


def of_run(made: Chart, conditions: Conditions | None) -> Chart:
    """The chart of one run: each tooltip has the state of the machine, and a busy one is a sign above it. The
    state is the value of a parameter, because all figures share it."""
    spec = _with_machine(made.spec)
    state = {"name": "machine_state", "value": machine(conditions)}
    spec = {**spec, "params": [*spec.get("params", []), state]}
    busy = (conditions.mark,) if conditions and conditions.is_busy else ()
    return replace(made, spec=spec, busy=busy)


def _with_machine(part: Any) -> Any:
    """A part of a spec, in which each view with a tooltip knows the state of the machine."""
    if isinstance(part, list):
        return [_with_machine(one) for one in part]
    if not isinstance(part, dict):
        return part
    made = {name: _with_machine(inner) for name, inner in part.items()}
    encoding = made.get("encoding")
    if isinstance(encoding, dict) and "tooltip" in encoding:
        boxed = [*encoding["tooltip"], *tooltip(machine=MACHINE)]
        made["encoding"] = {**encoding, "tooltip": boxed}
        known = {"calculate": "machine_state", "as": MACHINE}
        made["transform"] = [*made.get("transform", []), known]
    return made
