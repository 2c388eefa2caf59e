"""Judge the changes of a variant's layers, and recommend one of them with its evidence.

Reads a comparison whose first side is the variant itself. Counted figures decide; speed decides where it was
timed and differs. If instructions, misses and mispredictions disagree, the estimate of KCachegrind decides
(`estimated_cycles`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from layermatrix.analysis import duel, figures
from layermatrix.analysis.comparison import COUNTED, SPEED, Side, Word
from layermatrix.analysis.duel import OVERALL, Row
from layermatrix.evidence import counters
from layermatrix.evidence.counters import CountedLoad
from layermatrix.model.candidates import Candidate, Change, How
from layermatrix.model.catalogue import Unit

TOLERANCE = COUNTED["instructions"].tolerance  # relative; a smaller difference does not count
INTERACTION = 0.01  # how much a pair's effect has to differ from the sum of the single ones
MISS, MISPREDICTED, MEMORY = 10, 10, 100  # cycles, by KCachegrind's formula for "Cycle Estimation"


@dataclass(frozen=True)
class Judgement:
    """The effect of a candidate. word: None if nothing was measured. effect: the relative change of what
    decides, negative if the candidate is better. evidence: in words."""

    candidate: Candidate
    word: Word | None
    effect: float
    evidence: str


def estimated_cycles(counted: CountedLoad) -> float:
    """The cycles of an operation as KCachegrind estimates them: instructions + 10 L1 misses + 10
    mispredictions + 100 misses of the last level."""
    events = counted.per_op
    return (
        events["instructions"]
        + MISS * counters.l1_misses(events)
        + MISPREDICTED * events["mispredicted"]
        + MEMORY * events["ll_misses"]
    )


def judge(
    candidate: Candidate, base: Side, side: Side, loads: Sequence[str], unit: Unit, smallest: float
) -> Judgement:
    """Whether the candidate is better than its base on these loads. smallest: the share that a difference in
    speed has to exceed to count."""
    if side.failure:
        return Judgement(candidate, None, 0.0, f"not built: {side.failure.target} failed")
    rows = duel.rows(base, side, loads, unit, smallest)
    tops = {name: _top(rows, name) for name in (*COUNTED, SPEED)}
    evidence = _evidence(rows)
    speed = tops[SPEED]
    if speed and speed.word and speed.word is not Word.SAME and speed.ratio:
        return Judgement(candidate, speed.word, 1 - speed.ratio.median, evidence)
    words = {row.word for name in COUNTED if (row := tops[name]) and row.word}
    if not words:
        return Judgement(candidate, None, 0.0, evidence or "nothing was measured")
    effect = _estimate(base, side, loads)
    decided = words - {Word.SAME}
    if not decided:
        return Judgement(candidate, Word.SAME, 0.0, evidence)
    if len(decided) == 1:
        (word,) = decided
        return Judgement(candidate, word, effect, evidence)
    word = Word.SAME
    if abs(effect) > TOLERANCE:
        word = Word.BETTER if effect < 0 else Word.WORSE
    more = f"{_percent(effect)} {'fewer' if effect < 0 else 'more'} estimated cycles"
    return Judgement(candidate, word, effect, f"{evidence}; together {more}")


def _estimate(base: Side, side: Side, loads: Iterable[str]) -> float:
    """The relative change of the estimated cycles over the loads."""
    before, after = 0.0, 0.0
    for load in loads:
        one, other = figures.counted(base, load), figures.counted(side, load)
        if isinstance(one, CountedLoad) and isinstance(other, CountedLoad):
            before += estimated_cycles(one)
            after += estimated_cycles(other)
    return after / before - 1 if before > 0 else 0.0


def _top(rows: Iterable[Row], figure: str) -> Row | None:
    """The row of all loads, or of the only load."""
    own = [row for row in rows if row.figure == figure and row.word]
    return next((row for row in own if row.load == OVERALL), own[0] if own else None)


# --- evidence in words

NOUNS: Mapping[str, tuple[str, str]] = {
    "instructions": ("fewer instructions", "more instructions"),
    "misses": ("fewer L1 misses", "more L1 misses"),
    "mispredictions": ("fewer mispredictions", "more mispredictions"),
    SPEED: ("faster", "slower"),
}


def _evidence(rows: Sequence[Row]) -> str:
    """What differs on which load: "3.1% fewer instructions on larson; no difference elsewhere"."""
    own = [row for row in rows if row.load != OVERALL and row.word]
    if not own:
        return ""
    moved = [row for row in own if row.word is not Word.SAME]
    if not moved:
        return f"no difference on {', '.join(dict.fromkeys(row.load for row in own))}"
    parts = [
        part
        for figure in (*COUNTED, SPEED)
        for word in (Word.BETTER, Word.WORSE)
        for part in _difference([row for row in moved if (row.figure, row.word) == (figure, word)])
    ]
    elsewhere = {row.load for row in own} - {row.load for row in moved}
    return "; ".join([*parts, *(["no difference elsewhere"] if elsewhere else [])])


def _difference(rows: Sequence[Row]) -> list[str]:
    """One figure of several loads that moved in one direction: "3.1% fewer instructions on larson, 2.0% on
    replace"."""
    if not rows:
        return []
    noun = NOUNS[rows[0].figure][rows[0].word is Word.WORSE]
    first, *others = [_on(row) for row in rows]
    share, _, place = first.rpartition("on ")
    return [", ".join([f"{share}{noun} on {place}", *others])]


def _on(row: Row) -> str:
    """The change on one load; in its own unit, if one of the two figures is almost 0."""
    if row.ratio:
        return f"{_percent(row.ratio.median - 1)} on {row.load}"
    assert row.a is not None
    assert row.b is not None
    return f"{abs(row.b - row.a):.3f} on {row.load}"


def _percent(change: float) -> str:
    return f"{abs(change) * 100:.1f}%"


# --- the recommendation


def effects(judgements: Iterable[Judgement]) -> dict[Change, float]:
    """The effects of the single changes that made a difference."""
    return {
        one.candidate.changes[0]: one.effect
        for one in judgements
        if len(one.candidate.changes) == 1 and one.word in (Word.BETTER, Word.WORSE)
    }


def winner(judgements: Sequence[Judgement]) -> Judgement | None:
    """The best candidate that is better than the variant. Of several that are equally good, the one with the
    fewest changes, and then the one with the fewest layers."""
    good = [one for one in judgements if one.word is Word.BETTER]
    best = min((one.effect for one in good), default=0.0)
    equal = [one for one in good if one.effect <= best + TOLERANCE]
    return min(equal, key=_simplicity, default=None)


def _simplicity(one: Judgement) -> tuple[int, int, float]:
    added = sum(change.how is How.WITH for change in one.candidate.changes)
    return len(one.candidate.changes), added, one.effect


def sentences(
    variant: str, judgements: Sequence[Judgement], titles: Mapping[str, str], timed: bool
) -> list[str]:
    """The recommendation and its evidence. titles: of the layers."""
    best = winner(judgements)
    if best:
        advice = [_advice(change, titles) for change in best.candidate.changes]
        lines = [f"Recommendation: {' and '.join(advice)}: {best.evidence}."]
    else:
        lines = [f"Recommendation: leave {variant} as it is: no change that was tried is better."]
    for one in judgements:
        if one is not best:
            lines.append(f"  {_other(one, titles)}")
    lines += _interactions(judgements, titles)
    if not timed:
        lines.append("  This is what is counted; rounds=7 also times it.")
    return lines


def _advice(change: Change, titles: Mapping[str, str]) -> str:
    verb = "leave out" if change.how is How.WITHOUT else "add"
    return f"{verb} {titles[change.layer]}"


def _other(one: Judgement, titles: Mapping[str, str]) -> str:
    """What became of a change that is not recommended."""
    first = one.candidate.changes[0]
    title = titles[first.layer]
    if len(one.candidate.changes) > 1:
        head = " and ".join(_advice(change, titles) for change in one.candidate.changes)
        return f"{head}: {_outcome(one)}."
    if one.word is None:
        return f"{'without' if first.how is How.WITHOUT else 'with'} {title}: {one.evidence}."
    if first.how is How.WITHOUT:
        heads = {
            Word.WORSE: f"keep {title}: without it, ",
            Word.SAME: f"{title} has no effect here: without it, ",
            Word.BETTER: f"leave out {title}: ",
        }
    else:
        heads = {
            Word.WORSE: f"do not add {title}: with it, ",
            Word.SAME: f"do not add {title}: with it, ",
            Word.BETTER: f"add {title}: ",
        }
    return f"{heads[one.word]}{one.evidence}."


def _outcome(one: Judgement) -> str:
    return one.evidence if one.word is None else f"{one.word.value} ({one.evidence})"


def _interactions(judgements: Sequence[Judgement], titles: Mapping[str, str]) -> list[str]:
    """The pairs whose effect differs from the sum of the two single effects."""
    single = effects(judgements)
    lines = []
    for one in judgements:
        changes = one.candidate.changes
        if len(changes) != 2 or one.word is None or not all(change in single for change in changes):
            continue
        expected = sum(single[change] for change in changes)
        if abs(one.effect - expected) > INTERACTION:
            names = " and ".join(titles[change.layer] for change in changes)
            together = f"{one.effect * 100:+.1f}% together, {expected * 100:+.1f}% if they were independent"
            lines.append(f"  {names} interact: {together} (estimated cycles, or speed where it decides).")
    return lines
