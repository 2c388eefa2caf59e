"""Time programs against each other, in turn, in one run.

Runs the benchmark programs of all subjects, one process at a time. Writes each subject's record `bench` after
each complete round, so that an interrupt keeps the finished rounds.

    load     a benchmark and its arguments.
    subject  what is timed: a build with its programs.
    round    runs each load once with the baseline and once with every subject. The order rotates by one from
             round to round, so that no subject is always first. The samples of one round form a pair.

One untimed run of everything comes before the rounds. It warms up the machine and reveals programs that
cannot run. The warm-up may pass additional arguments (`quiet`), which make the program report its memory
after all memory was freed. Every run must prove which library it used (`core.library_use`); without proof,
the run counts as failed.

The program's last line is a JSON object. `ops` and `seconds` give the speed in millions of operations per
second or, if lower is better, in nanoseconds per operation. Optional: `cpu_seconds`, the CPU time of all
threads; `peak_kib`, the peak resident memory in KiB; `after_kib`, the resident memory after all memory was
freed.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from layermatrix.core import library_use, process
from layermatrix.core.records import NotMeasured
from layermatrix.evidence import bench
from layermatrix.evidence.bench import UNREPORTED, Bench, Timing
from layermatrix.measure import stats
from layermatrix.model.catalogue import Better, Unit

T = TypeVar("T")
Store = Callable[[Path, Bench | NotMeasured], None]


@dataclass(frozen=True)
class Load:
    """A benchmark with its arguments. linked: see `library_use.run_with`. quiet: additional arguments of the
    untimed run, which then reports `after_kib`. environment, before: the variables of a run, and a command
    that starts it."""

    name: str
    args: tuple[str, ...]
    unit: Unit
    linked: bool = False
    quiet: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    before: tuple[str, ...] = ()


@dataclass(frozen=True)
class Subject:
    """programs: load -> the benchmark program, for each load that it can run. library: the library that the
    programs must use; None for the system's. store: the subject's bench.json."""

    name: str
    programs: Mapping[str, Path]
    library: Path | None
    store: Path


@dataclass(frozen=True)
class Step:
    """Progress: the last run. round: 0 for the warm-up. seconds: the time since the start. left: the
    estimated remaining time, if each run takes as long as before."""

    done: int
    total: int
    round: int
    load: str
    subject: str
    seconds: float
    left: float


class RunError(ValueError):
    """A failed run has no figure. Holds the reason."""


@dataclass
class _Series:
    """The samples of one subject with one load. failure: the reason why no more samples follow. seconds: the
    duration of its last run, None before the first. pending: the number of runs still to come."""

    pending: int
    samples: list[float] = field(default_factory=list)
    peaks: list[int] = field(default_factory=list)  # empty if the program does not report it
    cpu_ns: list[float] = field(default_factory=list)  # empty if the program does not report it
    after_kib: int | None = None
    failure: str | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class _Figures:
    """The report of one run."""

    speed: float
    peak_kib: int | None
    cpu_ns: float | None
    after_kib: int | None


@dataclass
class _Session:
    loads: Sequence[Load]
    subjects: Sequence[Subject]
    baseline: Subject | None  # one of the subjects
    run: process.Run
    timeout: float
    series: dict[tuple[str, str], _Series]

    def take(self, load: Load, subject: Subject, *, timed: bool) -> None:
        """Run one benchmark once. After a failure, this load of this subject is not run again."""
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
        """Run the benchmark with these arguments, and return its report."""
        program = subject.programs.get(load.name)
        if program is None:
            raise RunError(f"there is no program for {load.name}")
        command = [str(program), *args]
        try:
            finished = library_use.run_with(
                subject.library, command, linked=load.linked, run=self.run, timeout=self.timeout,
                under=load.before, extra=load.environment,
            )  # fmt: skip
            if finished.failure:
                raise RunError(finished.failure)
            return _read(process.reported(finished.stdout), load.unit)
        except library_use.NotLoadedError as error:
            raise RunError(str(error)) from error
        except ValueError as error:
            raise RunError(f"{program.name}: {error}") from error

    def count(self, load: Load, subject: Subject, seconds: float) -> None:
        """Record a finished run and its duration."""
        series = self.series[subject.name, load.name]
        series.pending -= 1
        series.seconds = seconds

    def left(self) -> float:
        """An estimate of the remaining runs' seconds. Runs without a known duration count with the average of
        the others. Failed loads count nothing."""
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
    each by name. If a subject's program fails, that load of that subject is "not measured", and the others
    continue. Without a baseline, records have speeds but no ratios."""
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
    """All subjects, load by load. The first subject rotates by one from round to round."""
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
    """A load's timing compared with the baseline's."""
    if baseline.failure is not None:
        return replace(own, ratio=NotMeasured(f"the baseline has no figure: {baseline.failure}"))
    return replace(
        own,
        baseline=tuple(baseline.samples),
        baseline_peak_kib=max(baseline.peaks, default=None),
        ratio=stats.compare(baseline.samples, own.samples, unit.better),
    )


def _read(line: Mapping[str, object], unit: Unit) -> _Figures:
    """The figures in a program's JSON line."""
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
    """A number above zero, or equal to `least`."""
    value = line.get(name)
    if isinstance(value, (int, float)) and not isinstance(value, bool) and _is_figure(value, least):
        return float(value)
    raise RunError(f"{name!r} in its JSON line is {value!r}, not a number above zero")
