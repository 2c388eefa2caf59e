"""History: a figure from commit to commit, a line for each cell, with the points at which it changed.

Reads the series of one figure and load; returns a chart.
"""

from __future__ import annotations

from collections.abc import Sequence

from layermatrix.report.charts import chart
from layermatrix.report.charts.chart import Chart, Spec, tooltip
from layermatrix.report.history import SHOWN, Series
from layermatrix.report.history_tables import date
from layermatrix.store.entries import DETERMINISTIC
from layermatrix.store.history import Point

CHANGE = "change"


def draw(series: Sequence[Series]) -> Chart:
    """The chart of the series of one figure and load."""
    first = series[0]
    subjects = [one.subject for one in series]
    busy = any(one.busy for one in series)
    values = [_datum(one, place) for one in series for place in range(len(one.points))]
    commits = sorted({(point.when, point.commit) for one in series for point in one.points})
    x = {
        "field": "commit", "type": "ordinal", "title": "commit, oldest first",
        "sort": [commit[:SHOWN] for _, commit in commits],
        "axis": {"labelAngle": -60, "labelOverlap": True},
    }  # fmt: skip
    y = {"type": "quantitative", "scale": {"zero": False}, "title": f"{first.figure}, {first.unit}"}
    colours = [f"var(--series-{index % chart.SERIES_COLOURS})" for index in range(len(subjects))]
    has_change = any(one.changes for one in series)
    named = [*subjects, *([CHANGE] if has_change else [])]
    scale = chart.series_scale(named, [*colours, chart.WARN])
    colour: Spec = {"field": "subject", "type": "nominal", "title": None, "scale": scale}
    boxed = tooltip(
        cell="subject", commit="commit", date="when", figure="exact", change="change", machine=chart.MACHINE
    )
    line = {
        "mark": {"type": "line", "strokeWidth": 2},
        "encoding": {"x": x, "y": {**y, "field": "median"}, "color": colour},
    }
    interval = {
        "mark": {"type": "rule", "strokeWidth": 1.5},
        "encoding": {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}, "color": colour},
    }
    point = {
        "mark": {"type": "point", "filled": True, "size": 55, "opacity": 1},
        "encoding": {"x": x, "y": {**y, "field": "median"}, "color": colour, "tooltip": boxed},
    }
    mark = {
        "transform": [{"filter": "datum.change != ''"}],
        "mark": {"type": "point", "shape": "diamond", "size": 260, "strokeWidth": 3},
        "encoding": {
            "x": x, "y": {**y, "field": "median"}, "tooltip": boxed,
            "color": {"datum": CHANGE, "type": "nominal", "scale": scale},
        },
    }  # fmt: skip
    sign = {
        "transform": [{"filter": "datum.busy"}],
        "mark": {
            "type": "point", "shape": "triangle-up", "filled": True, "size": 90, "opacity": 1, "yOffset": -16,
        },
        "encoding": {
            "x": x, "y": {**y, "field": "median"}, "tooltip": boxed, "color": {"value": chart.WARN},
        },
    }  # fmt: skip
    spec: Spec = {
        "data": {"values": values},
        "width": {"step": min(60, max(14, 620 // max(len(commits), 1)))},
        "height": 240,
        "layer": [line, interval, point, *([mark] if has_change else []), *([sign] if busy else [])],
    }
    on = f" on {first.load}" if first.load else ""
    better = "More is better." if first.better == "higher" else "Less is better."
    diamond = " A diamond is a change that the noise does not explain." if has_change else ""
    about = f"{better}{diamond} Measured on {first.machine}."
    legend = (("warning", chart.BUSY),) if busy else ()
    return Chart(f"history-{first.figure}-{first.load}", f"{first.figure}{on}", about, spec, legend)


def _datum(series: Series, place: int) -> Spec:
    point = series.points[place]
    interval = series.interval(point)
    return {
        "subject": series.subject,
        "commit": point.commit[:SHOWN],
        "when": date(point),
        "median": point.median,
        "low": point.low,
        "high": point.high,
        "exact": f"{series.number(point.median)} {series.unit}" + (f" ({interval})" if interval else ""),
        "change": series.change(point),
        "busy": point.commit in series.busy,
        chart.MACHINE: _machine(series, point),
    }


def _machine(series: Series, point: Point) -> str:
    """The state of the machine, for a tooltip. It does not change a count."""
    if series.kind == DETERMINISTIC:
        return "does not matter to a count"
    return series.busy.get(point.commit, "not marked as busy")
