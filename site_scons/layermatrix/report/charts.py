"""Draw bar charts as inline SVG, without scripts or external files. The colours are the page's variables.

Reads plain rows; returns SVG text. `of_results` draws the charts of a result record.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from html import escape

from layermatrix.analysis import figures
from layermatrix.analysis.figures import Interval
from layermatrix.analysis.results import BaselineResult, CellResult, Results
from layermatrix.core.records import NotMeasured
from layermatrix.evidence import asm
from layermatrix.evidence.columns import number
from layermatrix.report import tables

WIDTH, LABELS, VALUES = 880, 170, 120  # total; names on the left; figures on the right
BAR, BAR_GAP, ROW_GAP = 16, 4, 14
AXIS = 30


@dataclass(frozen=True)
class Bar:
    """A measured value and its range, `low`..`high`. None: not measured; `text` has the reason."""

    series: int
    value: float | None
    text: str
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Row:
    """The bars of one cell, and the reported figures of the cell as a range."""

    name: str
    bars: tuple[Bar, ...]
    reported: tuple[float, float] | None = None
    reported_text: str = ""


@dataclass(frozen=True)
class Chart:
    """`reference` is a line across all rows, such as 1.0 for the baseline."""

    title: str
    unit: str
    series: tuple[str, ...]
    rows: tuple[Row, ...]
    log: bool = False
    reference: tuple[float, str] | None = None


def of_results(results: Results) -> list[Chart]:
    """The charts of a report, for the cells of the story. A chart without figures is left out."""
    shipped = tuple(cell for cell in results.cells if cell.is_shipped)
    results = replace(results, cells=shipped or results.cells)
    if not results.cells:
        return []
    charts = [_speed_chart(results, load) for load in results.view.loads]
    charts += [_code_chart(results), _miss_chart(results)]
    return [chart for chart in charts if any(bar.value is not None for row in chart.rows for bar in row.bars)]


def draw(chart: Chart) -> str:
    """The chart as SVG."""
    scale = _scale(chart)
    parts, y = list(_grid(chart, scale)), float(AXIS)
    for row in chart.rows:
        parts += _row(row, y, scale)
        y += _row_height(row) + ROW_GAP
    if chart.reference:
        x = scale(chart.reference[0])
        parts.append(f'<path class="reference" d="M{x:.1f} {AXIS - 6}V{y:.1f}"/>')
    title = f"{chart.title}, {chart.unit}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="chart" viewBox="0 0 {WIDTH} {y:.0f}" role="img" '
        f'aria-label="{escape(title)}"><title>{escape(title)}</title>{"".join(parts)}</svg>'
    )


def _values(chart: Chart) -> Iterable[float]:
    for row in chart.rows:
        for bar in row.bars:
            yield from (value for value in (bar.value, bar.low, bar.high) if value is not None)
        yield from row.reported or ()
    if chart.reference:
        yield chart.reference[0]


def _limits(chart: Chart) -> tuple[float, float]:
    values = [value for value in _values(chart) if value > 0 or not chart.log] or [1.0]
    if not chart.log:
        return min(0.0, *values), max(*values, 1e-9) * 1.04
    return 10.0 ** math.floor(math.log10(min(values))), 10.0 ** math.ceil(math.log10(max(values) * 1.0001))


def _scale(chart: Chart) -> Callable[[float], float]:
    low, high = _limits(chart)
    room = WIDTH - LABELS - VALUES

    def linear(value: float) -> float:
        return LABELS + room * (value - low) / (high - low)

    def logarithmic(value: float) -> float:
        part = math.log(max(value, low) / low) / math.log(high / low)
        return LABELS + room * part

    return logarithmic if chart.log else linear


def ticks(low: float, high: float, log: bool, wanted: int = 5) -> list[float]:
    """Round numbers along an axis."""
    if log:
        first, last = round(math.log10(low)), round(math.log10(high))
        return [10.0**power for power in range(first, last + 1)]
    rough = (high - low) / wanted
    base = 10.0 ** math.floor(math.log10(rough))
    step = next(base * factor for factor in (1, 2, 5, 10) if base * factor >= rough)
    first = math.ceil(low / step)
    return [round(step * index, 10) for index in range(first, math.floor(high / step) + 1)]


def _grid(chart: Chart, scale: Callable[[float], float]) -> Iterable[str]:
    low, high = _limits(chart)
    bottom = AXIS + sum(_row_height(row) + ROW_GAP for row in chart.rows)
    for value in ticks(low, high, chart.log):
        x = scale(value)
        yield f'<path class="grid" d="M{x:.1f} {AXIS - 6}V{bottom:.0f}"/>'
        yield f'<text class="tick" x="{x:.1f}" y="{AXIS - 12}">{value:,g}</text>'


def _row_height(row: Row) -> float:
    return len(row.bars) * (BAR + BAR_GAP) - BAR_GAP


def _row(row: Row, y: float, scale: Callable[[float], float]) -> Iterable[str]:
    middle = y + _row_height(row) / 2
    yield f'<text class="name" x="{LABELS - 12}" y="{middle + 4:.1f}">{escape(row.name)}</text>'
    for index, bar in enumerate(row.bars):
        yield from _bar(bar, y + index * (BAR + BAR_GAP), scale)
    if row.reported:
        yield from _reported(row, y, scale)


def _bar(bar: Bar, y: float, scale: Callable[[float], float]) -> Iterable[str]:
    zero = scale(0.0) if bar.value is not None and bar.value < 0 else max(LABELS, scale(0.0))
    if bar.value is None:
        yield f'<text class="missing" x="{LABELS + 4}" y="{y + BAR - 4:.1f}">{escape(bar.text)}</text>'
        return
    x = scale(bar.value)
    left, width = min(zero, x), max(abs(x - zero), 1.0)
    box = f'x="{left:.1f}" y="{y:.1f}" width="{width:.1f}" height="{BAR}"'
    yield f'<rect class="bar s{bar.series}" {box} rx="2"/>'
    if bar.low is not None and bar.high is not None:
        low, high, mid = scale(bar.low), scale(bar.high), y + BAR / 2
        yield (
            f'<path class="whisker" d="M{low:.1f} {mid:.1f}H{high:.1f}M{low:.1f} {mid - 4:.1f}v8'
            f'M{high:.1f} {mid - 4:.1f}v8"/>'
        )
    yield f'<text class="value" x="{WIDTH}" y="{y + BAR - 4:.1f}">{escape(bar.text)}</text>'


def _reported(row: Row, y: float, scale: Callable[[float], float]) -> Iterable[str]:
    assert row.reported is not None
    low, high = scale(row.reported[0]), scale(row.reported[1])
    left = low if high - low >= 6 else (low + high) / 2 - 3
    yield (
        f'<rect class="reported" x="{left:.1f}" y="{y - 3:.1f}" width="{max(high - low, 6):.1f}" '
        f'height="{_row_height(row) + 6:.1f}" rx="3"><title>{escape(row.reported_text)}</title></rect>'
    )


def _speed_chart(results: Results, load: str) -> Chart:
    names, baseline = tables.row_names(results), results.baseline.name
    rows = []
    for cell in results.cells:
        ratio = figures.speed_ratio(cell, load)
        bar = _absent(ratio) if isinstance(ratio, NotMeasured) else _ratio_bar(ratio)
        reported, text = _reported_ratio(results, cell) if load == results.headline else (None, "")
        rows.append(Row(names[cell.id], (bar,), reported, text))
    return Chart(
        f"Speed, {load}", f"multiple of the {baseline}", (load,), tuple(rows), reference=(1.0, baseline)
    )


def _ratio_bar(ratio: Interval) -> Bar:
    return Bar(0, ratio.middle, f"{ratio.middle:.2f}x", ratio.low, ratio.high)


def _reported_ratio(results: Results, cell: CellResult) -> tuple[tuple[float, float] | None, str]:
    """The reported speed of a cell as a multiple of the baseline's, and its label."""
    texts = [results.reported(one, "speed") for one in (cell, results.baseline)]
    own, base = (figures.reported_range(text) for text in texts)
    if not own or not base:
        return None, ""
    return (own[0] / base[1], own[1] / base[0]), f"reported: {texts[0]} of {texts[1]} {results.view.speed}"


def _code_chart(results: Results) -> Chart:
    names, entries = tables.row_names(results), tables.entries(results)
    rows = []
    for cell in results.cells:
        bars = tuple(_instructions_bar(cell, entry, index) for index, entry in enumerate(entries))
        text = results.reported(cell, "asm_lines")
        words = f"reported: {text} lines of assembly"
        rows.append(Row(names[cell.id], bars, figures.reported_range(text), words))
    return Chart(
        "Code of the fast path", "machine instructions, log scale", tuple(entries), tuple(rows), log=True
    )


def _instructions_bar(cell: CellResult, entry: str, series: int) -> Bar:
    record = cell.of(asm.KIND)
    found = record if isinstance(record, NotMeasured) else record.entry(entry)
    if isinstance(found, NotMeasured):
        return _absent(found, series)
    return Bar(series, found.instructions, f"{found.instructions:,}")


def _miss_chart(results: Results) -> Chart:
    names, load, work = tables.row_names(results), results.headline, results.view.work
    series = (("the library's", figures.l1_misses), ("with the benchmark's own", figures.raw_l1_misses))
    named: list[tuple[str, CellResult | BaselineResult]] = [(results.baseline.name, results.baseline)]
    named += [(names[cell.id], cell) for cell in results.cells]
    rows = []
    for name, record in named:
        bars = tuple(_miss_bar(of(record, load), index) for index, (_, of) in enumerate(series))
        text = results.reported(record, "l1_misses")
        words = f"reported: {text} L1 misses per {work}"
        rows.append(Row(name, bars, figures.reported_range(text), words))
    return Chart("L1 misses", f"per {work}", tuple(title for title, _ in series), tuple(rows))


def _miss_bar(misses: figures.Value, series: int) -> Bar:
    if isinstance(misses, NotMeasured):
        return _absent(misses, series)
    return Bar(series, misses.middle, number(misses.middle, 3))


def _absent(missing: NotMeasured, series: int = 0) -> Bar:
    return Bar(series, None, f"not measured: {missing.reason}")


def legend(chart: Chart) -> Sequence[tuple[str, str]]:
    """(class of the swatch, label) for each kind of mark in the chart."""
    found = [(f"s{index}", name) for index, name in enumerate(chart.series)] if len(chart.series) > 1 else []
    if any(bar.low is not None for row in chart.rows for bar in row.bars):
        found.append(("whisker", "interval"))
    if any(row.reported for row in chart.rows):
        found.append(("reported", "the reported figure"))
    return [*found, *([("reference", chart.reference[1])] if chart.reference else [])]
