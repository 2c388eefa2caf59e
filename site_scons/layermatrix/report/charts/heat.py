"""Heat maps of loads and libraries: how near each library is to the best of the others.

Reads a `Field`; returns a chart. A figure in each square makes the map readable without its colours.
"""

from __future__ import annotations

from layermatrix.report.charts.chart import Chart, Spec, params, shown, tooltip
from layermatrix.report.peer_figures import SHADES, Field, Reading, Row, Units

ABOUT = (
    "Blue squares are better than the best of the other libraries with that load, orange ones worse; the"
    " stronger the colour, the larger the difference."
)
NO_SHADE = -1  # of a square without a figure
COLUMN, ROW = 98, 18  # pixels of a square


def chart(field: Field) -> Chart:
    """The heat map of a field, one block of rows for each group."""
    values = [
        _square(field, row, name, reading) for row in field.rows for name, reading in row.readings.items()
    ]
    docs = [{"load": row.load, "doc": row.doc} for row in field.rows]
    transform = [
        *shown("libraries", "groups"),
        {"lookup": "load", "from": {"data": {"values": docs}, "key": "load", "fields": ["doc"]}},
        {"calculate": "datum[units + '_text']", "as": "text"},
        {"calculate": "units == 'base' ? datum.base_shade : datum.best_shade", "as": "shade"},
    ]
    spec: Spec = {
        "params": params("units", "libraries", "groups"),
        "data": {"values": values},
        "transform": transform,
        **_blocks(field),
    }
    return Chart(f"{field.key}-map", f"{field.title}: every load and library", ABOUT, spec)


def _square(field: Field, row: Row, name: str, reading: Reading) -> Spec:
    made: Spec = {"load": row.load, "group": row.group, "library": name, "exact": reading.exact}
    for units in Units:
        made[f"{units.value}_text"] = reading.text(units)
    for units in (Units.BEST, Units.BASE):
        shade = reading.shade(units)
        made[f"{units.value}_shade"] = NO_SHADE if shade is None else shade
    return made


def _blocks(field: Field) -> Spec:
    layers: Spec = {
        "encoding": {
            "x": {
                "field": "library", "type": "nominal", "title": None, "sort": [*field.names],
                "axis": {
                    "orient": "top", "offset": 18, "labelAngle": 0, "domain": False, "ticks": False,
                    "labelFontWeight": 600, "labelColor": "var(--ink)",
                },
            },
            "y": {
                "field": "load", "type": "nominal", "title": None, "sort": [row.load for row in field.rows],
                "axis": {"domain": False, "ticks": False, "labelColor": "var(--ink)", "labelPadding": 7},
            },
            "tooltip": tooltip(library="library", load="load", figures="exact", what_the_load_does="doc"),
        },
        "layer": [_squares(), _texts()],
        "width": {"step": COLUMN},
        "height": {"step": ROW},
    }  # fmt: skip
    if len(field.groups) < 2:
        return layers
    header = {
        "title": None, "labelOrient": "top", "labelAnchor": "start", "labelPadding": 4, "labelAngle": 0,
    }  # fmt: skip
    row = {"field": "group", "type": "nominal", "sort": [*field.groups], "header": header}
    return {"facet": {"row": row}, "spec": layers, "spacing": 10, "resolve": {"scale": {"y": "independent"}}}


def _squares() -> Spec:
    fills = ["var(--card)", *(f"var(--heat-{index})" for index in range(len(SHADES) + 1))]
    scale = {"domain": [NO_SHADE, *range(len(SHADES) + 1)], "range": fills}
    colour = {"field": "shade", "type": "nominal", "scale": scale, "legend": None}
    return {
        "mark": {"type": "rect", "stroke": "var(--page)", "strokeWidth": 1},
        "encoding": {"color": colour},
    }


def _texts() -> Spec:
    """The figures. The ink of a square depends on its shade, so that it can be read."""
    tests = [
        {"test": f"datum.shade == {index}", "value": f"var(--heat-ink-{index})"}
        for index in range(len(SHADES) + 1)
    ]
    colour = {"condition": tests, "value": "var(--soft)"}
    text = {"field": "text", "type": "nominal"}
    return {"mark": {"type": "text", "fontSize": 12}, "encoding": {"text": text, "color": colour}}
