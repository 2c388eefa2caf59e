"""Print the counts of a variant's layers as a text table for each load; for `explain`.

Reads the costs that `layercost.of_cell` joins; returns lines.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence

from layermatrix.analysis.layercost import LayerCost, LayerCosts, LoadCosts
from layermatrix.core.records import NotMeasured
from layermatrix.evidence.kind import Status

WIDTH = 100
COLUMNS = (
    ("reached", 8),
    ("hits", 8),
    ("serves", 8),
    ("keeps", 8),
    ("in", 8),
    ("out", 8),
    ("peak KiB", 9),
    ("code", 6),
    ("instr.", 8),
    ("without", 8),
    ("counted", 8),
)
WORDS = """
reached: share of the requests that reach this layer. hits: share of these that it serves. serves: share
of all requests that it serves. keeps: share of the freed blocks offered to it that it keeps. in, out:
blocks moved by refills, top-ups, spills and drains. peak: the maximum held by one thread's classes.
code: instructions of the layer in the inlined entry. instr.: instructions executed in its lines per
request, with the free. without: the estimated change of the path's instructions without this layer: its
own are saved, and the next layer of the class handles its blocks at its own mean cost. counted: the
same change, counted in a build without the layer.
"""


def table(record: LayerCosts | NotMeasured, titles: Mapping[str, str]) -> list[str]:
    """The section of `explain`; titles: by the layers' names. If nothing was counted, it has the reason."""
    heading = "What each layer does"
    if isinstance(record, NotMeasured):
        return [f"{heading}: {record.reason}"]
    lines = []
    for name, load in record.loads.items():
        lines += [f"{heading} in {name}: {_about(load)}", *_rows(load, titles), ""]
    for check in record.programs:
        if check.status is Status.FAILED:
            lines += [f"{heading} in {check.name}: not known: {check.reason}", ""]
    lines += textwrap.wrap(" ".join(WORDS.split()), WIDTH, initial_indent="  ", subsequent_indent="  ")
    reasons = dict.fromkeys(_reasons(record, titles))
    for reason in reasons:
        lines += textwrap.wrap(reason, WIDTH, initial_indent="  ", subsequent_indent="    ")
    return [
        *lines,
        f"  To count: {record.command}; without=all also leaves out each layer.",
    ]


def _about(load: LoadCosts) -> str:
    running = load.threads["running"]
    words = f"{load.requests:,} requests"
    if not isinstance(load.instructions, NotMeasured):
        words += f", {load.instructions.total:.1f} instructions each"
    if running:
        words += f"; {running} threads were still running and are not counted"
    return words


def _rows(load: LoadCosts, titles: Mapping[str, str]) -> Iterator[str]:
    width = max(len(title) for title in titles.values()) + 2
    yield f"  {'':<{width}}" + "".join(f"{name:>{size}}" for name, size in COLUMNS)
    for name, layer in load.layers.items():
        cells = zip(_cells(layer, load.requests), COLUMNS, strict=True)
        yield f"  {titles[name]:<{width}}" + "".join(f"{cell:>{size}}" for cell, (_, size) in cells)
    costs = load.instructions
    if not isinstance(costs, NotMeasured):
        before = sum(size for _, size in COLUMNS[:9])
        for title, value in (("the frame", costs.frame), ("the rest", costs.elsewhere)):
            yield f"  {title:<{width}}" + f"{value:>{before}.1f}"


def _cells(layer: LayerCost, requests: int) -> Sequence[str]:
    return (
        percent(layer.entries / requests if requests else None),
        percent(layer.hit_rate),
        percent(layer.share),
        percent(layer.kept_rate),
        f"{layer.refilled + layer.topped_up + layer.taken_in:,}",
        f"{layer.handed_up + layer.spilled + layer.drained:,}",
        f"{layer.peak_bytes / 1024:.1f}",
        "-" if layer.code is None else f"{layer.code}",
        "-" if layer.cost is None else f"{layer.cost:.1f}",
        change(layer.without.estimate),
        change(layer.without.measured),
    )


def _reasons(record: LayerCosts, titles: Mapping[str, str]) -> Iterator[str]:
    """Why a layer has no estimate, or no instructions."""
    if record.code_reason:
        yield f"code: not measured: {record.code_reason}"
    for name, load in record.loads.items():
        if isinstance(load.instructions, NotMeasured):
            yield f"{name}: instructions not measured: {load.instructions.reason}"
            continue
        for layer, figures in load.layers.items():
            if figures.without.reason:
                yield f"without {titles[layer]}: not known: {figures.without.reason}"


def percent(rate: float | None) -> str:
    """A share; "-" where there were no requests."""
    return "-" if rate is None else f"{100 * rate:.1f}%"


def change(instructions: float | None) -> str:
    """A change with its sign; "-" where it is not known."""
    if instructions is None:
        return "-"
    return f"{instructions:+.1f}" if abs(instructions) >= 0.05 else "0.0"
