"""Evidence `bench`: how fast each load runs, timed in rounds in which the cells and the baseline take turns.

No node of the build: timings run alone, when every binary is there. `measure` takes them and writes the file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from layermatrix.core.records import Measured, NotMeasured
from layermatrix.evidence.columns import Column, Figure, Heading, View, figure, number
from layermatrix.evidence.kind import Kind

if TYPE_CHECKING:
    from layermatrix.model.matrix import Cell
    from layermatrix.model.project import Project

ROUNDS = "median (low-high) of rounds in which the baseline and every cell take turns"
RATIO = "median of the ratios of the rounds"
PEAK = "peak resident memory of the benchmark"


UNREPORTED = NotMeasured("the program does not report it")


class Verdict(Enum):
    """What an interval of ratios says."""

    FASTER = "faster"
    SLOWER = "slower"
    SAME = "no difference"


@dataclass(frozen=True)
class Ratio:
    """How many times as fast as the baseline, with its interval."""

    median: float
    low: float
    high: float
    verdict: Verdict


@dataclass(frozen=True)
class Timing(Measured):
    """One load's speed. interval: what low and high are. baseline: the samples that it is compared with, and
    `ratio` what came of it; None of the baseline itself. cpu_ns: CPU time of all threads for one operation,
    the median. after_kib: resident memory after all was freed; None where that was not requested."""

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
    """key: changes with the binaries and loads that were timed."""

    loads: Mapping[str, Timing | NotMeasured]
    rounds: int
    key: str = ""

    def load(self, name: str) -> Timing | NotMeasured:
        return self.loads.get(name, NotMeasured("this load was not timed"))


def _left_out(cell: Cell, project: Project) -> str | None:
    return None if cell.is_counted else "only native release cells without a sanitizer are timed"


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
    doc="how fast each load runs, beside the baseline",
    record=Bench,
    columns=_columns,
    left_out=_left_out,
    of_baseline=True,
)
