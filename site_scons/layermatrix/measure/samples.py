"""Turn the samples of a run into records: medians, intervals, and the comparison with the baseline."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from layermatrix.core import process
from layermatrix.core.records import Measured, NotMeasured
from layermatrix.evidence.bench import UNCOUNTED, UNREPORTED, Hardware, Ratio, Timing, Usage
from layermatrix.evidence.conditions import Conditions
from layermatrix.measure import stats
from layermatrix.measure.one_run import Figures, Load
from layermatrix.model.catalogue import Better

T = TypeVar("T")
Names = tuple[str, str]  # of a subject and a load


@dataclass
class Series:
    """The samples of one subject with one load. failure: the reason why no more samples follow. seconds: the
    duration of its last run, None before the first. pending: the number of runs still to come. cpu: where
    the timed runs were pinned. threads: the CPUs that the untimed run used at once. own_peak_kib: the peak of
    the process that started the runs."""

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
    own_peak_kib: int = 0

    def add(self, found: Figures, cpu: int | None) -> None:
        """Add a timed run, whose program ran on this CPU; None: on all."""
        self.cpu, self.own_peak_kib = cpu, process.own_peak_kib()
        self.samples.append(found.speed)
        self.peaks.extend(_known(found.peak_kib))
        self.cpu_ns.extend(_known(found.cpu_ns))
        self.usages.extend(_known(found.usage))


@dataclass(frozen=True)
class Samples(Measured):
    """The samples of a run before any statistics. series: name of the subject -> load -> its series. rounds:
    the complete rounds. stopped: why the run ended early."""

    series: Mapping[str, Mapping[str, Series]]
    rounds: int
    seed: int
    conditions: Conditions
    stopped: str = ""


def ratios(
    series: Mapping[Names, Series], baseline: str | None, better: Mapping[str, Better], smallest: float
) -> dict[Names, Ratio]:
    """The ratio of each subject to the baseline with each load, corrected for their number. better: of each
    load's unit."""
    found = {}
    for (name, load), own in series.items():
        beside = series[baseline, load] if baseline and name != baseline else None
        if beside and own.failure is None and beside.failure is None:
            found[name, load] = stats.compare(beside.samples, own.samples, better[load], smallest)
    return stats.corrected(found)


def timing(own: Series, load: Load) -> Timing | NotMeasured:
    """The figures of a subject with a load, without a comparison."""
    if own.failure is not None:
        return NotMeasured(own.failure)
    spread = stats.median_interval(own.samples)
    return Timing(
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


def against(own: Timing, baseline: Series, ratio: Ratio | None) -> Timing:
    """A load's timing compared with the baseline's."""
    if baseline.failure is not None or ratio is None:
        return replace(own, ratio=NotMeasured(f"the baseline has no figure: {baseline.failure}"))
    return replace(
        own,
        baseline=tuple(baseline.samples),
        baseline_peak_kib=max(baseline.peaks, default=None),
        ratio=ratio,
    )


def _peak(own: Series) -> int | NotMeasured:
    """The highest peak that the program reports. The kernel's figure of a process starts at the memory of the
    process that started it, so it is used only where it is above that."""
    if own.peaks:
        return max(own.peaks)
    counted = max((usage.peak_kib for usage in own.usages), default=0)
    return counted if counted > own.own_peak_kib else UNREPORTED


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


def _known(value: T | None) -> tuple[T, ...]:
    return () if value is None else (value,)
