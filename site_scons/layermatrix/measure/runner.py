"""Time programs against each other, in turn, in one run.

Runs the benchmark programs of all subjects, one process at a time. Writes each subject's record `bench` after
each complete round, so that an interrupt keeps the finished rounds.

    load     a benchmark and its arguments.
    subject  what is timed: a build with its programs.
    round    runs each load once with the baseline and once with every subject. The samples of one round form
             a pair.
    block    a load in a round. The order of its subjects is random (`Method.order`), so that neither a place
             in the order nor a rhythm of the machine favours a subject.

One untimed run of everything comes before the rounds. It warms up the machine and reveals programs that
cannot run. It may pass additional arguments (`quiet`), which make the program report its memory after all
memory was freed, and it counts events of the processor where the machine has counters. It also shows which
programs run several threads at once: the others are bound to one CPU in the timed runs. Every run must prove
which library it used (`core.library_use`); without proof, the run counts as failed.

A run ends early if its figures are exact enough (`Method.precision`) or its time is over (`Method.budget`).
A strict one is refused with BusyError if something else disturbs it (`measure.machine`).

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
from layermatrix.evidence.bench import UNCOUNTED, UNREPORTED, Bench, Hardware, Ratio, Timing, Usage
from layermatrix.evidence.conditions import Conditions
from layermatrix.measure import machine, pinning, stats
from layermatrix.measure.hardware import Perf
from layermatrix.measure.machine import Watch
from layermatrix.measure.method import Method
from layermatrix.model.catalogue import Better, Unit

ONE_THREAD = 1.2  # CPUs at once, on average: a program that uses more runs several threads
T = TypeVar("T")
Store = Callable[[Path, Bench | NotMeasured], None]


@dataclass(frozen=True)
class Load:
    """A benchmark with its arguments. linked: see `library_use.run_with`. quiet: additional arguments of the
    untimed run, which then reports `after_kib`. environment, before: the variables of a run, and a command
    that starts it. parallel: it runs several threads; one that is not declared so is recognised by its CPU
    time."""

    name: str
    args: tuple[str, ...]
    unit: Unit
    linked: bool = False
    quiet: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    before: tuple[str, ...] = ()
    parallel: bool = False


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
    duration of its last run, None before the first. pending: the number of runs still to come. cpu: where
    the timed runs were pinned. threads: the CPUs that the untimed run used at once."""

    pending: int
    samples: list[float] = field(default_factory=list)
    peaks: list[int] = field(default_factory=list)  # empty if neither the program nor the kernel reports it
    cpu_ns: list[float] = field(default_factory=list)  # empty if the program does not report it
    usages: list[process.Usage] = field(default_factory=list)
    hardware: Hardware | NotMeasured = UNCOUNTED
    after_kib: int | None = None
    failure: str | None = None
    seconds: float | None = None
    cpu: int | None = None
    threads: float = 0.0


@dataclass(frozen=True)
class _Figures:
    """The report of one run. seconds: of the timed part."""

    ops: float
    seconds: float
    speed: float
    peak_kib: int | None
    cpu_seconds: float | None
    after_kib: int | None
    usage: process.Usage | None = None
    whole: float = 0.0  # seconds of the whole process

    @property
    def cpu_ns(self) -> float | None:
        return None if self.cpu_seconds is None else self.cpu_seconds / self.ops * 1e9

    @property
    def threads(self) -> float:
        """The CPUs that it used at once, on average."""
        timed = (self.cpu_seconds or 0.0) / self.seconds
        return max(timed, self.usage.cpu_seconds / self.whole) if self.usage and self.whole else timed


@dataclass
class _Session:
    loads: Sequence[Load]
    subjects: Sequence[Subject]
    baseline: Subject | None  # one of the subjects
    run: process.Run
    timeout: float
    series: dict[tuple[str, str], _Series]
    method: Method
    planned: int
    perf: Perf | None
    watch: Watch
    cpu: int | None
    finished: dict[str, int] = field(default_factory=dict)  # load -> the round after which it was exact
    stopped: str = ""

    def warm_up(self, load: Load, subject: Subject) -> None:
        """Run one benchmark once, untimed, and learn what the timed runs need to know."""
        series = self.series[subject.name, load.name]
        before = (*load.before, *(self.perf.words if self.perf else ()))
        found = self._attempt(load, subject, (*load.args, *load.quiet), before)
        if found:
            series.after_kib = found.after_kib
            series.threads = found.threads
            series.hardware = self.perf.read(found.ops) if self.perf else UNCOUNTED

    def take(self, load: Load, subject: Subject) -> None:
        """Time one benchmark once. After a failure, this load of this subject is not run again."""
        series = self.series[subject.name, load.name]
        if series.failure is not None:
            return
        with pinning.pinned(self._cpu_of(load)) as cpu:
            found = self._attempt(load, subject, load.args, load.before)
        self.watch.sample()
        if found:
            series.cpu = cpu
            series.samples.append(found.speed)
            series.peaks.extend(_known(found.peak_kib))
            series.cpu_ns.extend(_known(found.cpu_ns))
            series.usages.extend(_known(found.usage))

    def _cpu_of(self, load: Load) -> int | None:
        """The CPU for this load's programs: the same for all subjects; None if one of them runs several
        threads, or if the load has a command that chooses for it."""
        threads = max(self.series[one.name, load.name].threads for one in self.subjects)
        return None if load.parallel or load.before or threads > ONE_THREAD else self.cpu

    def _attempt(
        self, load: Load, subject: Subject, args: Sequence[str], before: Sequence[str]
    ) -> _Figures | None:
        """The figures of a run; None, with the reason in the series, if it failed."""
        try:
            return self._figures(load, subject, args, before)
        except RunError as error:
            self.series[subject.name, load.name].failure = str(error)
            return None

    def _figures(self, load: Load, subject: Subject, args: Sequence[str], before: Sequence[str]) -> _Figures:
        """Run the benchmark with these arguments, and return its report."""
        program = subject.programs.get(load.name)
        if program is None:
            raise RunError(f"there is no program for {load.name}")
        command = [str(program), *args]
        try:
            finished = library_use.run_with(
                subject.library, command, linked=load.linked, run=self.run, timeout=self.timeout,
                under=before, extra=load.environment,
            )  # fmt: skip
            if finished.failure:
                raise RunError(finished.failure)
            found = _read(process.reported(finished.stdout), load.unit)
            return replace(found, usage=finished.usage, whole=finished.seconds)
        except library_use.NotLoadedError as error:
            raise RunError(str(error)) from error
        except ValueError as error:
            raise RunError(f"{program.name}: {error}") from error

    @property
    def open_loads(self) -> list[Load]:
        """The loads that are not exact enough yet."""
        return [load for load in self.loads if load.name not in self.finished]

    def finish(self, number: int) -> None:
        """Take the loads that are exact enough after this round out of the following ones."""
        for load in self.open_loads if self.method.precision is not None else ():
            if all(self._is_exact(load, subject) for subject in self.subjects):
                self.finished[load.name] = number
                for subject in self.subjects:
                    self.series[subject.name, load.name].pending = 0

    def _is_exact(self, load: Load, subject: Subject) -> bool:
        assert self.method.precision is not None
        own = self.series[subject.name, load.name]
        if own.failure is not None:
            return True
        base = self.series[self.baseline.name, load.name] if self.baseline else None
        if subject is self.baseline and len(self.subjects) > 1:
            return True  # the others are compared with it
        beside = base.samples if base and base is not own and base.failure is None else None
        return stats.is_exact(own.samples, beside, self.method.precision)

    def ends_before(self, number: int, elapsed: float) -> bool:
        """Whether there is no reason or no time for this round; `stopped` then says why. The first one always
        takes place."""
        done = f"after {number - 1} of {self.planned} rounds"
        if not self.open_loads:
            self.stopped = f"every load was exact to {self.method.precision:.3g} {done}"
        elif self.method.budget is not None and number > 1 and elapsed + self._round() > self.method.budget:
            self.stopped = f"another round would have exceeded the budget of {self.method.budget:g} s {done}"
        return bool(self.stopped)

    def _round(self) -> float:
        """The expected seconds of the next round."""
        names = {load.name for load in self.open_loads}
        return sum(
            one.seconds or 0.0
            for (_, load), one in self.series.items()
            if load in names and one.failure is None
        )

    @property
    def runs_left(self) -> int:
        """The number of runs still to come, if the run does not end early."""
        return sum(one.pending for one in self.series.values())

    def count(self, load: Load, subject: Subject, seconds: float) -> None:
        """Record a finished run and its duration."""
        series = self.series[subject.name, load.name]
        series.pending -= 1
        series.seconds = seconds

    def left(self, elapsed: float) -> float:
        """An estimate of the remaining runs' seconds, at most those of the budget. Runs without a known
        duration count with the average of the others. Failed loads count nothing."""
        running = [one for one in self.series.values() if one.failure is None]
        known = [one.seconds for one in running if one.seconds is not None]
        usual = sum(known) / len(known) if known else 0.0
        left = sum(one.pending * (usual if one.seconds is None else one.seconds) for one in running)
        return left if self.method.budget is None else max(0.0, min(left, self.method.budget - elapsed))


def measure(
    loads: Sequence[Load],
    subjects: Sequence[Subject],
    rounds: int,
    baseline: Subject | None,
    *,
    method: Method | None = None,
    perf: Perf | None = None,
    run: process.Run = process.run,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
    look: Callable[[], Watch] = Watch,
    timeout: float = 300.0,
    on_progress: Callable[[Step], None] | None = None,
    store: Store = bench.KIND.format.write,
) -> dict[str, Bench | NotMeasured]:
    """Time every load of the baseline and the subjects in at most `rounds` rounds (at least 1). Returns the
    record of each by name. If a subject's program fails, that load of that subject is "not measured", and
    the others continue. Without a baseline, records have speeds but no ratios.

    method: the default has a new seed and no early end. perf: counts events of the processor. look: starts to
    watch the machine. Raises BusyError instead of storing a round, if the method is strict and the machine
    is busy."""
    method = method or Method()
    everyone = [*([baseline] if baseline else []), *subjects]
    _check(rounds, everyone)
    if method.strict:
        before = look()
        pause(machine.SECONDS_BEFORE)
        before.check("before the first run")
    series = {(subject.name, load.name): _Series(rounds + 1) for subject in everyone for load in loads}
    session = _Session(
        loads, everyone, baseline, run, timeout, series, method, rounds, perf, look(), pinning.usual_cpu()
    )
    begin, done = clock(), 0
    now = begin
    results: dict[str, Bench | NotMeasured] = {}
    for number in range(rounds + 1):
        if number > 0 and session.ends_before(number, now - begin):
            break
        for load, subject in _order(session, number):
            if number > 0:
                session.take(load, subject)
            else:
                session.warm_up(load, subject)
            before_run, now, done = now, clock(), done + 1
            session.count(load, subject, now - before_run)
            if on_progress is not None:
                left, total = session.left(now - begin), done + session.runs_left
                on_progress(Step(done, total, number, load.name, subject.name, now - begin, left))
        if number > 0:
            if method.strict:
                session.watch.check(f"until the end of round {number}")
            session.finish(number)
            results = _store_round(session, number, store)
    return _stopped(session, results, store) if session.stopped else results


def _check(rounds: int, everyone: Sequence[Subject]) -> None:
    if rounds < 1:
        raise ValueError(f"{rounds} rounds: at least one is needed")
    if len({subject.name for subject in everyone}) < len(everyone):
        raise ValueError("two subjects have the same name")


def _order(session: _Session, number: int) -> list[tuple[Load, Subject]]:
    """The runs of a round, block by block. The loads keep their order; that of the subjects is random."""
    return [
        (load, subject)
        for load in session.open_loads
        for subject in session.method.order(session.subjects, load.name, number)
    ]


def _stopped(
    session: _Session, results: Mapping[str, Bench | NotMeasured], store: Store
) -> dict[str, Bench | NotMeasured]:
    """Write the records again with the reason why the run ended early."""
    found = {}
    for subject in session.subjects:
        record = results[subject.name]
        found[subject.name] = (
            replace(record, stopped=session.stopped) if isinstance(record, Bench) else record
        )
        store(subject.store, found[subject.name])
    return found


def _store_round(session: _Session, rounds: int, store: Store) -> dict[str, Bench | NotMeasured]:
    """Write the record of each subject after this round."""
    conditions, results = session.watch.conditions(), {}
    ratios = _ratios(session)
    for subject in session.subjects:
        results[subject.name] = _record(session, subject, rounds, conditions, ratios)
        store(subject.store, results[subject.name])
    return results


def _ratios(session: _Session) -> dict[tuple[str, str], Ratio]:
    """The ratio of each subject to the baseline with each load, corrected for their number."""
    base = session.baseline
    if base is None:
        return {}
    found = {}
    for load in session.loads:
        beside = session.series[base.name, load.name]
        for subject in session.subjects:
            own = session.series[subject.name, load.name]
            if subject is not base and own.failure is None and beside.failure is None:
                found[subject.name, load.name] = stats.compare(
                    beside.samples, own.samples, load.unit.better, session.method.smallest_effect
                )
    return stats.corrected(found)


def _record(
    session: _Session,
    subject: Subject,
    rounds: int,
    conditions: Conditions,
    ratios: Mapping[tuple[str, str], Ratio],
) -> Bench | NotMeasured:
    loads = {load.name: _timing(session, load, subject, ratios) for load in session.loads}
    reasons = [timing.reason for timing in loads.values() if isinstance(timing, NotMeasured)]
    if len(reasons) == len(loads):
        return NotMeasured(reasons[0] if reasons else "there is no load")
    return Bench(loads, rounds, planned=session.planned, seed=session.method.seed, conditions=conditions)


def _timing(
    session: _Session, load: Load, subject: Subject, ratios: Mapping[tuple[str, str], Ratio]
) -> Timing | NotMeasured:
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
        peak_kib=_peak(own),
        cpu_ns=statistics.median(own.cpu_ns) if own.cpu_ns else UNREPORTED,
        after_kib=(UNREPORTED if own.after_kib is None else own.after_kib) if load.quiet else None,
        usage=_usage(own.usages),
        hardware=own.hardware,
        cpu=own.cpu,
    )
    baseline = session.baseline
    if subject is baseline:
        return alone
    if baseline is None:
        return replace(alone, ratio=NotMeasured("there is no baseline"))
    return _against(alone, session.series[baseline.name, load.name], ratios.get((subject.name, load.name)))


def _peak(own: _Series) -> int | NotMeasured:
    """The highest peak that the program reports. The kernel's figure of a process starts at the memory of the
    process that started it, so it is used only where it is above that."""
    if own.peaks:
        return max(own.peaks)
    counted = max((usage.peak_kib for usage in own.usages), default=0)
    return counted if counted > process.own_peak_kib() else UNREPORTED


def _usage(found: Sequence[process.Usage]) -> Usage | NotMeasured:
    if not found:
        return UNCOUNTED
    return Usage(
        cpu_seconds=statistics.median(one.cpu_seconds for one in found),
        minor_faults=statistics.median(one.minor_faults for one in found),
        major_faults=statistics.median(one.major_faults for one in found),
        voluntary_switches=statistics.median(one.voluntary for one in found),
        involuntary_switches=statistics.median(one.involuntary for one in found),
    )


def _against(own: Timing, baseline: _Series, ratio: Ratio | None) -> Timing:
    """A load's timing compared with the baseline's."""
    if baseline.failure is not None or ratio is None:
        return replace(own, ratio=NotMeasured(f"the baseline has no figure: {baseline.failure}"))
    return replace(
        own,
        baseline=tuple(baseline.samples),
        baseline_peak_kib=max(baseline.peaks, default=None),
        ratio=ratio,
    )


def _read(line: Mapping[str, object], unit: Unit) -> _Figures:
    """The figures in a program's JSON line."""
    ops, seconds = _number(line, "ops"), _number(line, "seconds")
    cpu = _number(line, "cpu_seconds", least=0) if "cpu_seconds" in line else None
    return _Figures(
        ops=ops,
        seconds=seconds,
        speed=ops / seconds * 1e-6 if unit.better is Better.HIGHER else seconds / ops * 1e9,
        peak_kib=_kib(line, "peak_kib"),
        cpu_seconds=cpu,
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
