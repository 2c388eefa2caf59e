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

A run ends early if its figures are exact enough (`Method.precision`) or its time is over (`Method.budget`):
no round starts that is expected to end later, and one that lasts longer than that is given up. A strict run
is refused with BusyError if something else disturbs it (`measure.machine`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from layermatrix.core import process
from layermatrix.core.records import NotMeasured
from layermatrix.evidence import bench
from layermatrix.evidence.bench import UNCOUNTED, Bench, Ratio, Timing
from layermatrix.evidence.conditions import Conditions
from layermatrix.measure import machine, one_run, pinning, samples, stats
from layermatrix.measure.hardware import Perf
from layermatrix.measure.machine import Watch
from layermatrix.measure.method import Method
from layermatrix.measure.one_run import Figures, Load, RunError, Subject
from layermatrix.measure.samples import Samples, Series

GRACE = 1.0  # seconds after the end of the budget, when a program that is still running is ended
ONE_THREAD = 1.2  # CPUs at once, on average: a program that uses more runs several threads
TIMEOUT = 300.0  # seconds of a run
Records = dict[str, "Bench | NotMeasured"]  # by name of the subject
Store = Callable[[Path, Bench | NotMeasured], None]


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


@dataclass
class _Session:
    loads: Sequence[Load]
    subjects: Sequence[Subject]
    baseline: Subject | None  # one of the subjects
    run: process.Run
    timeout: float
    series: dict[tuple[str, str], Series]
    method: Method
    planned: int
    perf: Perf | None
    watch: Watch
    cpu: int | None
    finished: dict[str, int] = field(default_factory=dict)  # load -> the round after which it was exact
    stopped: str = ""

    def once(self, load: Load, subject: Subject, number: int, elapsed: float) -> None:
        """Run one benchmark in this round; 0 for the untimed one."""
        if number > 0:
            self.take(load, subject, self.left_of(number, elapsed))
        else:
            self.warm_up(load, subject)

    def warm_up(self, load: Load, subject: Subject) -> None:
        """Run one benchmark once, untimed, and learn what the timed runs need to know."""
        series = self.series[subject.name, load.name]
        before = (*load.before, *(self.perf.words if self.perf else ()))
        found = self._attempt(load, subject, (*load.args, *load.quiet), before)
        if found:
            series.after_kib = found.after_kib
            series.threads = found.threads
            series.hardware = self.perf.read(found.ops) if self.perf else UNCOUNTED

    def take(self, load: Load, subject: Subject, left: float) -> None:
        """Time one benchmark once. After a failure, this load of this subject is not run again. left: the
        seconds that the program may take; if they are over, the round is."""
        series = self.series[subject.name, load.name]
        if series.failure is not None:
            return
        with pinning.pinned(self._cpu_of(load)) as cpu:
            found = self._attempt(load, subject, load.args, load.before, left)
        self.watch.sample()
        if found:
            series.add(found, cpu)

    def _cpu_of(self, load: Load) -> int | None:
        """The CPU for this load's programs: the same for all subjects; None if one of them runs several
        threads, or if the load has a command that chooses for it."""
        threads = max(self.series[one.name, load.name].threads for one in self.subjects)
        return None if load.parallel or load.before or threads > ONE_THREAD else self.cpu

    def _attempt(
        self,
        load: Load,
        subject: Subject,
        args: Sequence[str],
        before: Sequence[str],
        left: float = math.inf,
    ) -> Figures | None:
        """The figures of a run; None, with the reason in the series, if it failed."""
        try:
            return one_run.run_once(load, subject, args, before, self.run, min(self.timeout, left + GRACE))
        except RunError as error:
            self.series[subject.name, load.name].failure = str(error)
            return None

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
        done, budget = f"after {number - 1} of {self.planned} rounds", self.method.budget
        if not self.open_loads:
            self.stopped = f"every load was exact to {_percent(self.method.precision)} {done}"
        elif budget is not None and number == 2 and elapsed > budget:
            self.stopped = (
                f"the untimed run and the first round took {elapsed:.0f} s, more than the budget of"
                f" {budget:g} s"
            )
        elif budget is not None and number > 1 and elapsed + self._round() > budget:
            self.stopped = f"another round would have exceeded the budget of {budget:g} s {done}"
        return bool(self.stopped)

    def left_of(self, number: int, elapsed: float) -> float:
        """The seconds that are left of the budget in this round; the first one has no limit."""
        budget = self.method.budget
        return math.inf if budget is None or number < 2 else budget - elapsed

    def give_up(self, number: int) -> None:
        """End the run during a round, whose samples are not used."""
        self.stopped = (
            f"the budget of {self.method.budget:g} s was over in round {number} of {self.planned}, which is"
            " left out"
        )

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

    def count(self, load: Load, subject: Subject, seconds: float, number: int) -> None:
        """Record a finished run of this round and its duration. The longest timed one counts; the untimed one
        may wait for its memory to be returned."""
        series = self.series[subject.name, load.name]
        series.pending -= 1
        series.seconds = max(seconds, series.seconds or 0.0) if number > 1 else seconds

    def left(self, elapsed: float) -> float:
        """An estimate of the remaining runs' seconds, at most those of the budget and of the first round.
        Runs without a known duration count with the average of the others. Failed loads count nothing."""
        running = [one for one in self.series.values() if one.failure is None]
        known = [one.seconds for one in running if one.seconds is not None]
        usual = sum(known) / len(known) if known else 0.0
        each = [(one.pending, usual if one.seconds is None else one.seconds) for one in running]
        left = sum(pending * seconds for pending, seconds in each)
        if self.method.budget is None:
            return left
        first = sum(max(0, pending - self.planned + 1) * seconds for pending, seconds in each)
        return max(first, min(left, self.method.budget - elapsed))


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
    timeout: float = TIMEOUT,
    on_progress: Callable[[Step], None] | None = None,
    store: Store = bench.KIND.format.write,
) -> dict[str, Bench | NotMeasured]:
    """Time every load of the baseline and the subjects in at most `rounds` rounds (at least 1). Returns the
    record of each by name. If a subject's program fails, that load of that subject is "not measured", and
    the others continue. Without a baseline, records have speeds but no ratios.

    method: the default has a new seed and no early end. perf: counts events of the processor. look: starts to
    watch the machine. Raises BusyError instead of storing a round, if the method is strict and the machine
    is busy."""
    plan = Timed(loads, subjects, rounds, baseline, method or Method())
    results: dict[str, Bench | NotMeasured] = {}

    def stored(number: int) -> None:
        results.update(_store_round(session, number, session.watch.conditions(), store))

    begin = clock()
    session = _session(plan, run, timeout, perf, look, pause)
    _run_rounds(session, begin, clock, on_progress, stored)
    return _stopped(session, results, store) if session.stopped else results


@dataclass(frozen=True)
class Timed:
    """What is timed, and how: the parameters of `measure` that do not depend on the machine."""

    loads: Sequence[Load]
    subjects: Sequence[Subject]
    rounds: int
    baseline: Subject | None
    method: Method

    @property
    def everyone(self) -> list[Subject]:
        """The baseline and the subjects."""
        return [*([self.baseline] if self.baseline else []), *self.subjects]


def sample(
    plan: Timed,
    *,
    perf: Perf | None = None,
    run: process.Run = process.run,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
    look: Callable[[], Watch] = Watch,
    timeout: float = TIMEOUT,
) -> Samples:
    """Time as `measure` does, and return the samples alone, which `analyse` turns into records. This needs no
    statistics, so it runs on hosts without the packages for them; `Method.precision` must be None. Raises
    BusyError."""
    assert plan.method.precision is None
    begin = clock()
    session, finished = _session(plan, run, timeout, perf, look, pause), [0]

    def count(number: int) -> None:
        finished[0] = number

    _run_rounds(session, begin, clock, None, count)
    series = {
        subject.name: {load.name: session.series[subject.name, load.name] for load in plan.loads}
        for subject in plan.everyone
    }
    return Samples(series, finished[0], plan.method.seed, session.watch.conditions(), session.stopped)


def analyse(
    plan: Timed, found: Samples, *, look: Callable[[], Watch] = Watch, store: Store = bench.KIND.format.write
) -> dict[str, Bench | NotMeasured]:
    """The records that `measure` would have returned for these samples."""
    series = {(name, load): one for name, loads in found.series.items() for load, one in loads.items()}
    method = replace(plan.method, seed=found.seed)
    session = _Session(
        plan.loads, plan.everyone, plan.baseline, process.run, TIMEOUT, series, method, plan.rounds, None,
        look(), None, stopped=found.stopped,
    )  # fmt: skip
    results = _store_round(session, found.rounds, found.conditions, store)
    return _stopped(session, results, store) if session.stopped else results


def _session(
    plan: Timed,
    run: process.Run,
    timeout: float,
    perf: Perf | None,
    look: Callable[[], Watch],
    pause: Callable[[float], None],
) -> _Session:
    everyone = plan.everyone
    _check(plan.rounds, everyone)
    if plan.method.strict:
        before = look()
        pause(machine.SECONDS_BEFORE)
        before.check("before the first run")
    series = {
        (subject.name, load.name): Series(plan.rounds + 1) for subject in everyone for load in plan.loads
    }
    return _Session(
        plan.loads, everyone, plan.baseline, run, timeout, series, plan.method, plan.rounds, perf, look(),
        pinning.usual_cpu(),
    )  # fmt: skip


def _run_rounds(
    session: _Session,
    begin: float,
    clock: Callable[[], float],
    on_progress: Callable[[Step], None] | None,
    finished: Callable[[int], None],
) -> None:
    """Run everything once untimed, and then round by round. begin: when the budget began. finished: called
    with the number of each complete round."""
    now, done = begin, 0
    for number in range(session.planned + 1):
        if number > 0 and session.ends_before(number, now - begin):
            break
        for load, subject in _order(session, number):
            session.once(load, subject, number, now - begin)
            before_run, now, done = now, clock(), done + 1
            session.count(load, subject, now - before_run, number)
            if on_progress is not None:
                left, total = session.left(now - begin), done + session.runs_left
                on_progress(Step(done, total, number, load.name, subject.name, now - begin, left))
            if session.left_of(number, now - begin) < 0:
                session.give_up(number)
                break
        if session.stopped:
            break
        if number > 0:
            if session.method.strict:
                session.watch.check(f"until the end of round {number}")
            session.finish(number)
            finished(number)


def _percent(share: float | None) -> str:
    """A share as a user would write it."""
    return f"{100 * (share or 0):.3g}%"


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


def _store_round(
    session: _Session, rounds: int, conditions: Conditions, store: Store
) -> dict[str, Bench | NotMeasured]:
    """Write the record of each subject after this round."""
    results: dict[str, Bench | NotMeasured] = {}
    base = session.baseline.name if session.baseline else None
    better = {load.name: load.unit.better for load in session.loads}
    ratios = samples.ratios(session.series, base, better, session.method.smallest_effect)
    for subject in session.subjects:
        results[subject.name] = _record(session, subject, rounds, conditions, ratios)
        store(subject.store, results[subject.name])
    return results


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
    alone, baseline = samples.timing(session.series[subject.name, load.name], load), session.baseline
    if isinstance(alone, NotMeasured) or subject is baseline:
        return alone
    if baseline is None:
        return replace(alone, ratio=bench.NO_BASELINE)
    beside = session.series[baseline.name, load.name]
    return samples.against(alone, beside, ratios.get((subject.name, load.name)))
