"""Explain, from counters and code, why a measured step differs from the reported one.

Reads the steps and standings of a story, and its results. For each one that differs from the report, returns
the counters of both sides and sentences about the cause. This module uses no variant's name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from layermatrix.analysis import figures
from layermatrix.analysis.figures import Evidence, Interval
from layermatrix.analysis.story import Against, CounterPair, Deviation, Extent, Step, Verdict
from layermatrix.core.records import NotMeasured
from layermatrix.evidence import asm
from layermatrix.evidence.columns import number

if TYPE_CHECKING:
    from layermatrix.analysis.layer_path import LayerPath, Stage
    from layermatrix.analysis.results import BaselineResult, CellResult, Results

OTHERWISE = (Extent.LESS_FAR, Extent.FARTHER)
FEW = 0.1  # share of all misses; below it, the other misses explain the difference
MUCH = 0.1  # of a factor; a smaller difference explains nothing
COUNTED = {
    "instructions": "instructions",
    "branches": "branches",
    "mispredicted": "mispredicted branches",
    "i1_misses": "I1 misses",
    "d1_misses": "D1 misses",
}
NOT_COUNTED = "What one {work} executes was not counted, so the cause is not known."


def of_story(
    steps: Sequence[Step], standings: Sequence[Against], cells: Mapping[str, CellResult], results: Results
) -> tuple[Deviation, ...]:
    """The steps and standings that differ from the report. cells: variant -> the cell of its steps."""
    otherwise = [step for step in steps if step.agrees is False or step.extent in OTHERWISE]
    found = [_of_step(step, cells[step.parent], cells[step.child], results) for step in otherwise]
    others = [item for item in standings if item.verdict not in (None, Verdict.AS_REPORTED)]
    return (*found, *(_of_standing(item, cells[item.variant], results) for item in others))


def _of_step(step: Step, parent: CellResult, child: CellResult, results: Results) -> Deviation:
    verdict = "not as reported" if step.agrees is False or step.extent is None else step.extent.value
    if step.agrees is None and step.measured:
        verdict += f", {step.measured.value}"
    return Deviation(
        config=step.config,
        figure=step.title,
        variant=step.child,
        against=step.parent,
        projected=step.projected,
        ratio=step.ratio,
        verdict=verdict,
        counters=_counters(parent, child, results.headline),
        why=tuple(WHY[step.measure](step, parent, child, results)),
    )


def _of_standing(item: Against, cell: CellResult, results: Results) -> Deviation:
    baseline = results.baseline
    return Deviation(
        config=item.config,
        figure=f"Speed on {item.load}, in multiples of the {baseline.name}",
        variant=item.variant,
        against=baseline.name,
        projected=item.projected,
        ratio=item.ratio,
        verdict=item.verdict.value if item.verdict else "",
        counters=_counters(baseline, cell, item.load),
        why=tuple(_why_standing(cell, item.load, results)),
    )


def _counters(before: Evidence, after: Evidence, load: str | None) -> tuple[CounterPair, ...]:
    """The counters per operation of both sides."""
    old, new = figures.per_op(before, load), figures.per_op(after, load)
    return tuple(
        CounterPair(words, old[key], new[key], _ratio(old[key], new[key]))
        for key, words in COUNTED.items()
        if key in old and key in new
    )


def _ratio(before: float, after: float) -> float | None:
    """The ratio of two counts. A count may be slightly negative, because the benchmark's own share is
    subtracted."""
    return after / before if before > 0 and after > 0 else None


# --- causes, by measure


def _why_code(step: Step, parent: CellResult, child: CellResult, results: Results) -> Iterable[str]:
    """The share of the path that belonged to the removed layers."""
    own, gone = _instructions_by_layer(parent), _gone(parent, child, results)
    if not own or not gone or step.parent_value is None or step.child_value is None:
        return
    removed = sum(own[layer.name] for layer in gone if layer.name in own)
    titles = ", ".join(layer.title for layer in gone)
    yield (
        f"Of the {step.parent_value:,.0f} instructions of {parent.variant}, {removed:,.0f} belong to the "
        f"layers that {child.variant} leaves out ({titles})."
    )
    rest = step.parent_value - step.child_value - removed
    if abs(rest) > MUCH * step.parent_value:
        changed = _changed(parent, child, results)
        cause = f"The settings ({changed})" if changed else "The compiler's choices"
        yield f"{cause} removed another {rest:,.0f}." if rest > 0 else f"{cause} added {-rest:,.0f}."


def _instructions_by_layer(cell: CellResult) -> Mapping[str, int]:
    record = cell.of(asm.KIND)
    found = record if isinstance(record, NotMeasured) else record.instructions_by_layer()
    return {} if isinstance(found, NotMeasured) else found


def _gone(parent: CellResult, child: CellResult, results: Results) -> list[Stage]:
    about = results.variants
    if parent.variant not in about or child.variant not in about:
        return []
    left = {layer.name for layer in about[child.variant].layers}
    return [layer for layer in about[parent.variant].layers if layer.name not in left]


def changed_settings(old: LayerPath, new: LayerPath) -> str:
    """The settings that differ between two variants."""
    before, after = old.settings, new.settings
    changed = [key for key in after if key in before and before[key] != after[key]]
    return ", ".join(f"{key.replace('_', ' ')} {before[key]} → {after[key]}" for key in changed)


def _changed(parent: CellResult, child: CellResult, results: Results) -> str:
    return changed_settings(*(results.variants[cell.variant] for cell in (parent, child)))


def _why_misses(_step: Step, parent: CellResult, child: CellResult, results: Results) -> Iterable[str]:
    """Whether code or data causes the cache misses."""
    work = results.view.work
    for cell in (parent, child):
        counted = figures.per_op(cell, results.headline)
        if "i1_misses" not in counted or "d1_misses" not in counted:
            continue
        code, data = counted["i1_misses"], counted["d1_misses"]
        where = f"{number(data, 3)} times per {work} for data, {number(code, 3)} times for code"
        if abs(code) <= FEW * abs(code + data):
            yield f"{cell.variant} misses {where}: the length of its path is not what misses."
        else:
            yield f"{cell.variant} misses {where}."


def _why_speed(_step: Step, parent: CellResult, child: CellResult, results: Results) -> Iterable[str]:
    """The reduction in executed instructions compared with the reduction of the path's length."""
    load, work = results.headline, results.view.work
    old, new = (figures.op_instructions(cell, load) for cell in (parent, child))
    if not isinstance(old, Interval) or not isinstance(new, Interval) or old.middle <= 0:
        yield NOT_COUNTED.format(work=work)
        return
    executed = new.middle / old.middle
    yield (
        f"{child.variant} executes {new.middle:.1f} instructions per {work}, {parent.variant} "
        f"{old.middle:.1f}: {executed:.2f}x."
    )
    whole, less = (figures.entry_instructions(cell) for cell in (parent, child))
    if isinstance(whole, Interval) and isinstance(less, Interval):
        shrunk = less.middle / whole.middle
        if shrunk < executed - MUCH:
            yield (
                f"The path is {shrunk:.2f}x as long, but a hit leaves it at the first layer that can serve "
                "it: the later layers take up room, not time."
            )
    yield from _bound(child, load, work)


def _bound(cell: CellResult, load: str | None, work: str) -> Iterable[str]:
    """The cost of the benchmark itself, which no variant can reduce."""
    counted = figures.counted(cell, load)
    own = {} if isinstance(counted, NotMeasured) else counted.own_share
    if own.get("instructions") and "mispredicted" in own:
        yield (
            f"The benchmark's own share, the same for all: {own['instructions']:.1f} instructions and "
            f"{own['mispredicted']:.3f} mispredicted branches per {work}."
        )


def _why_standing(cell: CellResult, load: str, results: Results) -> Iterable[str]:
    """The instructions and misses of the cell and the baseline."""
    baseline, work = results.baseline, results.view.work
    own, other = figures.per_op(cell, load), figures.per_op(baseline, load)
    parts = [
        f"{words} {number(own[key], digits)} and {number(other[key], digits)}"
        for key, words, digits in (
            ("instructions", "instructions", 1),
            ("mispredicted", "mispredicted branches", 3),
        )
        if key in own and key in other
    ]
    misses = figures.l1_misses(cell, load), figures.l1_misses(baseline, load)
    if isinstance(misses[0], Interval) and isinstance(misses[1], Interval):
        parts.append(f"L1 misses {number(misses[0].middle, 3)} and {number(misses[1].middle, 3)}")
    if not parts:
        yield NOT_COUNTED.format(work=work)
        return
    yield f"{cell.variant} and the {baseline.name}, per {work}: {'; '.join(parts)}."
    yield from _reported_misses(cell.variant, cell, load, results)
    yield from _reported_misses(f"The {baseline.name}", baseline, load, results)


def _reported_misses(
    name: str, record: CellResult | BaselineResult, load: str, results: Results
) -> Iterable[str]:
    """The reported L1 misses and the measured ones, if they differ. The report may include the benchmark's
    own misses."""
    text, found = results.reported(record, "l1_misses"), figures.l1_misses(record, load)
    reported = figures.reported_range(text)
    if reported and isinstance(found, Interval) and not reported[0] <= found.middle <= reported[1]:
        whole = figures.raw_l1_misses(record, load)
        here = number(found.middle, 3)
        if isinstance(whole, Interval):
            here += f", {number(whole.middle, 3)} with the benchmark's own"
        yield f"{name} is reported to miss L1 {text} times per {results.view.work}; here it is {here}."


def _why_executed(_step: Step, parent: CellResult, child: CellResult, results: Results) -> Iterable[str]:
    changed = _changed(parent, child, results)
    if changed:
        yield f"Settings that changed: {changed}."


WHY: Mapping[str, Callable[[Step, CellResult, CellResult, Results], Iterable[str]]] = {
    "code": _why_code,
    "executed": _why_executed,
    "misses": _why_misses,
    "speed": _why_speed,
}
