"""Scaling: the speed of each library over the loads of a family, such as 1, 2, 4 and 16 threads.

Reads a `PeerResults`; returns a chart for each family with two loads or more.
"""

from __future__ import annotations

from collections.abc import Iterable

from layermatrix.measure.peer_results import PeerResults
from layermatrix.model.measuring import Scale
from layermatrix.report import peer_figures
from layermatrix.report.charts import chart
from layermatrix.report.charts.chart import Chart, Spec, params, shown, tooltip


def charts(found: PeerResults) -> Iterable[Chart]:
    """One for each family, in the order of the loads."""
    families = dict.fromkeys(load.scale.family for load in found.loads.values() if load.scale)
    for family in families:
        points = list(_points(found, family))
        if len({point["at"] for point in points}) > 1:
            yield chart.of_run(_chart(found, family, points), found.conditions)


def _points(found: PeerResults, family: str) -> Iterable[Spec]:
    for load_name, load in found.loads.items():
        place: Scale | None = load.scale
        if place is None or place.family != family:
            continue
        for name in peer_figures.names_of(found):
            timing = load.timing(name)
            if timing:
                low, middle, high = (
                    peer_figures.three_digits(value) for value in (timing.low, timing.median, timing.high)
                )
                exact = f"{middle} {timing.unit} ({low} to {high})"
                yield {
                    "at": place.at, "library": name, "speed": timing.median, "low": timing.low,
                    "high": timing.high, "load": load_name, "exact": exact,
                }  # fmt: skip


def _chart(found: PeerResults, family: str, points: list[Spec]) -> Chart:
    colours = chart.colours(found)
    names = list(colours)
    unit = peer_figures.speed_unit(found)
    x = {
        "field": "at", "type": "quantitative", "title": f"{family} (log scale)",
        "scale": {"type": "log", "base": 2, "nice": False, "padding": 14},
        "axis": {"values": sorted({point["at"] for point in points}), "format": ",d", "labelOverlap": False},
    }  # fmt: skip
    colour = {
        "field": "library", "type": "nominal", "title": None,
        "scale": chart.series_scale(names, colours.values()),
    }  # fmt: skip
    dash = {
        "field": "library", "type": "nominal", "title": None,
        "scale": chart.series_scale(names, chart.cycled(chart.DASHES, len(names))),
    }  # fmt: skip
    shape = {
        "field": "library", "type": "nominal", "title": None,
        "scale": chart.series_scale(names, chart.cycled(chart.SHAPES, len(names))),
    }  # fmt: skip
    y = {"type": "quantitative", "title": unit}
    line = {
        "mark": {"type": "line", "strokeWidth": 2},
        "encoding": {"x": x, "y": {**y, "field": "speed"}, "color": colour, "strokeDash": dash},
    }
    interval = {
        "mark": {"type": "rule", "strokeWidth": 1.5},
        "encoding": {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}, "color": colour},
    }
    point = {
        "mark": {"type": "point", "filled": True, "size": 70, "opacity": 1},
        "encoding": {
            "x": x, "y": {**y, "field": "speed"}, "color": colour, "shape": shape,
            "tooltip": tooltip(library="library", load="load", speed="exact"),
        },
    }  # fmt: skip
    spec: Spec = {
        "params": params("libraries"),
        "data": {"values": points},
        "transform": shown("libraries"),
        "width": 620,
        "height": 300,
        "layer": [line, interval, point],
    }
    about = f"The speed as the number of {family} grows. Upright lines are intervals."
    return Chart(f"scale-{family.replace(' ', '-')}", f"Speed over {family}", about, spec)
