"""Set the sides of an experiment, or a variant and what is left of it without a layer, beside each other.

Reads cell records as `results` collects them, with the timings of the one run in which the sides took turns.
Writes and reads `build/report/experiments.json`; gives verdicts that claim no more than the samples show.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from layermatrix.analysis import figures
from layermatrix.core import records
from layermatrix.measure import stats

Record = dict[str, Any]

FILE = Path("build/report/experiments.json")
KIND = "experiments"
NO_DIFFERENCE = "no difference that this run can show"
SPEED = "speed"
BETTER, WORSE, LEVEL = "better", "worse", "level"
# of a side's cell record, what is kept: the rest would only make the file long
KEPT = ("id", "variant", "doc", "layers", "quoted", "built", "failure", "asm", "code", "counters", "bench")


@dataclass(frozen=True)
class Question:
    """What is asked of the sides. figure: the one that decides, on the first of the loads; None: nothing is
    decided, each side is only set beside the first."""

    name: str
    title: str
    doc: str
    loads: tuple[str, ...]
    figure: str | None
    kept: str | None
    command: str


@dataclass(frozen=True)
class Counted:
    """A figure that repeats. Relative `tolerance` and absolute `floor`: what counts as level."""

    words: Mapping[str, str]
    value: Callable[[Record, str], figures.Interval | None]
    digits: int
    tolerance: float = 0.005
    floor: float = 0.002


COUNTED: Mapping[str, Counted] = {
    "instructions": Counted(
        {BETTER: "takes fewer instructions than", WORSE: "takes more instructions than"},
        lambda side, load: figures.op_instructions(_of_load(side, load), load),
        1,
    ),
    "misses": Counted(
        {BETTER: "misses L1 less often than", WORSE: "misses L1 more often than"},
        lambda side, load: figures.l1_misses(_of_load(side, load), load),
        3,
    ),
    "mispredictions": Counted(
        {BETTER: "mispredicts fewer branches than", WORSE: "mispredicts more branches than"},
        lambda side, load: figures.mispredictions(_of_load(side, load), load),
        3,
    ),
}
WORDS = {BETTER: "is faster than", WORSE: "is slower than"}


def build(question: Question, sides: Sequence[Record], libraries: Mapping[str, Path]) -> Record:
    """The record of one comparison. libraries: each side's, by cell id; the report tells whether it is still
    the same one."""
    first, *others = sides
    return {
        "name": question.name,
        "question": question.title,
        "doc": question.doc,
        "loads": list(question.loads),
        "decides": question.figure,
        "kept": question.kept,
        "command": question.command,
        "sides": [_trimmed(side, libraries[side["id"]]) for side in sides],
        "pairs": [
            weigh(figure, load, first, side)
            for side in others
            for load in question.loads
            for figure in (SPEED, *COUNTED)
        ],
        "verdict": _verdict(question, sides) if question.figure else None,
    }


def weigh(figure: str, load: str, against: Record, side: Record) -> Record:
    """Whether `side` is better than the other one, in words and as a ratio; `word` is None with a reason."""
    found = _speeds(load, against, side) if figure == SPEED else _counts(figure, load, against, side)
    names = {"figure": figure, "load": load, "side": side["variant"], "against": against["variant"]}
    return {**names, "word": None, "ratio": None, "reason": None, **found}


def _speeds(load: str, against: Record, side: Record) -> Record:
    timed = [(one, one["bench"].get("loads", {}).get(load, {})) for one in (against, side)]
    for one, of in timed:
        if not of.get("samples"):
            why = of.get("reason") or one["bench"].get("reason") or "was not timed"
            return _undecided(f"speed on {load} is not measured: {one['variant']}: {why}")
    before, after = (of["samples"] for _, of in timed)
    if len(before) == 1:
        return _undecided(f"speed on {load} was timed only once, which shows no difference")
    found = stats.compare(before, after)
    word = {"faster": BETTER, "slower": WORSE, "level": LEVEL}[found.word]
    method = stats.median_interval(before).method
    figure = f"{found.ratio:.2f}x ({found.low:.2f}-{found.high:.2f}, {method} of {len(before)} rounds)"
    names = side["variant"], against["variant"]
    text = f"{names[0]} against {names[1]} on {load}: {NO_DIFFERENCE}: {figure}"
    if word != LEVEL:
        text = f"{names[0]} {WORDS[word]} {names[1]} on {load}: {figure}"
    ratio = {"median": found.ratio, "low": found.low, "high": found.high}
    return {"word": word, "ratio": ratio, "text": text}


def _counts(figure: str, load: str, against: Record, side: Record) -> Record:
    counted = COUNTED[figure]
    before, after = (counted.value(one, load) for one in (against, side))
    if before is None or after is None:
        one = against if before is None else side
        of = one["counters"].get("loads", {}).get(load, {})
        why = of.get("reason") or one["counters"].get("reason") or "this load is not counted"
        return _undecided(f"{figure} on {load} are not measured: {one['variant']}: {why}")
    old, new = before[1], after[1]
    word = LEVEL
    if abs(new - old) > max(counted.tolerance * abs(old), counted.floor):
        word = BETTER if new < old else WORSE
    shown = f"{new:,.{counted.digits}f} and {old:,.{counted.digits}f} an operation"
    said = counted.words.get(word, "is level with")
    text = f"{side['variant']} {said} {against['variant']} on {load}: {shown}"
    ratio = (
        new / old if old > 0 and new > 0 else None
    )  # the benchmark's own share is taken off: may be below 0
    return {"word": word, "ratio": ratio and {"median": ratio, "low": ratio, "high": ratio}, "text": text}


def _undecided(reason: str) -> Record:
    return {"reason": reason, "text": reason}


def _of_load(side: Record, load: str) -> Record:
    """The side with the counters of this load alone: no other load's figure stands in for it."""
    loads = side["counters"].get("loads", {})
    return {"counters": {"loads": {load: loads[load]} if load in loads else {}}}


def _verdict(question: Question, sides: Sequence[Record]) -> Record:
    """The side that is better than every other by the figure that decides, or none; and why."""
    assert question.figure is not None
    load, figure = question.loads[0], question.figure
    for side in sides:
        found = {other["id"]: weigh(figure, load, other, side) for other in sides if other is not side}
        if all(pair["word"] == BETTER for pair in found.values()):
            return {
                "winner": side["variant"],
                "text": _sentence(found.values()),
                "agrees": _agrees(question, side),
            }
    first, *others = sides
    rest = _sentence(weigh(figure, load, first, side) for side in others)
    return {"winner": None, "text": rest, "agrees": None}


def _agrees(question: Question, winner: Record) -> bool | None:
    return None if question.kept is None else bool(winner["variant"] == question.kept)


def _sentence(pairs: Iterable[Record]) -> str:
    return "; ".join(str(pair["text"]) for pair in pairs) + "."


def conclusions(comparison: Record) -> list[str]:
    """The verdict of an experiment; of layers left out, what each of them changed."""
    verdict = comparison["verdict"]
    if verdict is None:
        return [f"{side['variant']}: {_changes(comparison, side)}." for side in comparison["sides"][1:]]
    told = {True: " The phases kept it.", False: f" The phases kept {comparison['kept']}.", None: ""}
    winner = verdict["winner"] or "no winner"
    return [f"Verdict: {winner}. {verdict['text']}{told[verdict['agrees']]}"]


def _changes(comparison: Record, side: Record) -> str:
    """What is better or worse without a layer; a side that was not built says so."""
    if side["failure"]:
        return f"not built: {side['failure'].get('target')} failed"
    words = []
    for load in comparison["loads"]:
        own = [
            pair for pair in comparison["pairs"] if (pair["side"], pair["load"]) == (side["variant"], load)
        ]
        parts = [f"{pair['figure']} {_change(pair)}" for pair in own if pair["word"]]
        words += [f"{load}: {', '.join(parts)}"] if parts else []
    return "; ".join(words) or "nothing was measured"


def _change(pair: Record) -> str:
    ratio = f" ({pair['ratio']['median']:.2f}x)" if pair["ratio"] else ""
    return f"{pair['word']}{ratio}"


# --- the file


def _trimmed(side: Record, library: Path) -> Record:
    return {**{key: side[key] for key in KEPT if key in side}, "library": digest(library)}


def digest(library: Path) -> str | None:
    """What tells one build of a library from another; None where there is none."""
    return hashlib.sha256(library.read_bytes()).hexdigest() if library.is_file() else None


def empty() -> Record:
    return records.measured(KIND, comparisons={})


def store(root: Path, comparison: Record) -> None:
    """Put a comparison into the file, beside those of other names that are there."""
    known = load(root)
    kept = known if records.is_measured(known) else empty()
    kept["comparisons"][comparison["name"]] = comparison
    records.write(root / FILE, kept)


def load(root: Path) -> Record:
    """What the last runs found; each comparison says with `stale` whether a side was built anew since."""
    found = records.load(root / FILE, KIND)
    if not (root / FILE).exists():
        return records.not_measured(
            KIND, "no experiment was made: ./sconsw ab, ./sconsw ablate variant=<name>"
        )
    for comparison in found.get("comparisons", {}).values():
        comparison["stale"] = [side["variant"] for side in comparison["sides"] if not _is_current(root, side)]
    return found


def _is_current(root: Path, side: Record) -> bool:
    folder = root / "build" / str(side["id"])
    return any(digest(library) == side["library"] for library in sorted(folder.glob("lib*.so")))
