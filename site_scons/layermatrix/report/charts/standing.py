"""How the libraries stand: means by group, memory against speed, and each load with its interval.

Reads a `PeerResults`; returns charts.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable

from layermatrix.evidence.bench import Verdict
from layermatrix.measure.peer_results import PeerResults
from layermatrix.report import peer_figures
from layermatrix.report.charts import chart
from layermatrix.report.charts.chart import Chart, Spec, params, shown, tooltip

MEANS, LOADS = "means", "loads-"  # keys of charts
SPEED = "speed as a share of the best other"
CLEAR = {Verdict.FASTER: (chart.GOOD, "triangle-up"), Verdict.SLOWER: (chart.BAD, "triangle-down")}
UNCLEAR = (chart.SOFT, "circle"), (chart.WARN, "diamond")  # verdicts without a winner
NEAR, WIDE = 0.12, 1.5  # marks are close: by this share of the speeds, and this factor of memory
ROW, BAR = 17, 15  # pixels of a load's row, and of a bar


def charts(found: PeerResults) -> Iterable[Chart]:
    """Those that have something to show."""
    return (chart.of_run(one, found.conditions) for one in _charts(found))


def _charts(found: PeerResults) -> Iterable[Chart]:
    points = list(_means(found))
    if points:
        yield _bars(found, points)
    if any(point["peak"] is not None for point in points):
        yield _memory_and_speed(found, [point for point in points if point["peak"] is not None])
    for name in found.own:
        rows = list(_against(found, name))
        if rows:
            yield _intervals(found, name, rows)


def _means(found: PeerResults) -> Iterable[Spec]:
    for group, summary in found.summaries.items():
        for name in peer_figures.names_of(found):
            one = summary.standings[name]
            if one.speed is not None:
                exact = f"{one.speed:.3f} of the best other's speed over {one.loads} loads"
                memory = "" if one.peak is None else f"; {one.peak:.3f} of the memory of {found.baseline}"
                yield {
                    "group": group, "library": name, "speed": round(one.speed, 4), "exact": exact + memory,
                    "peak": None if one.peak is None else round(one.peak, 4),
                }  # fmt: skip


def _colour(found: PeerResults) -> Spec:
    colours = chart.colours(found)
    scale = chart.series_scale(list(colours), colours.values())
    return {"field": "library", "type": "nominal", "title": None, "scale": scale}


def _bars(found: PeerResults, points: list[Spec]) -> Chart:
    names, groups = list(peer_figures.names_of(found)), list(found.summaries)
    bars: Spec = {
        "mark": "bar",
        "encoding": {
            "x": {
                "field": "group", "type": "nominal", "title": None, "sort": groups,
                "axis": {"labelAngle": 0, "labelFontWeight": 600, "labelColor": chart.INK},
            },
            "xOffset": {"field": "library", "type": "nominal", "sort": names, "scale": {"domain": names}},
            "y": {"field": "speed", "type": "quantitative", "title": SPEED},
            "color": _colour(found),
            "tooltip": tooltip(library="library", loads="group", means="exact"),
        },
    }  # fmt: skip
    rule = {
        "data": {"values": [{"one": 1}]},
        "mark": {"type": "rule", "strokeDash": [5, 4]},
        "encoding": {"y": {"field": "one", "type": "quantitative"}, "color": {"value": chart.INK}},
    }
    spec: Spec = {
        "params": params("libraries", "groups"),
        "height": 260,
        "width": {"step": BAR},
        "layer": [{"data": {"values": points}, "transform": shown("libraries", "groups"), **bars}, rule],
    }
    about = (
        "The bars are geometric means over the loads of a group. The dashed line is the fastest other library"
        " of each load: a bar reaches it only if its library is the fastest everywhere."
    )
    return Chart(MEANS, "Speed by kind of load", about, spec, (("dashed", "as fast as the best other"),))


def _memory_and_speed(found: PeerResults, points: list[Spec]) -> Chart:
    *_, every = found.summaries
    large_points = [point for point in points if point["group"] == every]
    below = _crowded(large_points)
    values = [
        {**point, "every": point["group"] == every, "below": point["library"] in below} for point in points
    ]
    x = {
        "field": "peak", "type": "quantitative", "scale": {"type": "log", "nice": False, "padding": 30},
        "title": f"peak memory relative to {found.baseline} (log scale): less is better",
        "axis": {"values": [0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4, 6, 8, 16], "format": "~g"},
    }  # fmt: skip
    y = {"field": "speed", "type": "quantitative", "title": f"{SPEED}: more is better"}
    names = list(peer_figures.names_of(found))
    shapes = chart.series_scale(names, chart.cycled(chart.SHAPES, len(names)))
    encoding: Spec = {
        "x": x, "y": y, "color": _colour(found),
        "shape": {"field": "library", "type": "nominal", "title": None, "scale": shapes},
        "tooltip": tooltip(library="library", loads="group", means="exact"),
    }  # fmt: skip
    small = {
        "transform": [{"filter": "!datum.every"}],
        "mark": {"type": "point", "filled": True, "size": 36, "opacity": 0.55},
        "encoding": encoding,
    }
    large = {
        "transform": [{"filter": "datum.every"}],
        "mark": {"type": "point", "filled": True, "size": 190, "opacity": 1},
        "encoding": encoding,
    }
    labels = [
        {
            "transform": [{"filter": f"datum.every && {test}"}],
            "mark": {"type": "text", "dy": shift, "fontWeight": 600},
            "encoding": {"x": x, "y": y, "text": {"field": "library"}, "color": {"value": chart.INK}},
        }
        for test, shift in (("!datum.below", -15), ("datum.below", 19))
    ]
    spec: Spec = {
        "params": params("libraries", "groups"),
        "data": {"values": values},
        "transform": shown("libraries", "groups"),
        "width": 620,
        "height": 360,
        "layer": [large, small, *labels],
        "usermeta": {chart.LEAST: 420},
    }
    about = (
        "The best place is the upper left corner: fast with little memory. A large mark is the mean over all"
        " loads, a small one the mean over a group."
    )
    return Chart("memory-and-speed", "Memory against speed", about, spec)


def _crowded(points: list[Spec]) -> set[str]:
    """The libraries whose names stand below their marks, because another mark is close above."""
    span = max((point["speed"] for point in points), default=1.0)
    ordered = sorted(points, key=lambda point: -point["speed"])
    return {
        point["library"]
        for place, point in enumerate(ordered)
        for above in ordered[:place]
        if above["speed"] - point["speed"] < NEAR * span
        and max(point["peak"], above["peak"]) < WIDE * min(point["peak"], above["peak"])
    }


def _against(found: PeerResults, name: str) -> Iterable[Spec]:
    for load_name, load in found.loads.items():
        ratio = load.against_best.get(name)
        if ratio and ratio.low > 0:
            exact = f"{ratio.median:.3f} ({ratio.low:.3f} to {ratio.high:.3f}) of {load.best}"
            yield {
                "load": load_name, "group": load.group, "ratio": ratio.median, "low": ratio.low,
                "high": ratio.high, "verdict": ratio.verdict.value, "exact": exact, "doc": load.doc,
            }  # fmt: skip


def _looks() -> dict[str, tuple[str, str]]:
    """The colour and the shape of each verdict."""
    unclear = itertools.cycle(UNCLEAR)
    return {verdict.value: CLEAR.get(verdict) or next(unclear) for verdict in Verdict}


def _intervals(found: PeerResults, name: str, rows: list[Spec]) -> Chart:
    looks = _looks()
    verdicts = chart.series_scale(list(looks), [colour for colour, _ in looks.values()])
    shapes = chart.series_scale(list(looks), [shape for _, shape in looks.values()])
    y = {
        "field": "load", "type": "nominal", "title": None, "sort": {"field": "ratio", "order": "descending"},
        "axis": {"grid": True, "gridOpacity": 0.6, "labelColor": chart.INK},
    }  # fmt: skip
    x = {
        "type": "quantitative", "scale": {"type": "log", "nice": False, "padding": 12},
        "title": f"speed of {name} divided by that of the best other (log scale)",
        "axis": {"values": [0.05, 0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 4, 8, 16], "format": "~g"},
    }  # fmt: skip
    colour = {"field": "verdict", "type": "nominal", "title": None, "scale": verdicts}
    interval = {
        "mark": {"type": "rule", "strokeWidth": 2},
        "encoding": {
            "x": {**x, "field": "low"}, "x2": {"field": "high"}, "y": y,
            "color": colour,
        },
    }  # fmt: skip
    point = {
        "mark": {"type": "point", "filled": True, "size": 60, "opacity": 1},
        "encoding": {
            "x": {**x, "field": "ratio"}, "y": y, "color": colour,
            "shape": {"field": "verdict", "type": "nominal", "title": None, "scale": shapes},
            "tooltip": tooltip(load="load", verdict="verdict", speed="exact", what_the_load_does="doc"),
        },
    }  # fmt: skip
    one = {
        "mark": {"type": "rule", "strokeDash": [5, 4]},
        "encoding": {"x": {"datum": 1}, "color": {"value": chart.INK}},
    }
    spec: Spec = {
        "params": params("groups"),
        "data": {"values": rows},
        "transform": shown("groups"),
        "width": 620,
        "height": {"step": ROW},
        "layer": [one, interval, point],
    }
    about = (
        f"Right of the dashed line, {name} is faster than every other library. Each line is the interval of"
        " the ratio; a load whose interval reaches 1 shows no difference."
    )
    if found.rounds < 2:
        about += " One round gives no interval; it takes more rounds to tell a difference."
    legend = (("line", "interval"), ("dashed", "as fast as the best other"))
    return Chart(f"{LOADS}{name}", f"{name}: every load, with intervals", about, spec, legend)
