"""The conclusions that samples allow."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given, settings
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
    found = stats.compare(baseline=[100, 50, 10, 70, 90, 20], candidate=[200, 100, 20, 140, 180, 40])
    assert (found.median, found.low, found.high) == pytest.approx((2, 2, 2))
    assert found.verdict is Verdict.FASTER


TIMES = [10.1, 10.0, 10.2, 9.9, 10.0, 10.1, 10.0]


@pytest.mark.parametrize(
    ("factor", "verdict"), [(0.9, Verdict.SLOWER), (1.1, Verdict.FASTER), (1.0, Verdict.SAME)]
)
def test_a_verdict_needs_an_interval_of_the_ratio_that_leaves_out_one(
    factor: float, verdict: Verdict
) -> None:
    assert stats.compare(TIMES, [factor * time for time in reversed(TIMES)]).verdict is verdict


def test_shorter_times_are_faster_and_the_ratio_is_still_one_of_speeds() -> None:
    found = stats.compare([2.0] * 6, [1.0] * 6, better=Better.LOWER)
    assert found.median == pytest.approx(2)
    assert found.verdict is Verdict.FASTER


def test_a_clear_difference_below_the_smallest_that_counts_is_none() -> None:
    faster = [time * 1.008 for time in TIMES]
    assert stats.compare(TIMES, faster, smallest=0.01).verdict is Verdict.SAME
    assert stats.compare(TIMES, faster, smallest=0.001).verdict is Verdict.FASTER


@pytest.mark.parametrize("rounds", range(1, stats.FEWEST_ROUNDS))
def test_few_rounds_have_a_range_and_no_verdict(rounds: int) -> None:
    found = stats.compare([1.0] * rounds, [5.0 + index for index in range(rounds)])
    assert (found.verdict, found.interval, found.p) == (Verdict.OPEN, "min..max", None)
    assert (found.low, found.high) == pytest.approx((5, 4 + rounds))
    assert found.needed is not None
    assert "too few rounds" in found.caution


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0.001, 1e6), min_size=stats.FEWEST_ROUNDS, max_size=40))
def test_nothing_is_faster_than_itself(samples: list[float]) -> None:
    found = stats.compare(samples, samples)
    assert (found.median, found.low, found.high, found.verdict) == (1, 1, 1, Verdict.SAME)
    assert found.p == 1


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0.1, 10), min_size=2, max_size=20), st.randoms(use_true_random=False))
def test_a_comparison_seen_from_the_other_side_is_its_inverse(samples: list[float], random: Random) -> None:
    other = random.sample(samples, len(samples))
    found = stats.compare(samples, other)
    assert found.low <= found.median <= found.high
    again = stats.inverse(stats.inverse(found))
    assert again.verdict is found.verdict
    assert again.low == pytest.approx(found.low)
    assert stats.inverse(found).median == pytest.approx(1 / found.median)


@pytest.mark.parametrize(
    ("baseline", "candidate"), [([1.0], [1.0, 2.0]), ([0.0], [1.0]), ([1.0], [-1.0]), ([], [])]
)
def test_samples_that_cannot_be_paired_are_refused(baseline: list[float], candidate: list[float]) -> None:
    with pytest.raises(ValueError, match=r"paired|above zero|no samples"):
        stats.compare(baseline, candidate)


def test_equal_ratios_have_the_exact_p_value_that_all_choices_of_signs_give() -> None:
    # by hand; of 1, 1 and -2 with ranks 1.5, 1.5 and 3, the sum is 3 or less in 5 of 8 choices, and 3 or
    # more in 5
    assert stats.compare([1.0] * 6, [2.0] * 6).p == 2 / 64
    assert stats._p_with_ties([1, 1, -2], [1.5, 1.5, 3]) == 1
    assert stats._p_with_ties([1, 2, 3, 4], [1, 2, 3, 4]) == 2 / 16
    assert stats._p_with_ties([0, 1, 1, 1], [1, 3, 3, 3]) == 2 / 8


def test_without_equal_ratios_both_ways_to_the_p_value_agree() -> None:
    random = Random(5)
    for rounds in (6, 9, 15):
        logs = [random.gauss(0.5, 1) for _ in range(rounds)]
        ranks = [sorted(map(abs, logs)).index(abs(value)) + 1.0 for value in logs]
        assert stats._p_with_ties(logs, ranks) == pytest.approx(stats._p_value(logs))


# --- many comparisons


def test_holm_takes_the_smallest_p_times_their_number_the_next_times_one_less_and_never_goes_down() -> None:
    # by hand: 0.005 * 4, 0.01 * 3, 0.03 * 2, and 0.04 * 1, which must not be below the one before
    assert stats.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert stats.holm([0.9, 0.6]) == [1.0, 1.0]
    assert stats.holm([]) == []


def test_more_comparisons_take_more_rounds_before_one_can_count() -> None:
    assert [stats.least_rounds(count) for count in (1, 2, 3, 4, 16, 54)] == [6, 7, 7, 8, 10, 12]
    for count in range(1, 200):
        rounds = stats.least_rounds(count)
        assert 2 / 2**rounds * count < 0.05
        assert rounds == stats.FEWEST_ROUNDS or 2 / 2 ** (rounds - 1) * count >= 0.05


def test_a_corrected_verdict_is_open_until_there_are_enough_rounds_for_so_many() -> None:
    faster = stats.compare(TIMES, [time * 1.2 for time in TIMES])  # p = 2 / 2**7
    found = stats.corrected(dict.fromkeys("abc", faster))
    assert {ratio.verdict for ratio in found.values()} == {Verdict.FASTER}
    found = stats.corrected(dict.fromkeys("abcd", faster))
    assert {(ratio.verdict, ratio.needed) for ratio in found.values()} == {(Verdict.OPEN, 8)}
    assert found["a"].caution == "too few rounds for 4 comparisons; about 8 would tell"


# --- known distributions. The seeds are fixed: these figures are the same in every run.


def normal(random: Random, deviation: float) -> float:
    return random.gauss(0, deviation)


def with_outliers(random: Random, deviation: float) -> float:
    """One sample in ten is ten times as far away, as when something else runs."""
    return random.gauss(0, deviation) * (10 if random.random() < 0.1 else 1)


def skewed(random: Random, deviation: float) -> float:
    """A program is never faster than the machine allows, and sometimes much slower."""
    return deviation * random.expovariate(1)


Noise = Callable[[Random, float], float]
NOISES = [normal, with_outliers, skewed]


def sides(
    random: Random, noise: Noise, rounds: int, factor: float, deviation: float
) -> tuple[list[float], list[float]]:
    """The samples of two sides; the speed of the second is `factor` times that of the first."""
    first, second = (
        [speed * math.exp(-noise(random, deviation)) for _ in range(rounds)] for speed in (1.0, factor)
    )
    return first, second


def compared(
    random: Random, noise: Noise, rounds: int, factor: float, deviation: float, smallest: float = 0.01
) -> Ratio:
    baseline, candidate = sides(random, noise, rounds, factor, deviation)
    return stats.compare(baseline, candidate, smallest=smallest)


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("rounds", [6, 12])
def test_intervals_cover_the_true_ratio_in_95_of_100_runs(noise: Noise, rounds: int) -> None:
    random, runs, covered = Random(20261129), 200, 0
    for _ in range(runs):
        found = compared(random, noise, rounds, 1.05, 0.02)
        covered += found.low <= 1.05 <= found.high
    assert covered / runs > 0.95 - 2.3 * math.sqrt(0.95 * 0.05 / runs)  # 1 of 100 such tests would fail


@pytest.mark.parametrize("noise", NOISES)
def test_equal_sides_are_found_different_in_at_most_5_of_100_runs(noise: Noise) -> None:
    """Without a smallest effect, which would hide most of them."""
    random, runs, wrong = Random(14), 200, 0
    for _ in range(runs):
        found = compared(random, noise, 10, 1.0, 0.02, smallest=0.0)
        wrong += found.verdict is not Verdict.SAME
    assert wrong / runs < 0.05 + 2.3 * math.sqrt(0.95 * 0.05 / runs)


def test_of_many_comparisons_of_equal_sides_none_is_found_different_in_95_of_100_runs() -> None:
    random, runs, wrong = Random(15), 25, 0
    for _ in range(runs):
        found = {index: compared(random, normal, 12, 1.0, 0.02, smallest=0.0) for index in range(12)}
        wrong += any(
            ratio.verdict in (Verdict.FASTER, Verdict.SLOWER) for ratio in stats.corrected(found).values()
        )
    assert wrong / runs < 0.05 + 2.3 * math.sqrt(0.95 * 0.05 / runs)


@pytest.mark.parametrize(("noise", "least"), [(normal, 0.9), (skewed, 0.9), (with_outliers, 0.8)])
def test_a_slowdown_of_3_percent_is_found_in_9_of_10_runs_where_the_noise_is_1_percent(
    noise: Noise, least: float
) -> None:
    random, runs, found = Random(3), 60, 0
    for _ in range(runs):
        found += compared(random, noise, 12, 0.97, 0.007).verdict is Verdict.SLOWER
    assert found / runs >= least


@pytest.mark.parametrize("deviation", [0.01, 0.03])
def test_the_rounds_that_it_would_take_make_the_interval_as_narrow_as_the_smallest_effect(
    deviation: float,
) -> None:
    random = Random(7)
    spread = stats._deviation([random.gauss(0, deviation) for _ in range(400)])
    assert spread == pytest.approx(deviation, rel=0.15)
    needed = stats.rounds_needed(spread, 0.01)
    margins = [compared(random, normal, needed, 1.0, deviation / math.sqrt(2)).margin for _ in range(20)]
    assert statistics.median(margins) == pytest.approx(0.01, rel=0.25)


def test_a_clear_difference_without_a_verdict_needs_only_the_rounds_that_show_it() -> None:
    noisy = stats.corrected({index: compared(Random(2), normal, 7, 1.3, 0.05) for index in range(20)})[0]
    assert noisy.verdict is Verdict.OPEN
    assert noisy.needed == stats.least_rounds(20)
    assert stats.rounds_needed(noisy.deviation, 0.01) > 100  # to see one of 1 %
    short = compared(Random(2), normal, 3, 1.3, 0.05)
    assert (short.verdict, short.needed) == (Verdict.OPEN, stats.FEWEST_ROUNDS)


def test_noise_that_hides_the_smallest_effect_is_said_with_the_rounds_that_would_tell() -> None:
    found = compared(Random(1), normal, 10, 1.0, 0.03)
    assert found.verdict is Verdict.SAME
    assert found.margin > 0.01
    assert (found.needed or 0) > 30
    assert f"about {found.needed} would tell" in found.caution


def test_a_run_is_exact_when_the_intervals_are_narrow_enough_with_a_baseline_or_without() -> None:
    quiet, loud = sides(Random(1), normal, 12, 1.0, 0.002), sides(Random(1), normal, 12, 1.0, 0.05)
    assert stats.is_exact(quiet[1], quiet[0], 0.01)
    assert stats.is_exact(quiet[1], None, 0.01)
    assert not stats.is_exact(loud[1], loud[0], 0.01)
    assert not stats.is_exact(loud[1], None, 0.01)
    assert not stats.is_exact([1.0] * 5, [1.0] * 5, 0.01)  # however narrow


def test_stopping_by_the_width_finds_equal_sides_different_in_at_most_5_of_100_runs() -> None:
    random, runs, wrong = Random(16), 60, 0
    for _ in range(runs):
        baseline, candidate = sides(random, normal, 30, 1.0, 0.01)
        rounds = next(
            (count for count in range(6, 31, 2) if stats.is_exact(candidate[:count], baseline[:count], 0.01)),
            30,
        )
        found = stats.compare(baseline[:rounds], candidate[:rounds], smallest=0.0)
        wrong += found.verdict is not Verdict.SAME
    assert wrong / runs < 0.05 + 2.3 * math.sqrt(0.95 * 0.05 / runs)
