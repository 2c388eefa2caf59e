"""Time programs against each other, in turn, in one run.

Runs the benchmark programs of all subjects, one process at a time. Writes the record `bench` of each
subject after each complete round, so that an interrupt keeps the rounds that are done.

    load     a benchmark and its arguments.  subject: what is timed, a build with its programs.
    round    each load once with the baseline and with every subject. Their order moves on by one from round
             to round, so that none always comes first; samples of one round are a pair.

One run of everything comes before the rounds and is not recorded: it warms the machine up, and whatever
cannot run at all shows there.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from layermatrix.core import process, records
from layermatrix.measure import stats


@dataclass(frozen=True)
class Load:
    """speed_field and peak_field: where the program's JSON line has its speed (in `unit`, higher is better)
    and its peak memory in KiB."""

    name: str
    args: tuple[str, ...]
    unit: str = "Mops/s"
    speed_field: str = "mops"
    peak_field: str = "peak_kib"


@dataclass(frozen=True)
class Subject:
    """programs: the benchmark of each load by name. preload: library, or None. store: its bench.json."""

    name: str
    programs: Mapping[str, Path]
    preload: Path | None
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
    peaks: list[int] = field(default_factory=list)
    failure: str | None = None


@dataclass
class _Session:
    loads: Sequence[Load]
    subjects: Sequence[Subject]  # the first is the baseline
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
            series.peaks.append(peak)

    def _figures(self, load: Load, subject: Subject) -> tuple[float, int]:
        program = subject.programs.get(load.name)
        if program is None:
            raise RunError(f"there is no program for {load.name}")
        finished = self.run(
            [str(program), *load.args],
            environment=process.environment(subject.preload),
            timeout=self.timeout,
        )
        if finished.failure:
            raise RunError(f"{program.name}: {finished.failure}")
        try:
            line = process.reported(finished.stdout)
        except ValueError as error:
            raise RunError(f"{program.name}: {error}") from error
        return _number(line, load.speed_field, program), int(_number(line, load.peak_field, program))


def measure(
    loads: Sequence[Load],
    subjects: Sequence[Subject],
    rounds: int,
    baseline: Subject,
    *,
    run: process.Run = process.run,
    clock: Callable[[], float] = time.monotonic,
    timeout: float = 300.0,
    on_progress: Callable[[Step], None] | None = None,
    store: Callable[[Path, records.Record], None] = records.write,
) -> dict[str, records.Record]:
    """Time every load of the baseline and the subjects in `rounds` rounds (at least 1). Returns the record of
    each by name; a subject whose program fails is "not measured" for that load, and the others go on."""
    everyone = [baseline, *subjects]
    _check(rounds, everyone)
    series = {(subject.name, load.name): _Series() for subject in everyone for load in loads}
    session = _Session(loads, everyone, run, timeout, series)
    begin, done = clock(), 0
    total = (rounds + 1) * len(loads) * len(everyone)
    results: dict[str, records.Record] = {}
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


def _store_round(
    session: _Session, rounds: int, store: Callable[[Path, records.Record], None]
) -> dict[str, records.Record]:
    baseline = session.subjects[0]
    results = {}
    for subject in session.subjects:
        results[subject.name] = _record(session, subject, baseline, rounds)
        store(subject.store, results[subject.name])
    return results


def _record(session: _Session, subject: Subject, baseline: Subject, rounds: int) -> records.Record:
    loads = {}
    for load in session.loads:
        own = session.series[subject.name, load.name]
        other = None if subject is baseline else session.series[baseline.name, load.name]
        loads[load.name] = _load_record(load, own, other)
    failed = [load["reason"] for load in loads.values() if load["status"] == records.NOT_MEASURED]
    if len(failed) == len(loads):
        reason = failed[0] if failed else "there is no load"
        return records.not_measured("bench", reason, loads=loads, rounds=rounds)
    return records.measured("bench", loads=loads, rounds=rounds)


def _load_record(load: Load, own: _Series, baseline: _Series | None) -> records.Record:
    if own.failure is not None:
        return {"status": records.NOT_MEASURED, "reason": own.failure, "unit": load.unit}
    spread = stats.median_interval(own.samples)
    result = {
        "status": records.MEASURED,
        "unit": load.unit,
        "samples": list(own.samples),
        "median": spread.median,
        "low": spread.low,
        "high": spread.high,
        "interval": spread.method,
        "peak_kib": max(own.peaks),
    }
    return result if baseline is None else {**result, **_against(own, baseline)}


def _against(own: _Series, baseline: _Series) -> records.Record:
    """The part of a load's record that sets it beside the baseline; without one, the reason."""
    if baseline.failure is not None:
        reason = f"the baseline has no figure: {baseline.failure}"
        return {"baseline": [], "baseline_peak_kib": None, "ratio": None, "ratio_reason": reason}
    verdict = stats.compare(baseline.samples, own.samples)
    return {
        "baseline": list(baseline.samples),
        "baseline_peak_kib": max(baseline.peaks),
        "ratio": {"median": verdict.ratio, "low": verdict.low, "high": verdict.high, "verdict": verdict.word},
        "ratio_reason": None,
    }


def _number(line: Mapping[str, object], name: str, program: Path) -> float:
    value = line.get(name)
    if type(value) in (int, float) and isinstance(value, (int, float)) and 0 < value < math.inf:
        return float(value)
    raise RunError(f"{program.name}: {name!r} in its JSON line is {value!r}, not a number above zero")
