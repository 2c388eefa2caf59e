"""Compare the measured figures of the variants with the reported ones.

Reads results; returns their story. No variant's name is used in this module. A child in a lineage is expected
to need less and to run faster than its parent; with exactly the parent's layers, it is expected not to
differ. Reported figures give the expected size of a step.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from layermatrix.analysis import deviations, host_groups
from layermatrix.analysis.figures import (
    Evidence,
    Interval,
    Value,
    entry_instructions,
    entry_names,
    l1_misses,
    op_instructions,
    reported_range,
    speed_ratio,
    timing,
)
from layermatrix.analysis.story import Against, Direction, Extent, Guard, Span, Standing, Step, Story, Verdict
from layermatrix.core.records import NotMeasured
from layermatrix.evidence import bench, guards

if TYPE_CHECKING:
    from layermatrix.analysis.results import CellResult, Results

OPEN = (None, Direction.UNDECIDED, Direction.WITHIN)
NO_DIFFERENCE = (Direction.SAME, Direction.WITHIN)
RANK = (Standing.SLOWER, Standing.SAME, Standing.FASTER)
LAYOUT = "layout"  # the setting that only selects how many units the same code is compiled in
SIGNS = {
    Direction.LOWER: ">", Direction.HIGHER: "<", Direction.SAME: "=", Direction.WITHIN: "~",
    Direction.UNDECIDED: "?", None: "?",
}  # fmt: skip

Cells = Mapping[str, "CellResult"]  # by variant


@dataclass(frozen=True)
class Measure:
    """A figure of the story. figure: the measured figure that corresponds to a reported one. A difference
    within the relative `tolerance` or the absolute `floor` counts as no difference. evidence: the kind that
    it is from, if it depends on the host."""

    key: str
    title: str
    figure: str
    better: Direction
    tolerance: float
    digits: int
    value: Callable[[Evidence, str | None], Value]
    suffix: str = ""
    floor: float = 0.0
    evidence: str = ""


def _speed(cell: Evidence, load: str | None) -> Value:
    """The ratio of speeds. After too few rounds, it allows no conclusion."""
    ratio, found = speed_ratio(cell, load), timing(cell, load)
    is_open = (
        isinstance(found, bench.Timing)
        and isinstance(found.ratio, bench.Ratio)
        and found.ratio.verdict is bench.Verdict.OPEN
    )
    if isinstance(ratio, Interval) and (is_open or ratio.low == ratio.high):
        return Interval(0.0, ratio.middle, math.inf)
    return ratio


MEASURES = (
    Measure("code", "Instructions of {entry}", "asm_lines", Direction.LOWER, 0.02, 0, entry_instructions),
    Measure(
        "executed",
        "Instructions per {work}",
        "",
        Direction.LOWER,
        0.02,
        1,
        op_instructions,
        evidence="counters",
    ),
    Measure(
        "misses",
        "L1 misses per {work}",
        "l1_misses",
        Direction.LOWER,
        0.05,
        3,
        l1_misses,
        floor=0.005,
        evidence="counters",
    ),
    Measure(
        "speed",
        "Speed on {load}, in multiples of the {baseline}",
        "speed",
        Direction.HIGHER,
        0.03,
        2,
        _speed,
        "x",
        evidence="bench",
    ),
)


def shown(measure: str) -> tuple[int, str]:
    """The printed form of a figure of this measure: its digits and its unit."""
    found = next(known for known in MEASURES if known.key == measure)
    return found.digits, found.suffix


def story_of(results: Results) -> Story:
    """The story of these results."""
    groups = _groups(results.cells)
    parts = [_of_group(results, config, cells, f"{config}: " * (len(groups) > 1)) for config, cells in groups]
    return Story(
        steps=tuple(step for part in parts for step in part.steps),
        standings=tuple(item for part in parts for item in part.standings),
        guards=tuple(item for part in parts for item in part.guards),
        deviations=tuple(item for part in parts for item in part.deviations),
        sentences=tuple(line for part in parts for line in part.sentences),
    )


def _of_group(results: Results, config: str, cells: Cells, prefix: str) -> Story:
    steps = [step for measure in MEASURES for step in _steps(measure, cells, config, results)]
    standings = _standings(results, cells, config)
    found = _guards(results, cells, config)
    lines = (
        *_step_sentences(steps, cells, results),
        *_standing_sentences(standings, results),
        *_guard_sentences(found),
    )
    return Story(
        tuple(steps),
        tuple(standings),
        tuple(found),
        deviations.of_story(steps, standings, cells, results),
        tuple(prefix + line for line in lines),
    )


def _groups(cells: Iterable[CellResult]) -> Sequence[tuple[str, Cells]]:
    """The cells that can be compared: those of one compiler, by variant."""
    groups: dict[str, dict[str, CellResult]] = {}
    for cell in cells:
        if cell.is_shipped:
            groups.setdefault(cell.compiler, {})[cell.variant] = cell
    return list(groups.items())


def _parent(cell: CellResult, cells: Cells) -> CellResult | None:
    """The nearest ancestor among the cells."""
    ancestors = [name for name in cell.lineage if name in cells and name != cell.variant]
    return cells[ancestors[-1]] if ancestors else None


# --- steps


def _steps(measure: Measure, cells: Cells, config: str, results: Results) -> Iterable[Step]:
    for child in cells.values():
        parent = _parent(child, cells)
        if parent is not None and _is_comparable(parent, child, results):
            yield _step(measure, parent, child, config, results)


def _is_comparable(parent: CellResult, child: CellResult, results: Results) -> bool:
    """Whether this step has an expected direction. A report gives one. Otherwise, fewer layers are expected
    to need less, and the same layers in another layout the same. Other layers, or layers that do more work,
    give none."""
    if any(results.reported(child, measure.figure) for measure in MEASURES):
        return True
    if parent.layers != child.layers:
        return set(child.layers) < set(parent.layers)
    before, after = ({**_settings(results, cell), LAYOUT: None} for cell in (parent, child))
    return before == after


def _settings(results: Results, cell: CellResult) -> Mapping[str, str]:
    about = results.variants.get(cell.variant)
    return about.settings if about else {}


def _step(measure: Measure, parent: CellResult, child: CellResult, config: str, results: Results) -> Step:
    before, after = _values(measure, parent, child, results)
    same_layers = parent.layers == child.layers
    projected = None if same_layers else _projected(measure, parent, child, results)
    expected = Direction.SAME if same_layers else measure.better
    missing = [(cell, value) for cell, value in ((parent, before), (child, after)) if not _is_known(value)]
    ratio, measured = None, None
    if isinstance(before, Interval) and isinstance(after, Interval):
        ratio = after.middle / before.middle if before.middle > 0 else None
        measured = _direction(measure, before, after)
    return Step(
        measure=measure.key,
        title=measure.title.format(**_words(results, parent)),
        config=config,
        parent=parent.variant,
        child=child.variant,
        expected=expected,
        projected=projected,
        parent_value=before.middle if isinstance(before, Interval) else None,
        child_value=after.middle if isinstance(after, Interval) else None,
        ratio=ratio,
        extent=_extent(measure.better, ratio, projected),
        measured=measured,
        agrees=_agrees(expected, measured),
        reason=next((f"{cell.variant}: {_reason(value)}" for cell, value in missing), None),
    )


def _values(measure: Measure, parent: CellResult, child: CellResult, results: Results) -> tuple[Value, Value]:
    """The figures of both cells. That of the child is missing if hosts took them that do not compare."""
    before, after = (measure.value(cell, results.headline) for cell in (parent, child))
    if measure.evidence and _is_known(before) and _is_known(after):
        reason = host_groups.why_apart(results, measure.evidence, child, parent)
        if reason:
            return before, NotMeasured(reason)
    return before, after


def _is_known(value: Value) -> bool:
    return isinstance(value, Interval)


def _reason(value: Value) -> str:
    return value.reason if isinstance(value, NotMeasured) else ""


def _words(results: Results, cell: CellResult) -> dict[str, str | None]:
    """The text that titles of measures are built from."""
    return {
        "entry": next(iter(entry_names(cell)), "the first entry"),
        "work": results.view.work,
        "load": results.headline,
        "baseline": results.baseline.name,
    }


def _agrees(expected: Direction, measured: Direction | None) -> bool | None:
    if expected is Direction.SAME and measured in NO_DIFFERENCE:
        return True
    return None if measured in OPEN else measured is expected


def _direction(measure: Measure, before: Interval, after: Interval) -> Direction:
    if math.inf in (before.high, after.high):
        return Direction.UNDECIDED
    if abs(after.middle - before.middle) <= max(measure.tolerance * abs(before.middle), measure.floor):
        return Direction.SAME
    if max(before.low, after.low) <= min(before.high, after.high):
        return Direction.WITHIN
    return Direction.LOWER if after.middle < before.middle else Direction.HIGHER


def _extent(better: Direction, ratio: float | None, projected: Span | None) -> Extent | None:
    if ratio is None or projected is None:
        return None
    if projected.low <= ratio <= projected.high:
        return Extent.AS_FAR
    is_farther = (ratio > projected.high) == (better is Direction.HIGHER)
    return Extent.FARTHER if is_farther else Extent.LESS_FAR


def _projected(measure: Measure, parent: CellResult, child: CellResult, results: Results) -> Span | None:
    """The factor between parent and child that their reported figures predict."""
    before, after = (reported_range(results.reported(cell, measure.figure)) for cell in (parent, child))
    return Span(after[0] / before[1], after[1] / before[0]) if before and after and before[0] else None


# --- standings


def _standings(results: Results, cells: Cells, config: str) -> list[Against]:
    """Each cell compared with the baseline, for each load. Reported speeds apply to the headline load."""
    return [
        _against(results, cell, load, config)
        for load, cell in itertools.product(results.view.loads, cells.values())
    ]


def _against(results: Results, cell: CellResult, load: str, config: str) -> Against:
    ratio = _speed(cell, load)
    projected = _reported_ratio(results, cell) if load == results.headline else None
    measured = _standing(ratio.low, ratio.high) if isinstance(ratio, Interval) else None
    expected = _standing(projected.low, projected.high) if projected else None
    return Against(
        config=config,
        load=load,
        variant=cell.variant,
        ratio=ratio.middle if isinstance(ratio, Interval) else None,
        projected=projected,
        expected=expected,
        measured=measured,
        verdict=_verdict(expected, measured),
    )


def _reported_ratio(results: Results, cell: CellResult) -> Span | None:
    own, base = (reported_range(results.reported(one, "speed")) for one in (cell, results.baseline))
    return Span(own[0] / base[1], own[1] / base[0]) if own and base and base[0] else None


def _verdict(expected: Standing | None, measured: Standing | None) -> Verdict | None:
    if expected is None or measured is None or measured is Standing.UNDECIDED:
        return None
    if expected is measured:
        return Verdict.AS_REPORTED
    return Verdict.BETTER if RANK.index(measured) > RANK.index(expected) else Verdict.WORSE


def _standing(low: float, high: float) -> Standing:
    if high == math.inf:
        return Standing.UNDECIDED
    if low > 1.0:
        return Standing.FASTER
    return Standing.SLOWER if high < 1.0 else Standing.SAME


# --- guards


def _guards(results: Results, cells: Cells, config: str) -> list[Guard]:
    """Whether the library of each variant with guarded debug output contains no debug strings."""
    found = []
    for cell in cells.values():
        record = cell.of(guards.KIND)
        output = _settings(results, cell).get("debug_output")
        if not isinstance(record, NotMeasured) and output is not None:
            found.append(Guard(config, cell.variant, output == "guarded", record.debug_strings.count))
    return found


# --- sentences


def _step_sentences(steps: Sequence[Step], cells: Cells, results: Results) -> Iterable[str]:
    for measure in MEASURES:
        own = {step.child: step for step in steps if step.measure == measure.key}
        for chain in _chains(own):
            if all(step.measured is None for step in chain):
                yield f"{chain[0].title}: not measured ({chain[-1].reason})."
            else:
                is_reported = all(results.reported(cells[step.child], measure.figure) for step in chain)
                verdict = _chain_verdict(chain, "as reported" if is_reported else "as expected")
                yield f"{chain[0].title}: {_chain_text(chain, measure)}. {verdict}"


def _chains(steps: Mapping[str, Step]) -> Iterable[list[Step]]:
    """The steps from each youngest variant back to its oldest ancestor, oldest first."""
    parents = {step.parent for step in steps.values()}
    for child in steps:
        if child in parents:
            continue
        chain = [steps[child]]
        while chain[0].parent in steps:
            chain.insert(0, steps[chain[0].parent])
        yield chain


def _chain_text(chain: Sequence[Step], measure: Measure) -> str:
    words = [f"{chain[0].parent} {_value(chain[0].parent_value, measure)}"]
    words += [f"{SIGNS[step.measured]} {step.child} {_value(step.child_value, measure)}" for step in chain]
    return " ".join(words)


def _value(value: float | None, measure: Measure) -> str:
    return "not measured" if value is None else f"{value:,.{measure.digits}f}{measure.suffix}"


def _chain_verdict(chain: Sequence[Step], as_it_was: str) -> str:
    against = [step for step in chain if step.agrees is False]
    if against:
        parts = [f"{_relation(step)}, {step.expected.value} was expected" for step in against]
        return f"NOT {as_it_was}: {'; '.join(parts)}."
    undecided = [step for step in chain if step.agrees is None]
    if undecided:
        return "Not decided: " + "; ".join(dict.fromkeys(map(_why_undecided, undecided))) + "."
    short = [step for step in chain if step.extent is Extent.LESS_FAR]
    parts = [f"{step.child} {step.ratio:.2f}x (reported: {step.projected})" for step in short]
    return as_it_was.capitalize() + (f", but less far: {', '.join(parts)}." if parts else ".")


def _why_undecided(step: Step) -> str:
    if step.reason:
        return step.reason
    why = "was timed in too few rounds" if step.measured is Direction.UNDECIDED else "lies within the spread"
    return f"{step.child} against {step.parent} {why}"


def _relation(step: Step) -> str:
    if step.measured in NO_DIFFERENCE:
        return f"{step.child} does not differ from {step.parent}"
    direction = step.measured.value if step.measured else "not measured"
    return f"{step.child} is {direction} than {step.parent}"


def _standing_sentences(standings: Sequence[Against], results: Results) -> Iterable[str]:
    for load in dict.fromkeys(item.load for item in standings):
        measured = [item for item in standings if item.load == load and item.measured]
        if measured:
            parts = ", ".join(f"{item.variant} {_found(item)}" for item in measured)
            yield f"Against the {results.baseline.name} on {load}: {parts}.{_standing_verdict(measured)}"


def _found(item: Against) -> str:
    return f"{item.measured.value} ({item.ratio:.2f}x)" if item.measured else "not measured"


def _standing_verdict(measured: Sequence[Against]) -> str:
    words = ""
    for verdict in (Verdict.WORSE, Verdict.BETTER):
        found = [item for item in measured if item.verdict is verdict]
        if found:
            names = ", ".join(
                f"{item.variant} (reported: {item.expected.value})" for item in found if item.expected
            )
            words += f" {verdict.value.capitalize()}: {names}."
    return words or (" As reported." if any(item.agrees for item in measured) else "")


def _guard_sentences(found: Sequence[Guard]) -> Iterable[str]:
    if not found:
        return
    counts = ", ".join(f"{item.variant} {item.count}" for item in found)
    left = [item.variant for item in found if item.agrees is False]
    verdict = (
        f"NOT as reported: {', '.join(left)} should have none." if left else "None where output is guarded."
    )
    yield f"Debug strings in the library: {counts}. {verdict}"
