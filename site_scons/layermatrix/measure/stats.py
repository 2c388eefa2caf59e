"""Compare timings: medians with intervals, verdicts, and how many rounds a verdict takes.

One side     The interval of a median comes from order statistics: of n independent samples, the k-th smallest
             and the k-th largest enclose the median with probability 1 - 2 * P(Binomial(n, 1/2) < k). W. R.
             Thompson, "On confidence ranges for the median and other expectation distributions for
             populations of unknown distribution form", Annals of Mathematical Statistics 7 (1936); J.-Y. Le
             Boudec, "Performance Evaluation of Computer and Communication Systems" (2010), section 2.2.
Two sides    The samples of one round are a pair, so that a slow round cancels out. The ratio is the median of
             the pairs' ratios. Its interval is a bootstrap over the logarithms of the ratios (B. Efron and R.
             Tibshirani, "An Introduction to the Bootstrap" (1993)). Plain percentile intervals are too narrow
             for few samples; they are expanded as T. Hesterberg describes ("What Teachers Should Know About
             the Bootstrap", The American Statistician 69 (2015), section 3.2).
A verdict    needs an interval that excludes 1 by more than the smallest effect that counts, and a p-value
             below 5 %. p comes from Wilcoxon's signed-rank test (Biometrics Bulletin 1 (1945)), which assumes
             no distribution: between equal sides in random order, a ratio is as likely to be above 1 as
             below. It is exact up to 50 rounds. S. Holm's method corrects it where one run compares several
             pairs ("A simple sequentially rejective multiple test procedure", Scandinavian Journal of
             Statistics 6 (1979)).
Few rounds   With fewer than six, no test of pairs can reach p < 5 %, and no interval covers 95 %: the
             interval is the range of the ratios, and there is no verdict.
"""

from __future__ import annotations

import functools
import math
import statistics
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

from layermatrix.evidence.bench import SMALLEST_EFFECT, Ratio, Verdict
from layermatrix.model.catalogue import Better

K = TypeVar("K", bound=Hashable)

CONFIDENCE = 0.95
FEWEST_ROUNDS = 6  # 2 / 2**6 < 0.05: with fewer, nothing can be significant
RESAMPLES = 2999
SEED = 1979  # of the resampling; a fixed one, so that the same samples always give the same interval
POWER = 0.8  # the share of runs that should find a difference that exists
LARGEST_COUNT = 10**6  # of rounds, in an estimate
LARGEST_EXACT = 50  # rounds; above it, the test uses the normal approximation
# the standard error of a median is this many times that of a mean, for normal samples
MEDIAN_FACTOR = math.sqrt(math.pi / 2)
NORMAL = statistics.NormalDist()
MAD_FACTOR = 1 / NORMAL.inv_cdf(0.75)  # a normal distribution's deviation, from its median absolute deviation


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


def compare(
    baseline: Sequence[float],
    candidate: Sequence[float],
    better: Better = Better.HIGHER,
    smallest: float = SMALLEST_EFFECT,
) -> Ratio:
    """The candidate's speed divided by the baseline's, from samples paired by round. Samples are speeds, or
    times if lower is better. smallest: the share by which a difference has to exceed 1 to count. The verdict
    is that of a single comparison; `corrected` gives those of several."""
    pairs = (baseline, candidate) if better is Better.HIGHER else (candidate, baseline)
    return _compare(tuple(_log_ratios(*pairs)), smallest)


@functools.lru_cache(maxsize=4096)  # records are written after each round, and most samples are the old ones
def _compare(logs: tuple[float, ...], smallest: float) -> Ratio:
    rounds = len(logs)
    if rounds < FEWEST_ROUNDS:
        low, high, interval, p = min(logs), max(logs), "min..max", None
    else:
        (low, high), interval, p = _bootstrap(logs), "95 %", _p_value(logs)
    middle = min(max(statistics.median(logs), low), high)
    found = Ratio(
        math.exp(middle), math.exp(low), math.exp(high), Verdict.OPEN, interval, p, rounds, 1, smallest,
        _deviation(logs),
    )  # fmt: skip
    return _judged(found)


def corrected(ratios: Mapping[K, Ratio]) -> dict[K, Ratio]:
    """The ratios of one run with p-values and verdicts that are corrected for the number of comparisons."""
    known = {key: ratio.p for key, ratio in ratios.items() if ratio.p is not None}
    adjusted = dict(zip(known, holm(list(known.values())), strict=True))
    count = len(ratios)
    return {
        key: _judged(replace(ratio, p=adjusted.get(key), comparisons=count)) for key, ratio in ratios.items()
    }


def inverse(ratio: Ratio) -> Ratio:
    """The same comparison, seen from the other side."""
    other = {Verdict.FASTER: Verdict.SLOWER, Verdict.SLOWER: Verdict.FASTER}
    return replace(
        ratio,
        median=1 / ratio.median,
        low=1 / ratio.high,
        high=1 / ratio.low,
        verdict=other.get(ratio.verdict, ratio.verdict),
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values adjusted by Holm's method, in their order."""
    count, largest = len(p_values), 0.0
    adjusted = [0.0] * count
    for rank, index in enumerate(sorted(range(count), key=lambda one: p_values[one])):
        largest = max(largest, min(1.0, (count - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def _judged(ratio: Ratio) -> Ratio:
    """The ratio with its verdict, and with the rounds that it would take."""
    above, below = 1 + ratio.smallest, 1 / (1 + ratio.smallest)
    needed = rounds_needed(ratio.deviation, ratio.smallest)
    if ratio.p is None:
        verdict, needed = Verdict.OPEN, min(needed, _rounds_for(ratio))
    elif below <= ratio.high and ratio.low <= above:
        verdict = Verdict.SAME
    elif ratio.p >= 1 - CONFIDENCE:  # clearly different, but with too few rounds for so many comparisons
        verdict, needed = Verdict.OPEN, max(ratio.rounds + 1, min(needed, _rounds_for(ratio)))
    else:
        verdict = Verdict.FASTER if ratio.low > above else Verdict.SLOWER
    wanted = max(least_rounds(ratio.comparisons), needed)
    return replace(ratio, verdict=verdict, needed=wanted if wanted > ratio.rounds else None)


def _rounds_for(ratio: Ratio) -> int:
    """The rounds after which the test finds a difference of this size in four of five runs. Wilcoxon's test
    needs pi / 3 times as many samples as a test of means, for normal samples."""
    effect = abs(math.log(ratio.median))
    if effect == 0:
        return LARGEST_COUNT
    level = 1 - (1 - CONFIDENCE) / (2 * ratio.comparisons)
    shares = NORMAL.inv_cdf(level) + NORMAL.inv_cdf(POWER)
    return min(LARGEST_COUNT, math.ceil(math.pi / 3 * (shares * ratio.deviation / effect) ** 2))


def least_rounds(comparisons: int) -> int:
    """The fewest rounds after which one of so many comparisons can be significant: the smallest possible
    p-value of n pairs is 2 / 2**n."""
    return max(FEWEST_ROUNDS, math.floor(math.log2(2 * comparisons / (1 - CONFIDENCE))) + 1)


def rounds_needed(deviation: float, smallest: float) -> int:
    """The rounds after which half of the interval's width is about `smallest`. deviation: of the logarithms
    of the ratios."""
    half = math.log1p(smallest)
    if deviation == 0 or half == 0:
        return FEWEST_ROUNDS
    normal = NORMAL.inv_cdf((1 + CONFIDENCE) / 2)
    return max(FEWEST_ROUNDS, math.ceil((normal * MEDIAN_FACTOR * deviation / half) ** 2))


def is_exact(samples: Sequence[float], baseline: Sequence[float] | None, precision: float) -> bool:
    """Whether half of the interval's width is at most `precision`, a share: of the ratio to the baseline, or
    without a baseline of the samples themselves. A run that stops then stops by the width, never by the
    result, so that equal sides are not found different more often (Y. S. Chow and H. Robbins, "On the
    asymptotic theory of fixed-width sequential confidence intervals for the mean", Annals of Mathematical
    Statistics 36 (1965))."""
    if len(samples) < FEWEST_ROUNDS:
        return False
    if baseline is not None:
        return compare(baseline, samples).margin <= precision
    found = median_interval(samples)
    return math.sqrt(found.high / found.low) - 1 <= precision


def _log_ratios(baseline: Sequence[float], candidate: Sequence[float]) -> list[float]:
    if len(baseline) != len(candidate):
        raise ValueError(f"{len(baseline)} baseline samples cannot be paired with {len(candidate)}")
    if not baseline:
        raise ValueError("no samples, no ratio")
    if any(value <= 0 for value in (*baseline, *candidate)):
        raise ValueError("a speed or time is above zero")
    return [math.log(new / old) for old, new in zip(baseline, candidate, strict=True)]


def _deviation(logs: Sequence[float]) -> float:
    """The spread as a standard deviation, which single outliers hardly change."""
    middle = statistics.median(logs)
    spread = MAD_FACTOR * statistics.median(abs(value - middle) for value in logs)
    return spread or statistics.pstdev(logs)


def _bootstrap(logs: Sequence[float]) -> tuple[float, float]:
    """The expanded percentile interval of the median."""
    if min(logs) == max(logs):
        return logs[0], logs[0]
    import numpy
    from scipy import stats

    found = stats.bootstrap(
        (numpy.asarray(logs),),
        numpy.median,
        n_resamples=RESAMPLES,
        batch=500,
        confidence_level=_expanded(len(logs)),
        method="percentile",
        rng=numpy.random.default_rng(SEED),
    )
    return float(found.confidence_interval.low), float(found.confidence_interval.high)


def _expanded(count: int) -> float:
    """The nominal level at which a percentile interval of so many samples covers what CONFIDENCE promises."""
    from scipy import stats

    quantile = float(stats.t.ppf((1 + CONFIDENCE) / 2, count - 1))
    return 1 - 2 * NORMAL.cdf(-math.sqrt(count / (count - 1)) * quantile)


def _p_value(logs: Sequence[float]) -> float:
    """The two-sided p-value of Wilcoxon's signed-rank test."""
    if not any(logs):
        return 1.0
    import numpy
    from scipy import stats

    values = numpy.asarray(logs)
    sizes = abs(values)
    if len(logs) <= LARGEST_EXACT and (len(numpy.unique(sizes)) < len(sizes) or not all(logs)):
        return _p_with_ties(logs, [float(rank) for rank in stats.rankdata(sizes)])
    method = "exact" if len(logs) <= LARGEST_EXACT else "asymptotic"
    return min(1.0, float(stats.wilcoxon(values, zero_method="zsplit", method=method).pvalue))


def _p_with_ties(logs: Sequence[float], ranks: Sequence[float]) -> float:
    """The exact p-value where some sizes are equal, for which there is no table: how many of all choices of
    signs give a sum of ranks as extreme as this one. A value of zero has no sign."""
    signed = [(value > 0, round(2 * rank)) for value, rank in zip(logs, ranks, strict=True) if value]
    ways = {0: 1}  # twice the sum of the positive ranks -> the choices of signs that give it
    for _, rank in signed:
        more = dict(ways)
        for total, count in ways.items():
            more[total + rank] = more.get(total + rank, 0) + count
        ways = more
    seen = sum(rank for positive, rank in signed if positive)
    below = sum(count for total, count in ways.items() if total <= seen)
    above = sum(count for total, count in ways.items() if total >= seen)
    return min(1.0, float(2 * min(below, above) / 2 ** len(signed)))
