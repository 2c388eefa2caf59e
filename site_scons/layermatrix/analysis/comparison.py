"""Compare the sides of an experiment, or a variant with itself without one of its layers.

Reads the records of cells, with the timings of one run that interleaved the sides. Writes and reads
`build/report/experiments.json`. A verdict claims no more than the samples show.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import TypeVar

from layermatrix.analysis import figures
from layermatrix.analysis.figures import Interval, Value
from layermatrix.build import paths
from layermatrix.build.failure import Failure
from layermatrix.core.command import scons
from layermatrix.core.file_digest import file_digest
from layermatrix.core.records import Format, Measured, Missing, NotMeasured
from layermatrix.evidence import bench
from layermatrix.evidence.asm import Asm
from layermatrix.evidence.bench import Bench, Timing
from layermatrix.evidence.code import Code
from layermatrix.evidence.columns import several
from layermatrix.evidence.counters import Counters
from layermatrix.evidence.kind import Kind
from layermatrix.measure import stats
from layermatrix.model.catalogue import Better

R = TypeVar("R", bound=Measured)

FILE = paths.REPORT / "experiments.json"
NO_DIFFERENCE = "no difference that this run can show"
SPEED = "speed"


class Word(Enum):
    """The result of comparing one side with another by one figure."""

    BETTER = "better"
    WORSE = "worse"
    SAME = "no difference"


SPEED_WORDS: Mapping[Word | None, str] = {Word.BETTER: "is faster than", Word.WORSE: "is slower than"}
OF_TIMING: Mapping[bench.Verdict, Word | None] = {
    bench.Verdict.FASTER: Word.BETTER,
    bench.Verdict.SLOWER: Word.WORSE,
    bench.Verdict.SAME: Word.SAME,
    bench.Verdict.OPEN: None,
}


@dataclass(frozen=True)
class Question:
    """The question of a comparison. figure: decides on the first load; if it is None, nothing is decided, and
    each side is only compared with the first."""

    name: str
    title: str
    doc: str
    loads: tuple[str, ...]
    figure: str | None
    kept: str | None
    command: str


@dataclass(frozen=True)
class Side:
    """A compared cell with its evidence. library: identifies its build; None if it was not built. file: the
    path of a library that is not that of a cell here; empty for a cell."""

    id: str
    variant: str
    layers: tuple[str, ...]
    failure: Failure | None
    asm: Asm | NotMeasured
    code: Code | NotMeasured
    counters: Counters | NotMeasured
    bench: Bench | NotMeasured
    library: str | None
    file: str = ""

    def of(self, kind: Kind[R]) -> R | NotMeasured:
        """The record of this kind."""
        found: object = getattr(self, kind.name)
        assert isinstance(found, (kind.record, NotMeasured))
        return found


@dataclass(frozen=True)
class Ratio:
    median: float
    low: float
    high: float


@dataclass(frozen=True)
class Pair:
    """The comparison of two sides by one figure. word: None if it is not decided; `text` has the reason.
    p: of a speed, corrected for the comparisons of the run; None after too few rounds."""

    figure: str
    load: str
    side: str
    against: str
    word: Word | None
    ratio: Ratio | None
    text: str
    p: float | None = None


@dataclass(frozen=True)
class Verdict:
    """winner: the side that is better than every other by the deciding figure. agrees: whether the project
    kept this side; None if there is no winner, or the project kept none."""

    winner: str | None
    text: str
    agrees: bool | None


@dataclass(frozen=True)
class Comparison:
    """stale: the sides that were rebuilt after the comparison."""

    name: str
    question: str
    doc: str
    loads: tuple[str, ...]
    decides: str | None
    kept: str | None
    command: str
    sides: tuple[Side, ...]
    pairs: tuple[Pair, ...]
    verdict: Verdict | None
    stale: tuple[str, ...] = ()


@dataclass(frozen=True)
class Experiments(Measured):
    """The last comparison of each name."""

    comparisons: Mapping[str, Comparison]


FORMAT = Format("experiments", Experiments, version=3)


@dataclass(frozen=True)
class Counted:
    """A counted figure. Differences up to the relative `tolerance` or the absolute `floor` do not count."""

    words: Mapping[Word | None, str]
    value: Callable[[figures.Evidence, str | None], Value]
    digits: int
    tolerance: float = 0.005
    floor: float = 0.002


COUNTED: Mapping[str, Counted] = {
    "instructions": Counted(
        {Word.BETTER: "takes fewer instructions than", Word.WORSE: "takes more instructions than"},
        figures.op_instructions,
        1,
    ),
    "misses": Counted(
        {Word.BETTER: "misses L1 less often than", Word.WORSE: "misses L1 more often than"},
        figures.l1_misses,
        3,
    ),
    "mispredictions": Counted(
        {Word.BETTER: "mispredicts fewer branches than", Word.WORSE: "mispredicts more branches than"},
        figures.mispredictions,
        3,
    ),
}


def build(
    question: Question,
    sides: Sequence[Side],
    work: str,
    better: Better = Better.HIGHER,
    smallest: float = 0.01,
) -> Comparison:
    """Compare these sides. work: the name of one operation. better: of the unit of speed. smallest: the share
    that a difference in speed has to exceed to count."""
    first, *others = sides
    speeds = ratios(question.loads, sides, better, smallest, all_pairs=question.figure is not None)
    return Comparison(
        name=question.name,
        question=question.title,
        doc=question.doc,
        loads=question.loads,
        decides=question.figure,
        kept=question.kept,
        command=question.command,
        sides=tuple(sides),
        pairs=tuple(
            weigh(figure, load, first, side, work, speeds)
            for side in others
            for load in question.loads
            for figure in (SPEED, *COUNTED)
        ),
        verdict=_verdict(question, sides, work, speeds) if question.figure else None,
    )


Speeds = Mapping[tuple[str, str, str], bench.Ratio]  # by load, and the ids of two sides


def ratios(
    loads: Iterable[str], sides: Sequence[Side], better: Better, smallest: float, *, all_pairs: bool = False
) -> Speeds:
    """The ratios of the speeds of the sides to that of the first, or of each two sides, corrected for their
    number."""
    firsts = sides[:-1] if all_pairs else sides[:1]
    found = {}
    for load in loads:
        for index, against in enumerate(firsts):
            before = figures.timing(against, load)
            for side in sides[index + 1 :]:
                after = figures.timing(side, load)
                if isinstance(before, Timing) and isinstance(after, Timing):
                    ratio = stats.compare(before.samples, after.samples, better, smallest)
                    found[load, against.id, side.id] = ratio
    fair = stats.corrected(found)
    return {**fair, **{(load, b, a): stats.inverse(ratio) for (load, a, b), ratio in fair.items()}}


def weigh(
    figure: str, load: str, against: Side, side: Side, work: str = "op", speeds: Speeds | None = None
) -> Pair:
    """Whether `side` is better than the other one, in words and as a ratio."""
    if figure == SPEED:
        return _speeds(load, against, side, speeds or {})
    found = _counts(figure, load, against, side, work)
    if isinstance(found, NotMeasured):
        return Pair(figure, load, side.variant, against.variant, None, None, found.reason)
    return Pair(figure, load, side.variant, against.variant, *found)


Weighed = tuple[Word, Ratio | None, str]


def _speeds(load: str, against: Side, side: Side, speeds: Speeds) -> Pair:
    names = (side.variant, against.variant)
    for one in (against, side):
        timing = figures.timing(one, load)
        if isinstance(timing, NotMeasured):
            why = f"speed on {load} is not measured: {one.variant}: {timing.reason}"
            return Pair(SPEED, load, *names, None, None, why)
    found = speeds[load, against.id, side.id]
    ratio = Ratio(found.median, found.low, found.high)
    return Pair(
        SPEED, load, *names, OF_TIMING[found.verdict], ratio, _sentence_of(found, load, *names), found.p
    )


def _sentence_of(found: bench.Ratio, load: str, side: str, against: str) -> str:
    """The result of a comparison of speeds, with its interval and what limits it."""
    p = "" if found.p is None else f", p = {found.p:.2g}"
    many = (
        f" of {several(found.comparisons, 'comparison')}"
        if found.comparisons > 1 and found.p is not None
        else ""
    )
    interval = (
        f"{found.low:.3f}-{found.high:.3f}, {found.interval} of {several(found.rounds, 'round')}{p}{many}"
    )
    figure = f"{found.median:.3f}x ({interval})"
    word = OF_TIMING[found.verdict]
    if word in SPEED_WORDS:
        return f"{side} {SPEED_WORDS[word]} {against} on {load}: {figure}"
    result = NO_DIFFERENCE if word is Word.SAME else found.verdict.value
    caution = f"; {found.caution}" if found.caution else ""
    return f"{side} against {against} on {load}: {result}: {figure}{caution}"


def _counts(figure: str, load: str, against: Side, side: Side, work: str) -> Weighed | NotMeasured:
    counted = COUNTED[figure]
    before, after = counted.value(against, load), counted.value(side, load)
    for one, value in ((against, before), (side, after)):
        if isinstance(value, NotMeasured):
            return NotMeasured(f"{figure} on {load} are not measured: {one.variant}: {value.reason}")
    assert isinstance(before, Interval)
    assert isinstance(after, Interval)
    old, new = before.middle, after.middle
    word = Word.SAME
    if abs(new - old) > max(counted.tolerance * abs(old), counted.floor):
        word = Word.BETTER if new < old else Word.WORSE
    shown = f"{new:,.{counted.digits}f} and {old:,.{counted.digits}f} per {work}"
    relation = counted.words.get(word, "does not differ from")
    # without the benchmark's own share, so a figure may be negative
    ratio = Ratio(new / old, new / old, new / old) if old > 0 and new > 0 else None
    return word, ratio, f"{side.variant} {relation} {against.variant} on {load}: {shown}"


def _verdict(question: Question, sides: Sequence[Side], work: str, speeds: Speeds) -> Verdict:
    """The side that is better than every other by the deciding figure, if there is one; and the reason."""
    assert question.figure is not None
    load, figure = question.loads[0], question.figure
    for side in sides:
        found = [weigh(figure, load, other, side, work, speeds) for other in sides if other is not side]
        if all(pair.word is Word.BETTER for pair in found):
            agrees = None if question.kept is None else side.variant == question.kept
            return Verdict(side.variant, _sentence(found), agrees)
    first, *others = sides
    return Verdict(None, _sentence(weigh(figure, load, first, side, work, speeds) for side in others), None)


def _sentence(pairs: Iterable[Pair]) -> str:
    return "; ".join(pair.text for pair in pairs) + "."


def conclusions(comparison: Comparison) -> list[str]:
    """The verdict of an experiment; of layers left out, what each of them changed."""
    verdict = comparison.verdict
    if verdict is None:
        return [f"{side.variant}: {_changes(comparison, side)}." for side in comparison.sides[1:]]
    kept = {True: " It is the one that was kept.", False: f" {comparison.kept} was kept.", None: ""}
    return [f"Verdict: {verdict.winner or 'no winner'}. {verdict.text}{kept[verdict.agrees]}"]


def _changes(comparison: Comparison, side: Side) -> str:
    """What is better or worse without a layer; a side that was not built has the reason."""
    if side.failure:
        return f"not built: {side.failure.target} failed"
    words = []
    for load in comparison.loads:
        own = [pair for pair in comparison.pairs if (pair.side, pair.load) == (side.variant, load)]
        parts = [f"{pair.figure} {_change(pair)}" for pair in own if pair.word]
        words += [f"{load}: {', '.join(parts)}"] if parts else []
    return "; ".join(words) or "nothing was measured"


def _change(pair: Pair) -> str:
    ratio = f" ({pair.ratio.median:.2f}x)" if pair.ratio else ""
    return f"{pair.word.value if pair.word else ''}{ratio}"


# --- the file


def digest(library: Path) -> str | None:
    """A digest that identifies the build of a library; None if the library does not exist."""
    return file_digest(library) or None


def store(root: Path, comparison: Comparison) -> None:
    """Add a comparison to the file; it replaces one of the same name."""
    known = FORMAT.read(root / FILE)
    others = known.comparisons if isinstance(known, Experiments) else {}
    FORMAT.write(root / FILE, Experiments({**others, comparison.name: comparison}))


def load(root: Path) -> Experiments | NotMeasured:
    """The recorded comparisons; `stale` of each names the sides that were rebuilt after it."""
    found = FORMAT.read(root / FILE)
    if isinstance(found, Missing):
        return NotMeasured(f"no experiment was made: {scons('ab')}, {scons('ablate', 'variant=<name>')}")
    if isinstance(found, NotMeasured):
        return found
    return Experiments({name: _checked(root, one) for name, one in found.comparisons.items()})


def _checked(root: Path, comparison: Comparison) -> Comparison:
    stale = tuple(side.variant for side in comparison.sides if not _is_current(root, side))
    return replace(comparison, stale=stale)


def _is_current(root: Path, side: Side) -> bool:
    if side.file:
        return digest(root / side.file) == side.library
    folder = root / "build" / side.id
    if side.library is None and not folder.is_dir():
        return True  # nothing of it was built then, and nothing is now
    return any(digest(library) == side.library for library in sorted(folder.glob("lib*.so")))
