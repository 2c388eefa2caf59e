"""Evidence `bench`: the speed of each load. Each round of the timing runs the baseline and every cell once.

This kind is not a node of the build: a timing runs alone, after all binaries are built. `measure` takes it
and writes the file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from layermatrix.core.records import Measured, NotMeasured
from layermatrix.evidence.columns import Column, Figure, Heading, View, figure, number
from layermatrix.evidence.kind import Kind
from layermatrix.model.cells import ONLY_SHIPPED

if TYPE_CHECKING:
    from layermatrix.model.cells import Cell
    from layermatrix.model.project import Project

ROUNDS = "median (low-high) of the rounds; each round runs the baseline and every cell once"
RATIO = "median of the rounds' ratios"
PEAK = "peak resident memory of the benchmark"


UNREPORTED = NotMeasured("the program does not report it")


class Verdict(Enum):
    """The result of an interval of ratios."""

    FASTER = "faster"
    SLOWER = "slower"
    SAME = "no difference"


@dataclass(frozen=True)
class Ratio:
    """The speed relative to the baseline (1.0 is equal, more is faster), with its interval."""

    median: float
    low: float
    high: float
    verdict: Verdict


@dataclass(frozen=True)
class Timing(Measured):
    """One load's speed, in `unit`. interval: what low and high mean. peak_kib: peak resident memory in KiB.
    baseline: the baseline's samples. ratio: the comparison with them; None for the baseline itself. cpu_ns:
    the median CPU time of all threads for one operation, in nanoseconds. after_kib: resident memory in KiB
    after the program freed everything; None where that was not requested."""

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


@dataclass(frozen=True)
class Bench(Measured):
    """The timings of a cell. key: changes when the timed binaries or loads change."""

    loads: Mapping[str, Timing | NotMeasured]
    rounds: int
    key: str = ""

    def load(self, name: str) -> Timing | NotMeasured:
        return self.loads.get(name, NotMeasured("this load was not timed"))


def _left_out(cell: Cell, project: Project) -> str | None:
    return None if cell.is_counted else ONLY_SHIPPED.format("timed")


def _columns(records: Sequence[Bench], view: View) -> list[Column[Bench]]:
    columns = []
    for load in view.loads:
        is_first = load == view.headline
        speed = Heading(load, view.speed, ROUNDS, load)
        columns.append(Column(speed, _of(load, _speed), beside="speed" if is_first else None))
        ratio = Heading("ratio to", view.baseline, RATIO, load)
        columns.append(Column(ratio, _of(load, _ratio), brief=is_first))
        columns.append(
            Column(Heading("peak", "KiB", PEAK, load), _of(load, lambda timing: figure(timing.peak_kib)))
        )
    return columns


def _of(load: str, print_timing: Callable[[Timing], Figure]) -> Callable[[Bench], Figure]:
    def of(record: Bench) -> Figure:
        timing = record.load(load)
        return figure(timing) if isinstance(timing, NotMeasured) else print_timing(timing)

    return of


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
)
