"""Bar charts as inline SVG: no script, no file to load, colours from the page's own variables.

Reads plain rows; returns SVG text. `of_results` makes the charts of a result record.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from layermatrix.analysis import figures, reported
from layermatrix.report import table

Record = dict[str, Any]

WIDTH, LABELS, VALUES = 880, 170, 120  # in all; for the names on the left; for the figures on the right
BAR, BAR_GAP, ROW_GAP = 16, 4, 14
AXIS = 30


@dataclass(frozen=True)
class Bar:
    """A measured value; `low`..`high` is its spread. A value of None was not measured, `text` says why."""

    series: int
    value: float | None
    text: str
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Row:
    """The bars of one cell, and what the seed quotes for it as a range."""

    name: str
    bars: tuple[Bar, ...]
    quoted: tuple[float, float] | None = None
    quoted_text: str = ""


@dataclass(frozen=True)
class Chart:
    """`reference` is a line across all rows, such as the baseline's 1.0."""

    title: str
    unit: str
    series: tuple[str, ...]
    rows: tuple[Row, ...]
    log: bool = False
    reference: tuple[float, str] | None = None


def of_results(results: Record) -> list[Chart]:
    """The charts of a report, of the cells that the story is about; those without a figure are left out."""
    told = [cell for cell in results["cells"] if reported.is_told(cell)]
    results = {**results, "cells": told or results["cells"]}
    charts = [_speed_chart(results, load) for load in table.loads(results)]
    charts += [_code_chart(results), _miss_chart(results)]
    if not results["cells"]:
        return []
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
        yield from row.quoted or ()
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
    if row.quoted:
        yield from _quoted(row, y, scale)


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


def _quoted(row: Row, y: float, scale: Callable[[float], float]) -> Iterable[str]:
    assert row.quoted is not None
    low, high = scale(row.quoted[0]), scale(row.quoted[1])
    left = low if high - low >= 6 else (low + high) / 2 - 3
    yield (
        f'<rect class="quoted" x="{left:.1f}" y="{y - 3:.1f}" width="{max(high - low, 6):.1f}" '
        f'height="{_row_height(row) + 6:.1f}" rx="3"><title>{escape(row.quoted_text)}</title></rect>'
    )


def _speed_chart(results: Record, load: str) -> Chart:
    names = table.row_names(results)
    base = figures.quoted_range(results["baseline"]["quoted"].get("mops"))
    rows = []
    for cell in results["cells"]:
        ratio = figures.speed_ratio(cell, load)
        own = figures.quoted_range(cell["quoted"].get("mops")) if load == results.get("headline") else None
        quoted = (own[0] / base[1], own[1] / base[0]) if own and base else None
        text = f"seed: {cell['quoted'].get('mops')} of {results['baseline']['quoted'].get('mops')} Mops/s"
        bar = Bar(0, ratio[1], f"{ratio[1]:.2f}x", ratio[0], ratio[2]) if ratio else _absent(cell, "bench")
        rows.append(Row(names[cell["id"]], (bar,), quoted, text if quoted else ""))
    system = results["baseline"]["name"]
    return Chart(f"Speed, {load}", f"multiple of the {system}", (load,), tuple(rows), reference=(1.0, system))


def _code_chart(results: Record) -> Chart:
    names, entries = table.row_names(results), table.entries(results)
    rows = []
    for cell in results["cells"]:
        counted = [cell["asm"].get("entries", {}).get(entry, {}).get("instructions") for entry in entries]
        bars = tuple(
            Bar(index, value, f"{value:,}") if value is not None else _absent(cell, "asm", index)
            for index, value in enumerate(counted)
        )
        quoted = cell["quoted"].get("asm_lines")
        rows.append(
            Row(names[cell["id"]], bars, figures.quoted_range(quoted), f"seed: {quoted} lines of assembly")
        )
    return Chart(
        "Code of the fast path", "machine instructions, log scale", tuple(entries), tuple(rows), log=True
    )


def _miss_chart(results: Record) -> Chart:
    names, load = table.row_names(results), results.get("headline")
    series = (("the library's", figures.l1_misses), ("with the benchmark's own", figures.raw_l1_misses))
    rows = []
    for name, record in [(results["baseline"]["name"], results["baseline"])] + [
        (names[cell["id"]], cell) for cell in results["cells"]
    ]:
        bars = tuple(_miss_bar(record, of(record, load), index) for index, (_, of) in enumerate(series))
        quoted = record["quoted"].get("l1_misses")
        rows.append(Row(name, bars, figures.quoted_range(quoted), f"seed: {quoted} L1 misses an operation"))
    return Chart("L1 misses", "an operation", tuple(title for title, _ in series), tuple(rows))


def _miss_bar(record: Record, misses: figures.Interval | None, series: int) -> Bar:
    if misses is None:
        return _absent(record, "counters", series)
    return Bar(series, misses[1], table.number(misses[1], 3))


def _absent(record: Record, kind: str, series: int = 0) -> Bar:
    return Bar(series, None, f"not measured: {record[kind].get('reason') or 'no reason was given'}")


def legend(chart: Chart) -> Sequence[tuple[str, str]]:
    """(class of the swatch, words) of each thing that the chart shows."""
    found = [(f"s{index}", name) for index, name in enumerate(chart.series)] if len(chart.series) > 1 else []
    if any(bar.low is not None for row in chart.rows for bar in row.bars):
        found.append(("whisker", "interval"))
    if any(row.quoted for row in chart.rows):
        found.append(("quoted", "the seed's figure, quoted"))
    return [*found, *([("reference", chart.reference[1])] if chart.reference else [])]
