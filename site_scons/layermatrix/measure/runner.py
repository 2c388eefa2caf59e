"""Time programs against each other, in turn, in one run.

Runs the benchmark programs of all subjects, one process at a time. Writes the record `bench` of each
subject after each complete round, so that an interrupt keeps the rounds that are done.

    load     a benchmark and its arguments.  subject: what is timed, a build with its programs.
    round    each load once with the baseline and with every subject. Their order moves on by one from round
             to round, so that none always comes first; samples of one round are a pair.

One run of everything comes before the rounds and is not timed: it warms the machine up, and whatever
cannot run at all shows there. It can have more arguments (`quiet`), with which the program reports its memory
after all was freed. Every run has to prove which library it used (`core.preload`); a run that does not gives
no figure.

The program's last line is a JSON object: `ops` and `seconds` give the speed, in millions of operations a
second, or, where less is better, in nanoseconds an operation. It may have `cpu_seconds`, the CPU time of all
threads; `peak_kib`, the highest resident memory in KiB; and `after_kib`, that after all was freed.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from layermatrix.core import preload, process
from layermatrix.core.records import NotMeasured
from layermatrix.evidence import bench
from layermatrix.evidence.bench import UNREPORTED, Bench, Timing
from layermatrix.measure import stats
from layermatrix.model.catalogue import Better, Unit

T = TypeVar("T")
Store = Callable[[Path, Bench | NotMeasured], None]


@dataclass(frozen=True)
class Load:
    """A benchmark with its arguments. linked: its programs are linked with the library, whose hot path they
    have inlined; else the library is preloaded into them. quiet: more arguments, for the run that is not
    timed, which then reports `after_kib`."""

    name: str
    args: tuple[str, ...]
    unit: Unit
    linked: bool = False
    quiet: tuple[str, ...] = ()


@dataclass(frozen=True)
class Subject:
    """programs: the benchmark of each load that it can run, by the load's name. library: what they have to
    use, None for what the system has. store: its bench.json."""

    name: str
    programs: Mapping[str, Path]
    library: Path | None
    store: Path


@dataclass(frozen=True)
class Step:
    """Progress: what was just run. round 0 is the warm-up; seconds: since the beginning; left: those that the
    rest takes, if each run takes as long as it did before."""

    done: int
    total: int
    round: int
    load: str
    subject: str
    seconds: float
    left: float


class RunError(ValueError):
    """A run that gave no figure, and why."""


@dataclass
class _Series:
    """The samples of one subject with one load; failure: why there are no more. seconds: what its last run
    took, None before the first one; pending: how many runs are to come."""

    pending: int
    samples: list[float] = field(default_factory=list)
    peaks: list[int] = field(default_factory=list)  # none where the program does not report it
    cpu_ns: list[float] = field(default_factory=list)  # nor here
    after_kib: int | None = None
    failure: str | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class _Figures:
    """What one run reports."""

    speed: float
    peak_kib: int | None
    cpu_ns: float | None
    after_kib: int | None


@dataclass
class _Session:
    loads: Sequence[Load]
    subjects: Sequence[Subject]
    baseline: Subject | None  # one of them
    run: process.Run
    timeout: float
    series: dict[tuple[str, str], _Series]

    def take(self, load: Load, subject: Subject, *, timed: bool) -> None:
        """Run one benchmark once. After a failure this load of this subject is left alone."""
        series = self.series[subject.name, load.name]
        if series.failure is not None:
            return
        try:
            found = self._figures(load, subject, load.args if timed else (*load.args, *load.quiet))
        except RunError as error:
            series.failure = str(error)
            return
        if timed:
            series.samples.append(found.speed)
            series.peaks.extend(_known(found.peak_kib))
            series.cpu_ns.extend(_known(found.cpu_ns))
        else:
            series.after_kib = found.after_kib

    def _figures(self, load: Load, subject: Subject, args: Sequence[str]) -> _Figures:
        """What one run of the benchmark with these arguments reports."""
        program = subject.programs.get(load.name)
        if program is None:
            raise RunError(f"there is no program for {load.name}")
        command = [str(program), *args]
        try:
            finished = preload.run_with(
                subject.library, command, linked=load.linked, run=self.run, timeout=self.timeout
            )
            if finished.failure:
                raise RunError(finished.failure)
            return _read(process.reported(finished.stdout), load.unit)
        except preload.NotLoadedError as error:
            raise RunError(str(error)) from error
        except ValueError as error:
            raise RunError(f"{program.name}: {error}") from error

    def count(self, load: Load, subject: Subject, seconds: float) -> None:
        """A run is over, which took so long."""
        series = self.series[subject.name, load.name]
        series.pending -= 1
        series.seconds = seconds

    def left(self) -> float:
        """How many seconds the runs that are to come take. One that has not run yet takes as long as the
        others do on average; after a failure there is none."""
        running = [one for one in self.series.values() if one.failure is None]
        known = [one.seconds for one in running if one.seconds is not None]
        usual = sum(known) / len(known) if known else 0.0
        return sum(one.pending * (usual if one.seconds is None else one.seconds) for one in running)


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
    series = {(subject.name, load.name): _Series(rounds + 1) for subject in everyone for load in loads}
    session = _Session(loads, everyone, baseline, run, timeout, series)
    begin, done = clock(), 0
    now = begin
    total = (rounds + 1) * len(loads) * len(everyone)
    results: dict[str, Bench | NotMeasured] = {}
    for number in range(rounds + 1):
        for load, subject in _order(loads, everyone, number):
            session.take(load, subject, timed=number > 0)
            before, now, done = now, clock(), done + 1
            session.count(load, subject, now - before)
            if on_progress is not None:
                left = session.left()
                on_progress(Step(done, total, number, load.name, subject.name, now - begin, left))
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
        peak_kib=max(own.peaks) if own.peaks else UNREPORTED,
        cpu_ns=statistics.median(own.cpu_ns) if own.cpu_ns else UNREPORTED,
        after_kib=(UNREPORTED if own.after_kib is None else own.after_kib) if load.quiet else None,
    )
    baseline = session.baseline
    if subject is baseline:
        return alone
    if baseline is None:
        return replace(alone, ratio=NotMeasured("there is no baseline"))
    return _against(alone, session.series[baseline.name, load.name], load.unit)


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


def _read(line: Mapping[str, object], unit: Unit) -> _Figures:
    """The figures of a program's JSON line."""
    ops, seconds = _number(line, "ops"), _number(line, "seconds")
    cpu = _number(line, "cpu_seconds", least=0) if "cpu_seconds" in line else None
    return _Figures(
        speed=ops / seconds * 1e-6 if unit.better is Better.HIGHER else seconds / ops * 1e9,
        peak_kib=_kib(line, "peak_kib"),
        cpu_ns=None if cpu is None else cpu / ops * 1e9,
        after_kib=_kib(line, "after_kib"),
    )


def _kib(line: Mapping[str, object], name: str) -> int | None:
    return int(_number(line, name)) if name in line else None


def _known(value: T | None) -> tuple[T, ...]:
    return () if value is None else (value,)


def _is_figure(value: float, least: float | None) -> bool:
    return 0 < value < math.inf or value == least


def _number(line: Mapping[str, object], name: str, least: float | None = None) -> float:
    """A number above zero, or not below `least`."""
    value = line.get(name)
    if isinstance(value, (int, float)) and not isinstance(value, bool) and _is_figure(value, least):
        return float(value)
    raise RunError(f"{name!r} in its JSON line is {value!r}, not a number above zero")
