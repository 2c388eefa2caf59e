"""Compute medians with confidence intervals, and verdicts, from a small number of timings.

The method assumes no distribution. The interval of a median comes from order statistics: for n independent
samples, the k-th smallest and the k-th largest enclose the median with probability 1 - 2 * P(Binomial(n, 1/2)
< k). The method goes back to W. R. Thompson, "On confidence ranges for the median and other expectation
distributions for populations of unknown distribution form", Annals of Mathematical Statistics 7 (1936). J.-Y.
Le Boudec, "Performance Evaluation of Computer and Communication Systems" (2010), section 2.2, describes it
for measurements of computers.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from layermatrix.evidence.bench import Ratio, Verdict
from layermatrix.model.catalogue import Better

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Interval:
    """A median and its interval. coverage: the probability that the interval contains the true median.
    method: "95 %", or "min..max" if there are too few samples for that (fewer than six)."""

    median: float
    low: float
    high: float
    coverage: float
    method: Literal["95 %", "min..max"]


def median_interval(samples: Sequence[float]) -> Interval:
    """The median of at least one sample, and the narrowest interval that covers it with 95 % probability."""
    if not samples:
        raise ValueError("no samples, no median")
    ordered = sorted(samples)
    count = len(ordered)
    rank = 1
    while _coverage(count, rank + 1) >= CONFIDENCE:
        rank += 1
    coverage = _coverage(count, rank)
    return Interval(
        median=statistics.median(ordered),
        low=ordered[rank - 1],
        high=ordered[count - rank],
        coverage=coverage,
        method="95 %" if coverage >= CONFIDENCE else "min..max",
    )


def _coverage(count: int, rank: int) -> float:
    """The probability that the rank-th smallest and the rank-th largest of `count` samples enclose the
    median."""
    return float(1 - 2 * sum(math.comb(count, i) for i in range(rank)) / 2**count)


def paired_ratio(baseline: Sequence[float], candidate: Sequence[float]) -> Interval:
    """The median of candidate / baseline, computed per round. A slowdown of a whole round cancels out."""
    if len(baseline) != len(candidate):
        raise ValueError(f"{len(baseline)} baseline samples cannot be paired with {len(candidate)}")
    if any(value <= 0 for value in (*baseline, *candidate)):
        raise ValueError("a speed or time is above zero")
    return median_interval([new / old for old, new in zip(baseline, candidate, strict=True)])


def compare(baseline: Sequence[float], candidate: Sequence[float], better: Better = Better.HIGHER) -> Ratio:
    """The candidate's speed divided by the baseline's, from samples paired by round. Samples are speeds, or
    times if lower is better. The verdict is "no difference" after one round, or if the ratio's interval
    contains 1."""
    pairs = (baseline, candidate) if better is Better.HIGHER else (candidate, baseline)
    ratio = paired_ratio(*pairs)
    verdict = Verdict.SAME
    if ratio.coverage > 0 and not ratio.low <= 1 <= ratio.high:
        verdict = Verdict.FASTER if ratio.low > 1 else Verdict.SLOWER
    return Ratio(ratio.median, ratio.low, ratio.high, verdict)
