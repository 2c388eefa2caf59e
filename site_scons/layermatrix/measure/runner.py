"""Time programs against each other, in turn, in one run.

Runs the benchmark programs of all subjects, one process at a time. Writes the record `bench` of each
subject after each complete round, so that an interrupt keeps the rounds that are done.

    load     a benchmark and its arguments.  subject: what is timed, a build with its programs.
    round    each load once with the baseline and with every subject. Their order moves on by one from round
             to round, so that none always comes first; samples of one round are a pair.

One run of everything comes before the rounds and is not recorded: it warms the machine up, and whatever
cannot run at all shows there. Every run has to prove which library it used (`core.preload`); a run that does
not gives no figure.

The program's last line is a JSON object: `ops` and `seconds` give the speed, in millions of operations a
second, or, where less is better, in nanoseconds an operation; `peak_kib`, where it is there, the highest
resident memory in KiB.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from layermatrix.core import preload, process
from layermatrix.core.records import NotMeasured
from layermatrix.evidence import bench
from layermatrix.evidence.bench import Bench, Timing
from layermatrix.measure import stats
from layermatrix.model.catalogue import Better, Unit

Store = Callable[[Path, Bench | NotMeasured], None]


@dataclass(frozen=True)
class Load:
    """A benchmark with its arguments. linked: its programs are linked with the library, whose hot path they
    have inlined; else the library is preloaded into them."""

    name: str
    args: tuple[str, ...]
    unit: Unit
    linked: bool = False


@dataclass(frozen=True)
class Subject:
    """programs: the benchmark of each load by name. library: what they have to use, None for what the system
    has. store: its bench.json."""

    name: str
    programs: Mapping[str, Path]
    library: Path | None
    store: Path


@dataclass(frozen=True)
class Step:
    """Progress: what was just run. round 0 is the warm-up; seconds: since the beginning."""

    done: int
    total: int
    round: int
    load: str
    subject: str
    seconds: float


class RunError(ValueError):
    """A run that gave no figure, and why."""


@dataclass
class _Series:
    """The samples of one subject with one load; failure: why there are no more."""

    samples: list[float] = field(default_factory=list)
    peaks: list[int] = field(default_factory=list)  # none where the program does not report it
    failure: str | None = None


@dataclass
class _Session:
    loads: Sequence[Load]
    subjects: Sequence[Subject]
    baseline: Subject | None  # one of them
    run: process.Run
    timeout: float
    series: dict[tuple[str, str], _Series]

    def take(self, load: Load, subject: Subject, keep: bool) -> None:
        """Run one benchmark once. After a failure this load of this subject is left alone."""
        series = self.series[subject.name, load.name]
        if series.failure is not None:
            return
        try:
            speed, peak = self._figures(load, subject)
        except RunError as error:
            series.failure = str(error)
            return
        if keep:
            series.samples.append(speed)
            series.peaks.extend([] if peak is None else [peak])

    def _figures(self, load: Load, subject: Subject) -> tuple[float, int | None]:
        """Speed and peak of one run of the benchmark."""
        program = subject.programs.get(load.name)
        if program is None:
            raise RunError(f"there is no program for {load.name}")
        command = [str(program), *load.args]
        try:
            finished = preload.run_with(
                subject.library, command, linked=load.linked, run=self.run, timeout=self.timeout
            )
            if finished.failure:
                raise RunError(finished.failure)
            line = process.reported(finished.stdout)
            return _speed(line, load.unit), _peak(line)
        except preload.NotLoadedError as error:
            raise RunError(str(error)) from error
        except ValueError as error:
            raise RunError(f"{program.name}: {error}") from error


def measure(
    loads: Sequence[Load],
    subjects: Sequence[Subject],
    rounds: int,
    baseline: Subject | None,
    *,
    run: process.Run = process.run,
    clock: Callable[[], float] = time.monotonic,
    timeout: float = 300.0,
    on_progress: Callable[[Step], None] | None = None,
    store: Store = bench.KIND.format.write,
) -> dict[str, Bench | NotMeasured]:
    """Time every load of the baseline and the subjects in `rounds` rounds (at least 1). Returns the record of
    each by name; a subject whose program fails is "not measured" for that load, and the others go on. Without
    a baseline, each has speeds and no ratio."""
    everyone = [*([baseline] if baseline else []), *subjects]
    _check(rounds, everyone)
    series = {(subject.name, load.name): _Series() for subject in everyone for load in loads}
    session = _Session(loads, everyone, baseline, run, timeout, series)
    begin, done = clock(), 0
    total = (rounds + 1) * len(loads) * len(everyone)
    results: dict[str, Bench | NotMeasured] = {}
    for number in range(rounds + 1):
        for load, subject in _order(loads, everyone, number):
            session.take(load, subject, keep=number > 0)
            done += 1
            if on_progress is not None:
                on_progress(Step(done, total, number, load.name, subject.name, clock() - begin))
        if number > 0:
            results = _store_round(session, number, store)
    return results


def _check(rounds: int, everyone: Sequence[Subject]) -> None:
    if rounds < 1:
        raise ValueError(f"{rounds} rounds: at least one is needed")
    if len({subject.name for subject in everyone}) < len(everyone):
        raise ValueError("two subjects have the same name")


def _order(loads: Sequence[Load], everyone: Sequence[Subject], number: int) -> list[tuple[Load, Subject]]:
    """Load by load, all subjects; who is first moves on by one from round to round."""
    first = number % len(everyone)
    turn = [*everyone[first:], *everyone[:first]]
    return [(load, subject) for load in loads for subject in turn]


def _store_round(session: _Session, rounds: int, store: Store) -> dict[str, Bench | NotMeasured]:
    results = {}
    for subject in session.subjects:
        results[subject.name] = _record(session, subject, rounds)
        store(subject.store, results[subject.name])
    return results


def _record(session: _Session, subject: Subject, rounds: int) -> Bench | NotMeasured:
    loads = {load.name: _timing(session, load, subject) for load in session.loads}
    reasons = [timing.reason for timing in loads.values() if isinstance(timing, NotMeasured)]
    if len(reasons) == len(loads):
        return NotMeasured(reasons[0] if reasons else "there is no load")
    return Bench(loads, rounds)


def _timing(session: _Session, load: Load, subject: Subject) -> Timing | NotMeasured:
    own = session.series[subject.name, load.name]
    if own.failure is not None:
        return NotMeasured(own.failure)
    spread = stats.median_interval(own.samples)
    alone = Timing(
        unit=load.unit.figure,
        samples=tuple(own.samples),
        median=spread.median,
        low=spread.low,
        high=spread.high,
        interval=spread.method,
        peak_kib=_most(own),
    )
    baseline = session.baseline
    if subject is baseline:
        return alone
    if baseline is None:
        return replace(alone, ratio=NotMeasured("there is no baseline"))
    return _against(alone, session.series[baseline.name, load.name], load.unit)


def _most(series: _Series) -> int | NotMeasured:
    return max(series.peaks) if series.peaks else NotMeasured("the program does not report it")


def _against(own: Timing, baseline: _Series, unit: Unit) -> Timing:
    """A load's timing set beside the baseline's."""
    if baseline.failure is not None:
        return replace(own, ratio=NotMeasured(f"the baseline has no figure: {baseline.failure}"))
    return replace(
        own,
        baseline=tuple(baseline.samples),
        baseline_peak_kib=max(baseline.peaks, default=None),
        ratio=stats.compare(baseline.samples, own.samples, unit.better),
    )


def _speed(line: Mapping[str, object], unit: Unit) -> float:
    ops, seconds = _number(line, "ops"), _number(line, "seconds")
    return ops / seconds * 1e-6 if unit.better is Better.HIGHER else seconds / ops * 1e9


def _peak(line: Mapping[str, object]) -> int | None:
    return int(_number(line, "peak_kib")) if "peak_kib" in line else None


def _number(line: Mapping[str, object], name: str) -> float:
    value = line.get(name)
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < math.inf:
        return float(value)
    raise RunError(f"{name!r} in its JSON line is {value!r}, not a number above zero")
