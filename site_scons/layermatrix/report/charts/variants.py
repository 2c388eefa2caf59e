"""Charts of the variants: speed, code of the fast path and cache misses, reported beside measured.

Reads results; returns charts of bars. A bar that could not be drawn has its reason in its place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from layermatrix.analysis import figures
from layermatrix.analysis.results import BaselineResult, CellResult, Results
from layermatrix.core.records import NotMeasured
from layermatrix.evidence import asm, bench, conditions
from layermatrix.evidence.bench import Timing
from layermatrix.evidence.columns import number
from layermatrix.evidence.conditions import Conditions
from layermatrix.report import tables
from layermatrix.report.charts import chart
from layermatrix.report.charts.chart import Chart, Spec, params, shown, tooltip
from layermatrix.report.explain import by_reason

REPORTED = "reported"
BAR = 15  # pixels
WIDTH = 620
START = 0.7  # of a log scale: a bar of 1 has a length, too


@dataclass(frozen=True)
class Bar:
    """A measured value with its interval, and the reported range. variant: empty for the baseline. value:
    None if it was not measured; exact has the reason. conditions: of its timing."""

    name: str
    variant: str
    series: str
    value: float | None
    exact: str
    low: float | None = None
    high: float | None = None
    conditions: Conditions | None = None
    reported: tuple[float, float] | None = None


@dataclass(frozen=True)
class Bars:
    """The bars of a chart. reference: a line across all rows, such as 1.0 for the baseline. timed: whether
    the state of the machine matters."""

    key: str
    title: str
    about: str
    unit: str
    bars: tuple[Bar, ...]
    log: bool = False
    reference: tuple[float, str] | None = None
    timed: bool = False

    @property
    def measured(self) -> frozenset[str]:
        """The names that have a figure."""
        return frozenset(bar.name for bar in self.bars if bar.value is not None)

    @property
    def busy(self) -> tuple[str, ...]:
        """The marks of the runs on a busy machine."""
        return conditions.marks(bar.conditions for bar in self.bars if bar.value is not None)


def charts(results: Results) -> Iterable[Chart]:
    """The charts of the cells of the story. A chart without figures is left out."""
    if not results.cells:
        return []
    shipped = tuple(cell for cell in results.cells if cell.is_shipped)
    results = replace(results, cells=shipped or results.cells)
    found = [*(_speed(results, load) for load in results.view.loads), _code(results), _misses(results)]
    return [draw(bars) for bars in found if bars.measured]


def _without(bars: Bars) -> tuple[str, ...]:
    """The names without any figure, with the reason: a row of words would be longer than any bar."""
    names = [bar.name for bar in bars.bars if bar.name not in bars.measured]
    reasons = {bar.name: bar.exact for bar in bars.bars if bar.name in names}
    return tuple(f"{', '.join(ids)}: {reason}" for reason, ids in by_reason(reasons.items()).items())


# --- the spec


def draw(bars: Bars) -> Chart:
    """The chart of these bars. Names without any figure are listed below it."""
    without = _without(bars)
    bars = replace(bars, bars=tuple(bar for bar in bars.bars if bar.name in bars.measured))
    series = list(dict.fromkeys(bar.series for bar in bars.bars))
    has_reported = any(bar.reported for bar in bars.bars)
    names = [*series, *([REPORTED] if has_reported else [])]
    fills = [f"var(--series-{index})" for index in range(len(series))]
    fills += [chart.REPORTED] if has_reported else []
    colour: Spec = {
        "type": "nominal", "title": None, "scale": chart.series_scale(names, fills),
        "legend": {"symbolType": "square"} if len(names) > 1 else None,
    }  # fmt: skip
    layers = [*_measured(bars, series, colour), *(_reported(bars, series, colour) if has_reported else [])]
    if bars.busy:
        layers.append(_busy(bars, series))
    if bars.reference:
        layers.append(_reference(bars.reference[0]))
    spec: Spec = {
        "params": params("variants"),
        "data": {"values": [_datum(bar, timed=bars.timed) for bar in bars.bars]},
        "transform": shown("variants"),
        "width": WIDTH,
        "height": {"step": BAR if len(series) > 1 else BAR + 9},
        "layer": layers,
    }
    legend = [("line", "interval")] if any(bar.low is not None for bar in bars.bars) else []
    legend += [("dashed", bars.reference[1])] if bars.reference else []
    legend += [("warning", chart.BUSY)] if bars.busy else []
    return Chart(bars.key, bars.title, bars.about, spec, tuple(legend), bars.busy, without)


def _datum(bar: Bar, *, timed: bool) -> Spec:
    made: Spec = {"name": bar.name, "variant": bar.variant, "series": bar.series, "exact": bar.exact}
    if bar.value is not None:
        made["value"] = bar.value
        made |= {chart.MACHINE: chart.machine(bar.conditions)} if timed else {}
        made |= {"busy": bar.conditions.is_busy} if bar.conditions else {}
    if bar.low is not None and bar.high is not None:
        made |= {"low": bar.low, "high": bar.high}
    if bar.reported:
        made |= {"reported_low": bar.reported[0], "reported_high": bar.reported[1]}
    return made


def _place(bars: Bars, series: Sequence[str]) -> Spec:
    names = list(dict.fromkeys(bar.name for bar in bars.bars))
    y: Spec = {
        "y": {
            "field": "name", "type": "nominal", "title": None, "sort": names,
            "axis": {"labelFontWeight": 600, "labelColor": chart.INK, "ticks": False, "labelPadding": 7},
        }
    }  # fmt: skip
    if len(series) > 1:
        y["yOffset"] = {
            "field": "series",
            "type": "nominal",
            "sort": [*series],
            "scale": {"domain": [*series]},
        }
    return y


def _along(bars: Bars, field: str) -> Spec:
    scale = {"type": "log", "domainMin": START, "nice": False} if bars.log else {"zero": True}
    axis = {} if bars.log else {"tickCount": 8}
    return {"field": field, "type": "quantitative", "title": bars.unit, "scale": scale, "axis": axis}


def _measured(bars: Bars, series: Sequence[str], colour: Spec) -> Iterable[Spec]:
    place = _place(bars, series)
    x = _along(bars, "value")
    end = {"x2": {"datum": START}} if bars.log else {}
    boxed = tooltip(name="name", measured="exact", **({"machine": chart.MACHINE} if bars.timed else {}))
    yield {
        "transform": [{"filter": "isValid(datum.value)"}],
        "mark": "bar",
        "encoding": {**place, "x": x, **end, "color": {**colour, "field": "series"}, "tooltip": boxed},
    }
    if any(bar.low is not None for bar in bars.bars):
        yield {
            "transform": [{"filter": "isValid(datum.low)"}],
            "mark": {"type": "rule", "strokeWidth": 2},
            "encoding": {
                **place, "x": _along(bars, "low"), "x2": {"field": "high"}, "color": {"value": chart.INK},
            },
        }  # fmt: skip
    yield {
        "transform": [{"filter": "!isValid(datum.value)"}],
        "mark": {"type": "text", "align": "left", "dx": 6},
        "encoding": {
            **place, "x": {"datum": START if bars.log else 0}, "text": {"field": "exact"},
            "color": {"value": chart.WARN},
        },
    }  # fmt: skip


def _reported(bars: Bars, series: Sequence[str], colour: Spec) -> Iterable[Spec]:
    """A line over the reported range, with an upright mark at each of its ends; around them a line in the
    colour of the page, so that they are seen in front of a bar."""
    boxed = tooltip(name="name", reported_from="reported_low", to="reported_high")
    named = {**colour, "datum": REPORTED}
    for around, ink in ((4, {"value": chart.PAGE}), (0, named)):
        shared = {**_place(bars, series), "color": ink, "tooltip": boxed}
        yield {
            "transform": [{"filter": "isValid(datum.reported_low)"}],
            "mark": {"type": "rule", "strokeWidth": 4 + around},
            "encoding": {**shared, "x": _along(bars, "reported_low"), "x2": {"field": "reported_high"}},
        }
        for end in ("reported_low", "reported_high"):
            yield {
                "transform": [{"filter": "isValid(datum.reported_low)"}],
                "mark": {"type": "tick", "thickness": 4 + around, "size": BAR + 5, "opacity": 1},
                "encoding": {**shared, "x": _along(bars, end)},
            }


def _busy(bars: Bars, series: Sequence[str]) -> Spec:
    """A sign beside each bar that was timed on a busy machine."""
    end = "high" if any(bar.high is not None for bar in bars.bars) else "value"
    mark = {"type": "point", "shape": "triangle-up", "filled": True, "size": 90, "opacity": 1, "xOffset": 16}
    return {
        "transform": [{"filter": "datum.busy"}],
        "mark": mark,
        "encoding": {
            **_place(bars, series), "x": _along(bars, end), "color": {"value": chart.WARN},
            "tooltip": tooltip(name="name", machine=chart.MACHINE),
        },
    }  # fmt: skip


def _reference(value: float) -> Spec:
    return {
        "mark": {"type": "rule", "strokeDash": [5, 4], "strokeWidth": 1.5},
        "encoding": {"x": {"datum": value}, "color": {"value": chart.INK}},
    }


# --- the figures


def _speed(results: Results, load: str) -> Bars:
    """The speeds as multiples of the baseline's; of a project without one, as they were measured."""
    names, baseline = tables.row_names(results), results.baseline.name
    does = results.loads[load]
    if not results.baseline.is_known:
        bars = [_absolute_bar(names[cell.id], cell, load) for cell in results.cells]
        unit = next((one.unit for cell in results.cells if (one := _timing(cell, load))), "speed")
        about = f"How fast each variant runs this load: {does}."
        return Bars(f"speed-{load}", f"Speed, {load}", about, unit, tuple(bars), timed=True)
    bars = []
    for cell in results.cells:
        ratio = figures.speed_ratio(cell, load)
        reported = _reported_ratio(results, cell) if load == results.headline else None
        bars.append(replace(_ratio_bar(names[cell.id], cell, ratio), reported=reported))
    about = f"How many times as fast as the {baseline} each variant runs this load: {does}."
    unit = f"times the speed of the {baseline}"
    return Bars(
        f"speed-{load}", f"Speed, {load}", about, unit, tuple(bars), reference=(1.0, baseline), timed=True
    )


def _timing(cell: CellResult, load: str) -> Timing | None:
    found = figures.timing(cell, load)
    return None if isinstance(found, NotMeasured) else found


def _absolute_bar(name: str, cell: CellResult, load: str) -> Bar:
    found = figures.timing(cell, load)
    if isinstance(found, NotMeasured):
        return Bar(name, cell.variant, "measured", None, f"not measured: {found.reason}")
    middle, low, high = (number(value, 3) for value in (found.median, found.low, found.high))
    exact = f"{middle} {found.unit} ({low} to {high})"
    return Bar(name, cell.variant, "measured", found.median, exact, found.low, found.high, _conditions(cell))


def _ratio_bar(name: str, cell: CellResult, ratio: figures.Value) -> Bar:
    if isinstance(ratio, NotMeasured):
        return Bar(name, cell.variant, "measured", None, f"not measured: {ratio.reason}")
    exact = f"{ratio.middle:.3f}x ({ratio.low:.3f} to {ratio.high:.3f})"
    return Bar(name, cell.variant, "measured", ratio.middle, exact, ratio.low, ratio.high, _conditions(cell))


def _conditions(cell: CellResult) -> Conditions | None:
    timed = cell.of(bench.KIND)
    return None if isinstance(timed, NotMeasured) else timed.conditions


def _reported_ratio(results: Results, cell: CellResult) -> tuple[float, float] | None:
    """The reported speed of a cell as a multiple of the baseline's."""
    texts = [results.reported(one, "speed") for one in (cell, results.baseline)]
    own, base = (figures.reported_range(text) for text in texts)
    return (own[0] / base[1], own[1] / base[0]) if own and base else None


def _code(results: Results) -> Bars:
    names, entries = tables.row_names(results), tables.entries(results)
    bars = []
    for cell in results.cells:
        reported = figures.reported_range(results.reported(cell, "asm_lines"))
        for entry in entries:
            bar = _instructions(names[cell.id], cell, entry)
            bars.append(replace(bar, reported=reported) if entry == entries[0] else bar)
    about = "How long the code of each entry is, cold parts included."
    about += " Reported are lines of assembly." if any(bar.reported for bar in bars) else ""
    title = "Code of the fast path"
    return Bars("code-length", title, about, "machine instructions (log scale)", tuple(bars), log=True)


def _instructions(name: str, cell: CellResult, entry: str) -> Bar:
    record = cell.of(asm.KIND)
    found = record if isinstance(record, NotMeasured) else record.entry(entry)
    if isinstance(found, NotMeasured):
        return Bar(name, cell.variant, entry, None, f"not measured: {found.reason}")
    return Bar(name, cell.variant, entry, float(found.instructions), f"{found.instructions:,} instructions")


def _misses(results: Results) -> Bars:
    names, load, work = tables.row_names(results), results.headline, results.view.work
    series: tuple[tuple[str, Callable[[figures.Evidence, str | None], figures.Value]], ...] = (
        ("the library's", figures.l1_misses), ("with the benchmark's own", figures.raw_l1_misses),
    )  # fmt: skip
    named: list[tuple[str, CellResult | BaselineResult]] = []
    if results.baseline.is_known:
        named.append((results.baseline.name, results.baseline))
    else:
        series = series[:1]  # every load is inlined and counted as a whole
    named += [(names[cell.id], cell) for cell in results.cells]
    bars = []
    for name, record in named:
        reported = figures.reported_range(results.reported(record, "l1_misses"))
        for title, of in series:
            variant = record.variant if isinstance(record, CellResult) else ""
            bar = _miss(name, variant, title, of(record, load))
            bars.append(replace(bar, reported=reported) if title == series[0][0] else bar)
    about = f"Misses of both first-level caches per {work} of {load}, in a simulated cache."
    return Bars("misses", "L1 misses", about, f"misses per {work}", tuple(bars))


def _miss(name: str, variant: str, series: str, misses: figures.Value) -> Bar:
    if isinstance(misses, NotMeasured):
        return Bar(name, variant, series, None, f"not measured: {misses.reason}")
    return Bar(name, variant, series, misses.middle, number(misses.middle, 3))
