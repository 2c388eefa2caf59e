"""Compare two contenders load by load and overall: counted figures first, then speed and memory.

Reads their counts and timings of one run. Returns rows for a table, and a verdict in words. Every speed
verdict comes from `comparison.ratios` and `overall_speed`, the only two places that ask the statistics.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from layermatrix.analysis import comparison, figures
from layermatrix.analysis.comparison import COUNTED, SPEED, Comparison, Question, Side, Speeds, Word
from layermatrix.analysis.figures import Interval, Value
from layermatrix.core.records import NotMeasured
from layermatrix.evidence.bench import SMALLEST_EFFECT, Bench, Timing
from layermatrix.evidence.columns import several
from layermatrix.evidence.counters import Counters
from layermatrix.measure import stats
from layermatrix.measure.contenders import Contender
from layermatrix.model.catalogue import Better, Unit

MEMORY = "peak memory"
MEMORY_TOLERANCE = (
    0.02  # of the peak: the system gives memory in pages, and a program's start differs by some
)
OVERALL = "overall"
FIGURES = (*COUNTED, SPEED, MEMORY)
UNCOUNTED = NotMeasured("only counts and timings are compared here")
ORDER = {Word.BETTER: "better", Word.WORSE: "worse", Word.SAME: "no difference"}


@dataclass(frozen=True)
class Row:
    """One figure of one load, or of all loads. ratio: b's figure divided by a's, with its interval. word:
    whether b is better; None if that is not known, for `reason`."""

    load: str
    figure: str
    a: float | None
    b: float | None
    ratio: comparison.Ratio | None
    word: Word | None
    reason: str = ""


@dataclass(frozen=True)
class Duel:
    """a, b: the names of the two. comparison: the same as a record that reports show."""

    a: str
    b: str
    rows: tuple[Row, ...]
    verdicts: tuple[str, ...]
    comparison: Comparison


def side(
    root: Path, contender: Contender, counted: Counters | NotMeasured, timed: Bench | NotMeasured
) -> Side:
    """A contender as a side of a comparison."""
    library = contender.library
    if library is not None and library.is_relative_to(root):
        library = library.relative_to(root)
    return Side(
        id=contender.name,
        variant=contender.name,
        layers=(),
        failure=None,
        asm=UNCOUNTED,
        code=UNCOUNTED,
        counters=counted,
        bench=timed,
        library=comparison.digest(root / library) if library else None,
        file=str(library) if library else "",
    )


def build(question: Question, a: Side, b: Side, unit: Unit, smallest: float) -> Duel:
    """Compare b with a. smallest: the share that a difference in speed has to exceed to count."""
    found = comparison.build(question, (a, b), unit.work, unit.better, smallest)
    shown = rows(a, b, question.loads, unit, smallest)
    return Duel(a.variant, b.variant, shown, tuple(_verdicts(a, b, shown)), found)


def rows(a: Side, b: Side, loads: Sequence[str], unit: Unit, smallest: float) -> tuple[Row, ...]:
    """Each figure of each load, and then of all loads."""
    speeds = comparison.ratios(loads, (a, b), unit.better, smallest)
    made = [_row(figure, load, a, b, unit.work, speeds) for figure in FIGURES for load in loads]
    made += [one for figure in FIGURES for one in _overall(figure, loads, a, b, unit.better, smallest)]
    return tuple(sorted(made, key=lambda row: FIGURES.index(row.figure)))


def _row(figure: str, load: str, a: Side, b: Side, work: str, speeds: Speeds | None = None) -> Row:
    if figure == MEMORY:
        return _memory(load, a, b)
    pair = comparison.weigh(figure, load, a, b, work, speeds)
    ratio = pair.ratio
    if figure == SPEED:
        before, after = _speed(a, load), _speed(b, load)
    else:
        before, after = _middle(COUNTED[figure].value(a, load)), _middle(COUNTED[figure].value(b, load))
        if not _has_ratio(before, after, COUNTED[figure].floor):
            ratio = None
    return Row(load, figure, before, after, ratio, pair.word, "" if pair.word else pair.text)


def _has_ratio(a: float | None, b: float | None, floor: float) -> bool:
    """Whether two figures are large enough for a ratio: one of 0.001 and 8 means nothing."""
    return a is not None and b is not None and min(a, b) > floor


def _memory(load: str, a: Side, b: Side) -> Row:
    """Compare the peaks of the timed runs."""
    values = []
    for one in (a, b):
        timing = figures.timing(one, load)
        peak = timing if isinstance(timing, NotMeasured) else timing.peak_kib
        if isinstance(peak, NotMeasured):
            reason = f"peak memory of {load} is not measured: {one.variant}: {peak.reason}"
            return Row(load, MEMORY, None, None, None, None, reason)
        values.append(float(peak))
    return _compared(load, MEMORY, values[0], values[1], MEMORY_TOLERANCE, 0.0)


def _compared(load: str, figure: str, a: float, b: float, tolerance: float, floor: float) -> Row:
    """A row of two figures without spread, of which the lower one is better."""
    word = Word.SAME
    if abs(b - a) > max(tolerance * abs(a), floor):
        word = Word.BETTER if b < a else Word.WORSE
    ratio = comparison.Ratio(b / a, b / a, b / a) if _has_ratio(a, b, floor) else None
    return Row(load, figure, a, b, ratio, word)


def _overall(
    figure: str, loads: Sequence[str], a: Side, b: Side, better: Better, smallest: float
) -> Iterable[Row]:
    """The figure over all loads that have it on both sides; nothing if fewer than two have it."""
    if figure == SPEED:
        row = overall_speed(loads, a, b, better, smallest)
    elif figure == MEMORY:
        row = _mean(figure, [_memory(load, a, b) for load in loads], MEMORY_TOLERANCE, 0.0)
    else:
        counted = COUNTED[figure]
        rows = [_row(figure, load, a, b, "") for load in loads]
        row = _mean(figure, rows, counted.tolerance, counted.floor)
    return [row] if row else []


def _mean(figure: str, rows: Sequence[Row], tolerance: float, floor: float) -> Row | None:
    """The mean of a figure over the loads: each load counts with the same number of operations."""
    known = [(row.a, row.b) for row in rows if row.a is not None and row.b is not None]
    if len(known) < 2:
        return None
    before, after = (sum(pair[place] for pair in known) / len(known) for place in (0, 1))
    return _compared(OVERALL, figure, before, after, tolerance, floor)


def overall_speed(
    loads: Sequence[str], a: Side, b: Side, better: Better = Better.HIGHER, smallest: float = SMALLEST_EFFECT
) -> Row | None:
    """The speed over all loads timed on both sides: of each round, the geometric mean over the loads. So each
    load has the same weight, and the interval is that of the rounds."""
    pairs = [(figures.timing(a, load), figures.timing(b, load)) for load in loads]
    timed = [(x, y) for x, y in pairs if isinstance(x, Timing) and isinstance(y, Timing)]
    if len(timed) < 2:
        return None
    before = _geometric([x.samples for x, _ in timed])
    after = _geometric([y.samples for _, y in timed])
    if len(before) < 2:
        return Row(OVERALL, SPEED, before[0], after[0], None, None, "one round shows no difference")
    found = stats.compare(before, after, better, smallest)
    ratio = comparison.Ratio(found.median, found.low, found.high)
    word = comparison.OF_TIMING[found.verdict]
    reason = "" if word else found.caution or found.verdict.value
    return Row(OVERALL, SPEED, _median(before), _median(after), ratio, word, reason)


def _geometric(samples: Sequence[Sequence[float]]) -> list[float]:
    """The geometric mean of each round over the loads, with 9 digits: the error of the logarithms is no
    difference."""
    means = (math.exp(sum(map(math.log, each)) / len(each)) for each in zip(*samples, strict=False))
    return [float(f"{mean:.9g}") for mean in means]


def _median(values: Sequence[float]) -> float:
    return stats.median_interval(values).median


def _speed(one: Side, load: str) -> float | None:
    timing = figures.timing(one, load)
    return timing.median if isinstance(timing, Timing) else None


def _middle(value: Value) -> float | None:
    return value.middle if isinstance(value, Interval) else None


# --- the verdict in words


WORDS: Mapping[str, Mapping[Word | None, str]] = {
    **{name: counted.words for name, counted in COUNTED.items()},
    SPEED: comparison.SPEED_WORDS,
    MEMORY: {Word.BETTER: "takes less memory than", Word.WORSE: "takes more memory than"},
}


def _verdicts(a: Side, b: Side, rows: Sequence[Row]) -> Iterable[str]:
    """One sentence for each figure: overall, or of the only load; the loads that differ from it are named."""
    for figure in FIGURES:
        own = [row for row in rows if row.figure == figure]
        known = [row for row in own if row.word]
        if not known:
            continue
        top = next((row for row in known if row.load == OVERALL), known[0])
        yield _sentence(figure, a.variant, b.variant, top) + _exceptions(top, known)


def _sentence(figure: str, a: str, b: str, row: Row) -> str:
    assert row.word is not None
    where = "overall" if row.load == OVERALL else f"on {row.load}"
    if row.word is Word.SAME:
        return f"{b} and {a}: no difference in {figure} {where}{_spread(row)}"
    return f"{b} {WORDS[figure][row.word]} {a} {where}{_spread(row)}"


def _spread(row: Row) -> str:
    if row.ratio is None:
        return f": {row.b:,.3f} and {row.a:,.3f}" if row.a is not None and row.b is not None else ""
    if row.ratio.low == row.ratio.high:
        return f": {row.ratio.median:.3f}x"
    return f": {row.ratio.median:.3f}x ({row.ratio.low:.3f}-{row.ratio.high:.3f})"


def _exceptions(top: Row, rows: Sequence[Row]) -> str:
    """The loads whose verdict is another one than that of `top`."""
    others = [row for row in rows if row is not top and row.load != OVERALL and row.word is not top.word]
    if not others:
        count = len([row for row in rows if row.load != OVERALL])
        return f" ({several(count, 'load')})" if top.load == OVERALL else ""
    by_word: dict[Word, list[str]] = {}
    for row in others:
        by_word.setdefault(row.word or Word.SAME, []).append(row.load)
    parts = [f"{ORDER[word]} on {', '.join(names)}" for word, names in by_word.items()]
    return f"; {'; '.join(parts)}"
