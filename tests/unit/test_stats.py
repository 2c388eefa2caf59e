"""The conclusions that samples allow."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layermatrix.evidence.bench import Ratio, Verdict
from layermatrix.measure import stats
from layermatrix.model.catalogue import Better

SPEEDS = st.lists(st.floats(0.001, 1e6), min_size=1, max_size=40)


@pytest.mark.parametrize(
    ("count", "low", "high", "coverage", "method"),
    [
        # computed by hand from sums of binomial coefficients
        (1, 1, 1, 0.0, "min..max"),
        (5, 1, 5, 1 - 2 / 32, "min..max"),
        (6, 1, 6, 1 - 2 / 64, "95 %"),
        (7, 1, 7, 1 - 2 / 128, "95 %"),
        (8, 1, 8, 1 - 2 / 256, "95 %"),
        (9, 2, 8, 1 - 20 / 512, "95 %"),
        (12, 3, 10, 1 - 2 * (1 + 12 + 66) / 4096, "95 %"),
    ],
)
def test_the_interval_is_the_narrowest_pair_of_order_statistics_that_covers_95_percent(
    count: int, low: int, high: int, coverage: float, method: str
) -> None:
    interval = stats.median_interval(list(range(count, 0, -1)))
    assert (interval.low, interval.high, interval.method) == (low, high, method)
    assert interval.coverage == pytest.approx(coverage)
    assert interval.median == (count + 1) / 2


@given(SPEEDS)
def test_a_median_lies_in_its_interval_and_the_interval_within_the_samples(samples: list[float]) -> None:
    interval = stats.median_interval(samples)
    assert min(samples) <= interval.low <= interval.median <= interval.high <= max(samples)


def test_no_samples_have_no_median() -> None:
    with pytest.raises(ValueError, match="no samples"):
        stats.median_interval([])


def test_ratios_are_taken_round_by_round_so_that_a_slow_round_cancels() -> None:
    ratio = stats.paired_ratio(baseline=[100, 50, 10], candidate=[200, 100, 20])
    assert (ratio.median, ratio.low, ratio.high) == (2, 2, 2)


@pytest.mark.parametrize(
    ("candidate", "verdict"),
    [
        ([9.1, 9.0, 9.2], Verdict.SLOWER),
        ([11.1, 11.0, 11.2], Verdict.FASTER),
        ([10.1, 9.9, 10.2], Verdict.SAME),
    ],
)
def test_a_verdict_needs_an_interval_of_the_ratio_that_leaves_out_one(
    candidate: list[float], verdict: Verdict
) -> None:
    assert stats.compare(baseline=[10.1, 10.0, 10.2], candidate=candidate).verdict is verdict


def test_shorter_times_are_faster_and_the_ratio_is_still_one_of_speeds() -> None:
    verdict = stats.compare([2.0, 2.0], [1.0, 1.0], better=Better.LOWER)
    assert verdict == Ratio(2.0, 2.0, 2.0, Verdict.FASTER)


def test_one_round_proves_nothing() -> None:
    assert stats.compare([1.0], [5.0]).verdict is Verdict.SAME


@given(SPEEDS)
def test_nothing_is_faster_than_itself(samples: list[float]) -> None:
    assert stats.compare(samples, samples) == Ratio(1, 1, 1, Verdict.SAME)


@pytest.mark.parametrize(
    ("baseline", "candidate"), [([1.0], [1.0, 2.0]), ([0.0], [1.0]), ([1.0], [-1.0]), ([], [])]
)
def test_samples_that_cannot_be_paired_are_refused(baseline: list[float], candidate: list[float]) -> None:
    with pytest.raises(ValueError, match=r"paired|above zero|no samples"):
        stats.compare(baseline, candidate)
