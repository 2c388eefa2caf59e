"""Check the method of timing itself: equal libraries must show no difference, a planted slowdown must show.

Runs one load with copies of one library. Returns a `Study`. The planted slowdown is real: the library is
built once more with a compiler flag that puts instructions without effect at the entry of each function.
Their number is calibrated, because a processor executes some of them for free. No source file and no ordinary
build has a trace of them.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from layermatrix.build import paths
from layermatrix.core import process
from layermatrix.core.errors import RefusedError
from layermatrix.core.records import Format, Measured, NotMeasured
from layermatrix.evidence.bench import Bench, Ratio, Timing, Verdict
from layermatrix.evidence.conditions import Conditions
from layermatrix.measure import runner
from layermatrix.measure.method import LARGEST_SEED, Method
from layermatrix.measure.one_run import Load, Subject

FILE = paths.REPORT / "study.json"
FLAG = "-fpatchable-function-entry={}"  # of gcc and clang: so many nop instructions at each function's entry
TARGET = 0.03  # the planted slowdown
NEAR = 0.004  # a calibration this close to TARGET is accepted
FARTHEST = 0.015  # one this far, or with an interval this wide, is not used
FIRST, MOST = 16, 2048  # numbers of nops
STEPS = 6  # of the calibration
LEAST_EQUAL, LEAST_FOUND = 0.95, 0.9  # shares of the trials: 19 of 20, and 9 of 10


@dataclass(frozen=True)
class Trial:
    """An independent comparison of two libraries. busy: the machine was disturbed."""

    seed: int
    ratio: Ratio
    busy: bool


@dataclass(frozen=True)
class Calibration:
    """The comparison of the library with so many nops with the plain one."""

    nops: int
    ratio: Ratio

    @property
    def slowdown(self) -> float:
        """By which share a run takes longer."""
        return 1 / self.ratio.median - 1


@dataclass(frozen=True)
class Planted(Measured):
    """nops: the instructions at the entry of each function. flag: the compiler flag that puts them there.
    calibration: how their number was found; the last step has it. plain, slower: the counted instructions of
    one operation, with the benchmark's own. trials: comparisons with the plain library."""

    nops: int
    flag: str
    calibration: tuple[Calibration, ...]
    plain: float | NotMeasured
    slower: float | NotMeasured
    trials: tuple[Trial, ...]

    @property
    def found(self) -> int:
        """The number of trials that found the slowdown."""
        return sum(trial.ratio.verdict is Verdict.SLOWER for trial in self.trials)

    @property
    def slowdown(self) -> float:
        """As the calibration measured it."""
        return next(step.slowdown for step in self.calibration if step.nops == self.nops)


@dataclass(frozen=True)
class Study(Measured):
    """command: repeats it. load: the benchmark with its arguments. compiler: its version. trials: of the
    library with a copy of itself. date: of its end."""

    command: str
    date: str
    cell: str
    compiler: str
    load: str
    rounds: int
    seed: int
    smallest: float
    trials: tuple[Trial, ...]
    planted: Planted | NotMeasured
    conditions: Conditions

    @property
    def equal(self) -> int:
        """The number of trials that found no difference between equal libraries."""
        return sum(trial.ratio.verdict is Verdict.SAME for trial in self.trials)

    @property
    def holds(self) -> bool:
        """Whether the method keeps its promises in both parts."""
        if self.equal < LEAST_EQUAL * len(self.trials):
            return False
        planted = self.planted
        return isinstance(planted, Planted) and planted.found >= LEAST_FOUND * len(planted.trials)


FORMAT = Format("study", Study)


class StudyError(RefusedError):
    """The study could not be made; str() says why."""


@dataclass(frozen=True)
class Comparer:
    """What is compared, and how. program: the benchmark. say: prints a line of progress."""

    load: Load
    program: Path
    rounds: int
    method: Method
    say: Callable[[str], None]
    run: process.Run = process.run

    def seed_of(self, name: str, index: int) -> int:
        """A trial's seed, from that of the whole study."""
        return random.Random(f"{self.method.seed} {name} {index}").randint(1, LARGEST_SEED)

    def trial(self, name: str, index: int, first: Path, second: Path, rounds: int | None = None) -> Trial:
        """Compare the second library with the first one."""
        seed = self.seed_of(name, index)
        sides = [self._subject("first", first), self._subject("second", second)]
        method = Method(seed, strict=self.method.strict, smallest_effect=self.method.smallest_effect)
        found = runner.measure(
            [self.load], sides[1:], rounds or self.rounds, sides[0], method=method, run=self.run, store=_none
        )
        record = found["second"]
        timing = record.load(self.load.name) if isinstance(record, Bench) else record
        ratio = timing.ratio if isinstance(timing, Timing) else timing
        if not isinstance(record, Bench) or not isinstance(ratio, Ratio):
            reason = ratio.reason if isinstance(ratio, NotMeasured) else "it has no ratio"
            raise StudyError(f"{self.load.name} cannot be timed: {reason}")
        busy = record.conditions is not None and record.conditions.is_busy
        self.say(f"{name} {index}: {_shown(ratio)}{', on a busy machine' if busy else ''}")
        return Trial(seed, ratio, busy)

    def _subject(self, name: str, library: Path) -> Subject:
        return Subject(name, {self.load.name: self.program}, library, Path(name))


def _none(_path: Path, _record: Bench | NotMeasured) -> None:
    """The records of trials are part of the study, and have no files."""


def _shown(ratio: Ratio) -> str:
    return f"{ratio.verdict.value}, {ratio.median:.4f}x ({ratio.low:.4f}-{ratio.high:.4f})"


def equal_trials(bench: Comparer, plain: Path, again: Path, runs: int) -> tuple[Trial, ...]:
    """Compare a library with a copy of itself."""
    return tuple(bench.trial("equal", index, plain, again) for index in range(1, runs + 1))


def planted_trials(
    bench: Comparer,
    plain: Path,
    planted: Callable[[int], Path],
    instructions: Callable[[Path], float | NotMeasured],
    runs: int,
) -> Planted | NotMeasured:
    """Find the number of nops that slow the load down by about TARGET, and see how many trials find it.
    planted: builds the library with so many nops. instructions: counts those of an operation."""
    steps = calibrate(
        lambda nops, index: (
            bench.trial(f"calibration with {nops} nops,", index, plain, planted(nops), 2 * bench.rounds).ratio
        )
    )
    best = min(steps, key=lambda step: abs(step.slowdown - TARGET))
    if abs(best.slowdown - TARGET) > FARTHEST:
        tried = ", ".join(f"{step.nops}: {step.slowdown:.1%}" for step in steps)
        return NotMeasured(f"no number of nops slowed this load down by about {TARGET:.0%} ({tried})")
    if best.ratio.margin > FARTHEST:
        noise = f"{best.ratio.margin:.1%} in {best.ratio.rounds} rounds"
        return NotMeasured(f"the machine is too noisy to plant a slowdown of {TARGET:.0%}: \u00b1{noise}")
    slower = planted(best.nops)
    return Planted(
        nops=best.nops,
        flag=FLAG.format(best.nops),
        calibration=tuple(steps),
        plain=instructions(plain),
        slower=instructions(slower),
        trials=tuple(bench.trial("planted", index, plain, slower) for index in range(1, runs + 1)),
    )


def calibrate(measure: Callable[[int, int], Ratio]) -> list[Calibration]:
    """Steps towards the number of nops that slow a load down by TARGET; the last one is near it, if one is.
    measure: compares the library with so many nops; its second argument is the step's number."""
    steps: list[Calibration] = []
    nops = FIRST
    for index in range(1, STEPS + 1):
        steps.append(Calibration(nops, measure(nops, index)))
        if abs(steps[-1].slowdown - TARGET) <= NEAR:
            break
        nops = _next(steps)
        if any(step.nops == nops for step in steps):
            break
    return steps


def _next(steps: Sequence[Calibration]) -> int:
    """The number of nops to try next: between the two steps around TARGET if there are any, on the line
    through them; otherwise half or twice as many."""
    below = max((one for one in steps if one.slowdown < TARGET), key=lambda one: one.nops, default=None)
    above = min((one for one in steps if one.slowdown >= TARGET), key=lambda one: one.nops, default=None)
    if above is None:
        assert below is not None
        return min(MOST, 2 * below.nops)
    if below is None or below.nops > above.nops:
        return max(1, above.nops // 2)
    share = (TARGET - below.slowdown) / (above.slowdown - below.slowdown)
    return max(1, round(below.nops + share * (above.nops - below.nops)))
