"""Say why a step went otherwise than it was told, from what the counters and the code show.

Reads the steps and standings of a story, and the result record that they were drawn from; returns, for each
that is not as it was told, the counters of both sides and sentences that name their cause. It knows no
variant by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from layermatrix.analysis import figures

if TYPE_CHECKING:
    from layermatrix.analysis.layer_path import LayerPath, Stage

Record = dict[str, Any]

OTHERWISE = ("less far than told", "farther than told")
FEW = 0.1  # of all misses: the rest explains them
MUCH = 0.1  # of a factor: less of a difference explains nothing
COUNTED = {
    "instructions": "instructions",
    "branches": "branches",
    "mispredicted": "mispredicted branches",
    "i1_misses": "I1 misses",
    "d1_misses": "D1 misses",
}


def projections(
    steps: Iterable[Record], standings: Iterable[Record], cells: Mapping[str, Record], results: Record
) -> list[Record]:
    """The steps and standings that are not as they were told, each with `counters` and `why`. cells: those
    that the steps are about, by variant."""
    found = [
        _step(step, cells[step["parent"]], cells[step["child"]], results)
        for step in steps
        if step["agrees"] is False or step["extent"] in OTHERWISE
    ]
    return found + [
        _standing(item, cells[item["variant"]], results)
        for item in standings
        if item["verdict"] not in (None, "as told")
    ]


def _step(step: Record, parent: Record, child: Record, results: Record) -> Record:
    load = results.get("headline")
    counters = _counters(parent, child, load)
    reasons = WHY[step["measure"]](step, parent, child, results)
    verdict = "not as told" if step["agrees"] is False else step["extent"]
    if step["agrees"] is None:
        verdict += f", {step['measured']}"
    return {
        "config": step["config"],
        "figure": step["title"],
        "variant": step["child"],
        "against": step["parent"],
        "projected": step["projected"],
        "ratio": step["ratio"],
        "verdict": verdict,
        "counters": counters,
        "why": list(reasons),
    }


def _standing(item: Record, cell: Record, results: Record) -> Record:
    baseline = results["baseline"]
    return {
        "config": item["config"],
        "figure": f"Speed on {item['load']}, in multiples of the {baseline['name']}",
        "variant": item["variant"],
        "against": baseline["name"],
        "projected": item["projected"],
        "ratio": item["ratio"],
        "verdict": item["verdict"],
        "counters": _counters(baseline, cell, item["load"]),
        "why": list(_why_standing(cell, baseline, item["load"])),
    }


def _counters(before: Record, after: Record, load: str | None) -> list[Record]:
    """What was counted an operation on both sides."""
    old, new = figures.per_op(before, load) or {}, figures.per_op(after, load) or {}
    return [
        {"name": words, "before": old[key], "after": new[key], "ratio": _ratio(old[key], new[key])}
        for key, words in COUNTED.items()
        if old.get(key) is not None and new.get(key) is not None
    ]


def _number(value: float, digits: int) -> str:
    """What rounds to nothing has no sign."""
    return f"{round(value, digits) + 0.0:,.{digits}f}"


def _ratio(before: float, after: float) -> float | None:
    """Of counts that may be a trifle below nothing, since the benchmark's own share is taken off."""
    return after / before if before > 0 and after > 0 else None


def _why_code(step: Record, parent: Record, child: Record, results: Record) -> Iterable[str]:
    """How much of the path belonged to the layers that are gone."""
    names = figures.entry_names(parent)
    own = parent["asm"]["entries"][names[0]].get("layers") if names else None
    gone = _gone(parent, child, results)
    if not own or not gone:
        return
    removed = sum(own[layer.name]["instructions"] for layer in gone if layer.name in own)
    titles = ", ".join(layer.title for layer in gone)
    before, after = step["parent_value"], step["child_value"]
    yield (
        f"Of the {before:,.0f} instructions of {parent['variant']}, {removed:,.0f} belong to the layers that "
        f"{child['variant']} leaves out ({titles})."
    )
    rest = before - after - removed
    if abs(rest) > MUCH * before:
        changed = _changed(parent, child, results) or "the compiler's choices"
        yield (
            f"Another {rest:,.0f} went with {changed}." if rest > 0 else f"{-rest:,.0f} came with {changed}."
        )


def _gone(parent: Record, child: Record, results: Record) -> list[Stage]:
    about = results["variants"]
    if parent["variant"] not in about or child["variant"] not in about:
        return []
    left = {layer.name for layer in about[child["variant"]].layers}
    return [layer for layer in about[parent["variant"]].layers if layer.name not in left]


def changed_settings(old: LayerPath, new: LayerPath) -> str:
    """The settings that differ between two variants, as `layer_path` describes them."""
    before, after = old.settings, new.settings
    changed = [key for key in after if key in before and before[key] != after[key]]
    return ", ".join(f"{key.replace('_', ' ')} {before[key]} → {after[key]}" for key in changed)


def _changed(parent: Record, child: Record, results: Record) -> str:
    return changed_settings(*(results["variants"][cell["variant"]] for cell in (parent, child)))


def _why_misses(step: Record, parent: Record, child: Record, results: Record) -> Iterable[str]:
    """Whether it is code that misses the cache, or data."""
    load = results.get("headline")
    for cell in (parent, child):
        counted = figures.per_op(cell, load) or {}
        code, data = counted.get("i1_misses"), counted.get("d1_misses")
        if code is None or data is None:
            continue
        where = f"{_number(data, 3)} times an operation for data, {_number(code, 3)} times for code"
        if abs(code) <= FEW * abs(code + data):
            yield f"{cell['variant']} misses {where}: the length of its path is not what misses."
        else:
            yield f"{cell['variant']} misses {where}."


def _why_speed(step: Record, parent: Record, child: Record, results: Record) -> Iterable[str]:
    """How much less an operation executes, beside how much shorter the path is."""
    load = results.get("headline")
    old, new = (figures.op_instructions(cell, load) for cell in (parent, child))
    if not old or not new or old[1] <= 0:
        yield "What an operation executes was not counted, so the cause is not known."
        return
    executed = new[1] / old[1]
    yield (
        f"An operation of {child['variant']} executes {new[1]:.1f} instructions, one of {parent['variant']} "
        f"{old[1]:.1f}: {executed:.2f}x."
    )
    whole = [figures.alloc_instructions(cell) for cell in (parent, child)]
    if whole[0] and whole[1] and whole[1][1] / whole[0][1] < executed - MUCH:
        shrunk = whole[1][1] / whole[0][1]
        yield (
            f"The path is {shrunk:.2f}x as long, but a hit leaves it at the first layer that has a block: "
            "what lies behind costs room, not time."
        )
    yield from _bound(child, load)


def _bound(cell: Record, load: str | None) -> Iterable[str]:
    """What the benchmark itself costs, which no variant can save."""
    own = cell["counters"].get("loads", {}).get(load, {}).get("own_share") or {}
    if own.get("instructions") and own.get("mispredicted") is not None:
        yield (
            f"The benchmark's own share, the same for all: {own['instructions']:.1f} instructions and "
            f"{own['mispredicted']:.3f} mispredicted branches an operation."
        )


def _why_standing(cell: Record, baseline: Record, load: str | None) -> Iterable[str]:
    """What the cell and the baseline execute and miss."""
    own, other = figures.per_op(cell, load) or {}, figures.per_op(baseline, load) or {}
    parts = [
        f"{words} {_number(own[key], digits)} and {_number(other[key], digits)}"
        for key, words, digits in (
            ("instructions", "instructions", 1),
            ("mispredicted", "mispredicted branches", 3),
        )
        if own.get(key) is not None and other.get(key) is not None
    ]
    misses = figures.l1_misses(cell, load), figures.l1_misses(baseline, load)
    if misses[0] and misses[1]:
        parts.append(f"L1 misses {_number(misses[0][1], 3)} and {_number(misses[1][1], 3)}")
    if not parts:
        yield "What an operation executes was not counted, so the cause is not known."
        return
    yield f"An operation of {cell['variant']} and of the {baseline['name']}: {'; '.join(parts)}."
    yield from _told_misses(cell["variant"], cell, load)
    yield from _told_misses(f"The {baseline['name']}", baseline, load)


def _told_misses(name: str, record: Record, load: str | None) -> Iterable[str]:
    """What was told of L1 misses beside what they are, where that differs. Who told it may have counted the
    benchmark, too."""
    quoted, found = record["quoted"].get("l1_misses"), figures.l1_misses(record, load)
    told = figures.quoted_range(quoted)
    if told and found and not told[0] <= found[1] <= told[1]:
        whole = figures.raw_l1_misses(record, load)
        with_own = f", {_number(whole[1], 3)} with the benchmark's own" if whole else ""
        here = f"{_number(found[1], 3)}{with_own}"
        yield f"{name} was told to miss L1 {quoted} times an operation; here it is {here}."


def _why_executed(step: Record, parent: Record, child: Record, results: Record) -> Iterable[str]:
    changed = _changed(parent, child, results)
    if changed:
        yield f"Settings that changed: {changed}."


WHY: dict[str, Callable[[Record, Record, Record, Record], Iterable[str]]] = {
    "code": _why_code,
    "executed": _why_executed,
    "misses": _why_misses,
    "speed": _why_speed,
}
