"""Compare the measured figures with what was told about the variants before anything was measured.

Reads a result record; returns plain statements. It knows no variant by name: a child in a lineage is
expected to need less and to run faster than its parent, or to stay level where it has the parent's very
layers. Figures that a variant quotes say how far.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from layermatrix.analysis import deviations
from layermatrix.analysis.figures import (
    Interval,
    alloc_instructions,
    l1_misses,
    op_instructions,
    quoted_range,
    speed_ratio,
)

if TYPE_CHECKING:
    from layermatrix.analysis.layer_path import LayerPath

Record = dict[str, Any]

LEVEL = ("level", "within the spread")
UNDECIDED = (None, "undecided", "within the spread")
RANK = {"behind": 0, "level": 1, "ahead": 2}
LAYOUT = "layout"  # the setting that only says in how many units the same code is compiled
TOLD = {"mode": "release", "sanitizer": "none", "target": "native"}  # other cells tell another story


@dataclass(frozen=True)
class Measure:
    """One figure that the story is about. Relative `tolerance` and absolute `floor`: what counts as level."""

    key: str
    title: str
    kind: str
    quoted: str
    better: str  # 'lower' or 'higher'
    tolerance: float
    digits: int
    value: Callable[[Record, str | None], Interval | None]
    suffix: str = ""
    floor: float = 0.0


def tell(results: Record) -> Record:
    """`steps` (child against parent), `standings` (cell against baseline), `guards`, `sentences`, and in
    `wrong` what went otherwise than it was told, with the reason."""
    groups = _groups(results["cells"])
    story: Record = {"steps": [], "standings": [], "guards": [], "sentences": [], "wrong": [], "agrees": None}
    for config, cells in groups.items():
        steps = [step for measure in MEASURES for step in _steps(measure, cells, config, results)]
        standings = _standings(results, cells, config)
        guards = _guards(results, cells, config)
        prefix = f"{config}: " if len(groups) > 1 else ""
        lines = (
            *_step_sentences(steps, cells),
            *_standing_sentences(standings, results),
            *_guard_sentences(guards),
        )
        story["sentences"] += [prefix + line for line in lines]
        story["wrong"] += deviations.projections(steps, standings, cells, results)
        for key, items in (("steps", steps), ("standings", standings), ("guards", guards)):
            story[key] += items
    return {**story, "agrees": _all_agree(story)}


def _all_agree(story: Record) -> bool | None:
    """Whether everything is as it was told, or better; None where nothing could be decided."""
    verdicts = [item["agrees"] for key in ("steps", "guards") for item in story[key]]
    verdicts += [item["verdict"] != "worse than told" for item in story["standings"] if item["verdict"]]
    decided = [agrees for agrees in verdicts if agrees is not None]
    return all(decided) if decided else None


def _speed(cell: Record, load: str | None) -> Interval | None:
    """The ratio of speeds; what was timed once has no spread, so that nothing can be concluded from it."""
    ratio = speed_ratio(cell, load)
    return (0.0, ratio[1], math.inf) if ratio and ratio[0] == ratio[2] else ratio


MEASURES = (
    Measure(
        "code",
        "Instructions of the allocation path",
        "asm",
        "asm_lines",
        "lower",
        0.02,
        0,
        alloc_instructions,
    ),
    Measure("executed", "Instructions an operation", "counters", "", "lower", 0.02, 1, op_instructions),
    Measure(
        "misses", "L1 misses an operation", "counters", "l1_misses", "lower", 0.05, 3, l1_misses, floor=0.005
    ),
    Measure(
        "speed",
        "Speed on {load}, in multiples of the {baseline}",
        "bench",
        "mops",
        "higher",
        0.03,
        2,
        _speed,
        "x",
    ),
)


def shown(measure: str) -> tuple[int, str]:
    """How a figure of this measure is printed: digits, and what stands behind it."""
    found = next(known for known in MEASURES if known.key == measure)
    return found.digits, found.suffix


def is_told(cell: Record) -> bool:
    """Whether the story is about this cell: it is built the way in which it would be used."""
    return all(cell.get(axis, value) == value for axis, value in TOLD.items())


def _groups(cells: Iterable[Record]) -> dict[str, dict[str, Record]]:
    """The cells that can be compared: those of one compiler, by variant."""
    groups: dict[str, dict[str, Record]] = {}
    for cell in cells:
        if is_told(cell):
            groups.setdefault(cell["compiler"], {})[cell["variant"]] = cell
    return groups


def _parent(cell: Record, cells: dict[str, Record]) -> Record | None:
    """The nearest ancestor that is among the cells."""
    ancestors = [name for name in cell["lineage"] if name in cells and name != cell["variant"]]
    return cells[ancestors[-1]] if ancestors else None


def _steps(measure: Measure, cells: dict[str, Record], config: str, results: Record) -> Iterable[Record]:
    for child in cells.values():
        parent = _parent(child, cells)
        if parent is not None and _is_comparable(parent, child, results):
            words = {"load": results.get("headline"), "baseline": results["baseline"]["name"]}
            step = _step(measure, parent, child, results.get("headline"))
            yield {**step, "title": measure.title.format(**words), "config": config}


def _is_comparable(parent: Record, child: Record, results: Record) -> bool:
    """Whether anything was told of this step, or follows from what it is: fewer layers need less, and the
    same ones, laid out otherwise, just as much. Of other layers, or of more work in them, nothing is."""
    if any(measure.quoted in child["quoted"] for measure in MEASURES if measure.quoted):
        return True
    if parent["layers"] != child["layers"]:
        return set(child["layers"]) < set(parent["layers"])
    before, after = ({**_settings(results, cell), LAYOUT: None} for cell in (parent, child))
    return bool(before == after)


def _settings(results: Record, cell: Record) -> Mapping[str, str]:
    about: LayerPath | None = results["variants"].get(cell["variant"])
    return about.settings if about else {}


def _step(measure: Measure, parent: Record, child: Record, load: str | None) -> Record:
    before, after = measure.value(parent, load), measure.value(child, load)
    same_layers = parent["layers"] == child["layers"]
    expected = "level" if same_layers else measure.better
    projected = None if same_layers else _projected(measure.quoted, parent, child)
    ratio = after[1] / before[1] if before and after and before[1] > 0 else None
    measured = _direction(measure, before, after) if before and after else None
    return {
        "measure": measure.key,
        "parent": parent["variant"],
        "child": child["variant"],
        "expected": expected,
        "projected": projected,
        "parent_value": before[1] if before else None,
        "child_value": after[1] if after else None,
        "ratio": ratio,
        "extent": _extent(measure.better, ratio, projected),
        "measured": measured,
        "agrees": _agrees(expected, measured),
        "reason": None if measured else _why_missing(measure, parent if before is None else child),
    }


def _agrees(expected: str, measured: str | None) -> bool | None:
    if expected == "level" and measured in LEVEL:
        return True
    return None if measured in UNDECIDED else measured == expected


def _direction(measure: Measure, before: Interval, after: Interval) -> str:
    """'lower', 'higher' or 'level'; 'within the spread' where the two intervals leave it open, 'undecided'
    where one of them is not known."""
    if math.inf in (before[2], after[2]):
        return "undecided"
    if abs(after[1] - before[1]) <= max(measure.tolerance * abs(before[1]), measure.floor):
        return "level"
    if max(before[0], after[0]) <= min(before[2], after[2]):
        return "within the spread"
    return "lower" if after[1] < before[1] else "higher"


def _extent(better: str, ratio: float | None, projected: Record | None) -> str | None:
    """Whether a step went as far as the quoted figures project."""
    if ratio is None or projected is None:
        return None
    if projected["low"] <= ratio <= projected["high"]:
        return "as far as told"
    return (
        "farther than told" if (ratio > projected["high"]) == (better == "higher") else "less far than told"
    )


def _projected(key: str, parent: Record, child: Record) -> Record | None:
    """The factor between parent and child that their quoted figures promise."""
    before, after = quoted_range(parent["quoted"].get(key)), quoted_range(child["quoted"].get(key))
    if not before or not after or not before[0]:
        return None
    return {"low": after[0] / before[1], "high": after[1] / before[0]}


def _why_missing(measure: Measure, cell: Record) -> str:
    return f"{cell['variant']}: {cell.get(measure.kind, {}).get('reason') or 'not measured'}"


def _standings(results: Record, cells: dict[str, Record], config: str) -> list[Record]:
    """Where each cell stands against the baseline, for each load; what is quoted is about the headline."""
    headline = results.get("headline")
    loads = sorted(results.get("loads", {}), key=lambda name: name != headline)
    found = []
    for load, cell in itertools.product(loads, cells.values()):
        told = _told_standing(results, cell) if load == headline else None
        found.append({"config": config, "load": load, **_standing_of(cell, _speed(cell, load), told)})
    return found


def _standing_of(cell: Record, ratio: Interval | None, told: Record | None) -> Record:
    measured = _standing(ratio[0], ratio[2]) if ratio else None
    expected = _standing(told["low"], told["high"]) if told else None
    verdict = _verdict(expected, measured)
    return {
        "variant": cell["variant"],
        "ratio": ratio[1] if ratio else None,
        "projected": told,
        "expected": expected,
        "measured": measured,
        "verdict": verdict,
        "agrees": verdict == "as told" if verdict else None,
    }


def _told_standing(results: Record, cell: Record) -> Record | None:
    own, base = (
        quoted_range(cell["quoted"].get("mops")),
        quoted_range(results["baseline"]["quoted"].get("mops")),
    )
    return {"low": own[0] / base[1], "high": own[1] / base[0]} if own and base and base[0] else None


def _verdict(expected: str | None, measured: str | None) -> str | None:
    if expected is None or measured is None or measured == "undecided":
        return None
    if expected == measured:
        return "as told"
    return "better than told" if RANK[measured] > RANK[expected] else "worse than told"


def _standing(low: float, high: float) -> str:
    if high == math.inf:
        return "undecided"
    if low > 1.0:
        return "ahead"
    return "behind" if high < 1.0 else "level"


def _step_sentences(steps: list[Record], cells: dict[str, Record]) -> Iterable[str]:
    for measure in MEASURES:
        own = {step["child"]: step for step in steps if step["measure"] == measure.key}
        for chain in _chains(own):
            if all(step["measured"] is None for step in chain):
                yield f"{chain[0]['title']}: not measured ({chain[-1]['reason']})."
            else:
                verdict = _chain_verdict(chain, measure, cells)
                yield f"{chain[0]['title']}: {_chain_text(chain, measure)}. {verdict}"


def _chains(steps: dict[str, Record]) -> Iterable[list[Record]]:
    """The steps from each youngest variant back to its oldest ancestor, oldest first."""
    parents = {step["parent"] for step in steps.values()}
    for child in steps:
        if child in parents:
            continue
        chain = [steps[child]]
        while chain[0]["parent"] in steps:
            chain.insert(0, steps[chain[0]["parent"]])
        yield chain


SIGNS = {"lower": ">", "higher": "<", "level": "=", "within the spread": "~", "undecided": "?", None: "?"}


def _chain_text(chain: list[Record], measure: Measure) -> str:
    words = [f"{chain[0]['parent']} {_value(chain[0]['parent_value'], measure)}"]
    for step in chain:
        words.append(f"{SIGNS[step['measured']]} {step['child']} {_value(step['child_value'], measure)}")
    return " ".join(words)


def _value(value: float | None, measure: Measure) -> str:
    return "not measured" if value is None else f"{value:,.{measure.digits}f}{measure.suffix}"


def _chain_verdict(chain: list[Record], measure: Measure, cells: dict[str, Record]) -> str:
    quoted = all(measure.quoted in cells[step["child"]]["quoted"] for step in chain)
    told = "as the seed tells" if quoted else "as expected"
    against = [step for step in chain if step["agrees"] is False]
    if against:
        parts = [f"{_relation(step)}, {_expectation(step)} was expected" for step in against]
        return f"NOT {told}: " + "; ".join(parts) + "."
    undecided = [step for step in chain if step["agrees"] is None]
    if undecided:
        return "Not decided: " + "; ".join(dict.fromkeys(map(_why_undecided, undecided))) + "."
    short = [step for step in chain if step["extent"] == "less far than told"]
    parts = [f"{step['child']} {step['ratio']:.2f}x ({span(step['projected'])} was told)" for step in short]
    return f"{told[0].upper()}{told[1:]}" + (f", but less far: {', '.join(parts)}." if parts else ".")


def _why_undecided(step: Record) -> str:
    if step["reason"]:
        return str(step["reason"])
    deviations = "was timed only once" if step["measured"] == "undecided" else "lies within the spread"
    return f"{step['child']} against {step['parent']} {deviations}"


def span(of: Record) -> str:
    """A projected factor, or the range of it."""
    low, high = f"{of['low']:.2f}", f"{of['high']:.2f}"
    return f"{low}x" if low == high else f"{low}-{high}x"


def _relation(step: Record) -> str:
    if step["measured"] in ("level", "within the spread"):
        return f"{step['child']} is level with {step['parent']}"
    return f"{step['child']} is {step['measured']} than {step['parent']}"


def _expectation(step: Record) -> str:
    return "no change" if step["expected"] == "level" else step["expected"]


def _standing_sentences(standings: list[Record], results: Record) -> Iterable[str]:
    for load in dict.fromkeys(item["load"] for item in standings):
        measured = [item for item in standings if item["load"] == load and item["measured"]]
        if measured:
            parts = ", ".join(
                f"{item['variant']} {item['measured']} ({item['ratio']:.2f}x)" for item in measured
            )
            baseline = results["baseline"]["name"]
            yield f"Against the {baseline} on {load}: {parts}.{_standing_verdict(measured)}"


def _standing_verdict(measured: list[Record]) -> str:
    words = ""
    for verdict in ("worse than told", "better than told"):
        found = [item for item in measured if item["verdict"] == verdict]
        if found:
            names = ", ".join(f"{item['variant']} (told: {item['expected']})" for item in found)
            words += f" {verdict.removesuffix('told').capitalize()}the seed tells: {names}."
    return words or (" As the seed tells." if any(item["agrees"] for item in measured) else "")


def _guards(results: Record, cells: dict[str, Record], config: str) -> list[Record]:
    """Whether each variant that guards its debug output has none left in the library."""
    found = []
    for cell in cells.values():
        count = cell.get("guards", {}).get("debug_strings", {}).get("count")
        output = _settings(results, cell).get("debug_output")
        if count is not None and output is not None:
            guarded = output == "guarded"
            found.append(
                {
                    "config": config,
                    "variant": cell["variant"],
                    "guarded": guarded,
                    "count": count,
                    "agrees": (count == 0) if guarded else None,
                }
            )
    return found


def _guard_sentences(guards: list[Record]) -> Iterable[str]:
    if not guards:
        return
    counts = ", ".join(f"{item['variant']} {item['count']}" for item in guards)
    left = [item["variant"] for item in guards if item["agrees"] is False]
    verdict = f"NOT as told: {', '.join(left)} should have none." if left else "None where output is guarded."
    yield f"Debug strings in the library: {counts}. {verdict}"
