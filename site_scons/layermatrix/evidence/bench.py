"""Evidence `bench`: the speed of each load. Each round of the timing runs the baseline and every cell once.

This kind is not a node of the build: a timing runs alone, after all binaries are built. `measure` takes it
and writes the file.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from layermatrix.core.host import Host
from layermatrix.core.records import Measured, NotMeasured
from layermatrix.evidence.columns import Column, Figure, FigureKind, Heading, View, figure, number
from layermatrix.evidence.conditions import Conditions
from layermatrix.evidence.kind import Kind
from layermatrix.model.cells import ONLY_SHIPPED

if TYPE_CHECKING:
    from layermatrix.model.cells import Cell
    from layermatrix.model.project import Project

ROUNDS = "median (low-high) of the rounds; each round runs the baseline and every cell once"
RATIO = "median of the rounds' ratios, with its interval"
MACHINE = "whether other work disturbed the timing; strict=1 refuses such a run"
CPU = "median CPU time of the rounds; other work on the machine changes it less than the speed"
PEAK = "peak resident memory of the benchmark"


NO_BASELINE = NotMeasured("there is no baseline")
UNREPORTED = NotMeasured("the program does not report it")
UNCOUNTED = NotMeasured("it was not counted in this run")
SMALLEST_EFFECT = 0.01  # a share; used where a project declares none


class Verdict(Enum):
    """The result of an interval of ratios. OPEN: the run is too short to tell."""

    FASTER = "faster"
    SLOWER = "slower"
    SAME = "no difference"
    OPEN = "no verdict"


@dataclass(frozen=True)
class Ratio:
    """The speed relative to the baseline (1.0 is equal, more is faster), with its interval. interval: what
    low and high mean. p: the probability of a difference as clear as this between equal sides, corrected if
    the run compared more than one pair; None after too few rounds. rounds, comparisons: what the verdict
    rests on. smallest: the share by which a difference has to exceed 1 to count. deviation: the spread of the
    logarithms of the rounds' ratios, as a standard deviation. needed: the rounds that it would take to see
    the smallest difference or, without a verdict, this one; None if there were enough."""

    median: float
    low: float
    high: float
    verdict: Verdict
    interval: str = "min..max"
    p: float | None = None
    rounds: int = 0
    comparisons: int = 1
    smallest: float = SMALLEST_EFFECT
    deviation: float = 0.0
    needed: int | None = None

    @property
    def margin(self) -> float:
        """Half of the interval's width, as a share."""
        return math.sqrt(self.high / self.low) - 1

    @property
    def caution(self) -> str:
        """What a reader of the verdict has to know; empty if it stands by itself."""
        more = f"; about {self.needed} would tell" if self.needed else ""
        if self.verdict is Verdict.OPEN:
            many = f" for {self.comparisons} comparisons" if self.comparisons > 1 else ""
            return f"too few rounds{many}{more}"
        if self.verdict is Verdict.SAME and self.needed is not None:
            return f"a difference of less than {self.margin:.1%} would not show in so few rounds{more}"
        return ""


@dataclass(frozen=True)
class Usage(Measured):
    """What a timed run of the whole process used: the medians of the rounds. Faults are page faults without
    and with disk access; switches are context switches that the process made or was forced to make."""

    cpu_seconds: float
    minor_faults: float
    major_faults: float
    voluntary_switches: float
    involuntary_switches: float


@dataclass(frozen=True)
class Hardware(Measured):
    """Events of the processor in user mode for each operation, over the whole process, in the untimed run."""

    cycles: float | NotMeasured
    instructions: float | NotMeasured
    cache_misses: float | NotMeasured
    branch_misses: float | NotMeasured


@dataclass(frozen=True)
class Timing(Measured):
    """One load's speed, in `unit`. interval: what low and high mean. peak_kib: peak resident memory in KiB.
    baseline: the baseline's samples. ratio: the comparison with them; None for the baseline itself. cpu_ns:
    the median CPU time of all threads for one operation, in nanoseconds. after_kib: resident memory in KiB
    after the program freed everything; None where that was not requested. cpu: the CPU that the program was
    bound to; None if it could use all."""

    unit: str
    samples: tuple[float, ...]
    median: float
    low: float
    high: float
    interval: str
    peak_kib: int | NotMeasured
    baseline: tuple[float, ...] = ()
    baseline_peak_kib: int | None = None
    ratio: Ratio | NotMeasured | None = None
    cpu_ns: float | NotMeasured = UNREPORTED
    after_kib: int | NotMeasured | None = None
    usage: Usage | NotMeasured = UNCOUNTED
    hardware: Hardware | NotMeasured = UNCOUNTED
    cpu: int | None = None


@dataclass(frozen=True)
class Bench(Measured):
    """The timings of a cell. rounds: the complete rounds. planned: the most rounds that were planned, if the
    run ended earlier because its figures were exact enough or its time was over. key: changes when the timed
    binaries or loads change. seed: repeats the random order. stopped: why the run ended early. host: the
    host that timed; None: this machine."""

    loads: Mapping[str, Timing | NotMeasured]
    rounds: int
    key: str = ""
    planned: int = 0
    seed: int | None = None
    conditions: Conditions | None = None
    stopped: str = ""
    host: Host | None = None

    def load(self, name: str) -> Timing | NotMeasured:
        return self.loads.get(name, NotMeasured("this load was not timed"))


def _left_out(cell: Cell, project: Project) -> str | None:
    return None if cell.is_counted else ONLY_SHIPPED.format("timed")


def _columns(records: Sequence[Bench], view: View) -> list[Column[Bench]]:
    columns: list[Column[Bench]] = []
    if any(record.conditions and record.conditions.is_busy for record in records):
        columns.append(Column(Heading("machine", "", MACHINE), _machine, brief=True))
    for load in view.loads:
        is_first = load == view.headline
        speed = Heading(load, view.speed, ROUNDS, load)
        columns.append(Column(speed, _of(load, _speed), beside="speed" if is_first else None))
        if not all(_has_no_baseline(record.load(load)) for record in records):
            ratio = Heading("ratio to", view.baseline, RATIO, load)
            columns.append(Column(ratio, _of(load, _ratio), brief=is_first))
        if any(_is_alone(record.load(load)) for record in records):
            cpu = Heading("CPU", f"ns/{view.work}", CPU, load)
            columns.append(Column(cpu, _of(load, lambda timing: figure(timing.cpu_ns, 1))))
        columns.append(
            Column(Heading("peak", "KiB", PEAK, load), _of(load, lambda timing: figure(timing.peak_kib)))
        )
    return columns


def _has_no_baseline(timing: Timing | NotMeasured) -> bool:
    """Whether it could not be compared, because the project has no baseline."""
    return isinstance(timing, Timing) and timing.ratio == NO_BASELINE


def _is_alone(timing: Timing | NotMeasured) -> bool:
    """Whether its program had one thread, whose CPU time shows its speed without waiting for a CPU."""
    return isinstance(timing, Timing) and timing.cpu is not None and isinstance(timing.cpu_ns, float)


def _of(load: str, print_timing: Callable[[Timing], Figure]) -> Callable[[Bench], Figure]:
    def of(record: Bench) -> Figure:
        timing = record.load(load)
        return figure(timing) if isinstance(timing, NotMeasured) else print_timing(timing)

    return of


def _machine(record: Bench) -> Figure:
    """Whether the machine was busy during the run."""
    found = record.conditions
    if found is None:
        return figure(NotMeasured("the machine was not watched"))
    return Figure("busy", FigureKind.BAD) if found.is_busy else Figure("quiet")


def _speed(timing: Timing) -> Figure:
    return _spread(timing.median, timing.low, timing.high, 1, "")


def _ratio(timing: Timing) -> Figure:
    if timing.ratio is None:
        return Figure("1.00x")
    if isinstance(timing.ratio, NotMeasured):
        return figure(timing.ratio)
    return _spread(timing.ratio.median, timing.ratio.low, timing.ratio.high, 2, "x")


def _spread(median: float, low: float, high: float, digits: int, suffix: str) -> Figure:
    note = f"{number(low, digits)}-{number(high, digits)}"
    return Figure(number(median, digits) + suffix, note=note)


KIND = Kind(
    name="bench",
    title="Speed",
    doc="the speed of each load, compared with the baseline",
    record=Bench,
    columns=_columns,
    left_out=_left_out,
    of_baseline=True,
    version=2,
)
