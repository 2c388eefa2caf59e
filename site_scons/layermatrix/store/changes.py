"""Find the points at which a figure changed.

A count repeats, so each difference beyond the noise of counting is a change. Most counts of a load differ by
less than `NOISE` from run to run; those of a load with threads, by up to 0.3 %.

`ruptures` divides timings into segments of equal speed (PELT in C, with the linear kernel: the cost is the
squared distance from the mean of a segment). The series is the logarithm of the medians, divided by its
noise: the standard deviation of a point, estimated from the differences of neighbours (their median absolute
value, so that the changes themselves do not count) and from the points' own intervals, the larger of the two.
So a further segment has to reduce the squared distance by more than `PENALTY` times log(points). 2 is the
Bayesian information criterion for the place and the size of a change; 3 is what Zhang and Siegmund
(Biometrics 63, 2007) add for the search of the place.
"""

from __future__ import annotations

import importlib.util
import itertools
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

PENALTY = 3.0
LEAST_NOISE = 0.002  # relative: a machine does not repeat a timing better than that
LEAST_CHANGE = 0.005  # relative: a smaller difference of a count for an operation is no change, as in `ab`
NORMAL_MAD = 0.6745  # the median absolute value of a standard normal variable
NORMAL_95 = 1.96  # half of a 95 % interval, in standard deviations
FEWEST = 4  # points; with fewer, no noise can be told from a change

# How much an unchanged count differs: twice what `evidence.counters` states, because both points differ.
NOISE = {
    "instructions": 0.006,
    "branches": 0.0014,
    "mispredictions": 0.0014,
    "l1_misses": 0.0004,
    "i1_misses": 0.0004,
    "d1_misses": 0.0004,
    "ll_misses": 0.0004,
}


@dataclass(frozen=True)
class Change:
    """A change of a figure. before, after: the figure; for timings, the medians of the segments. since: the
    last commit before the change, which lies between it and this point's commit."""

    before: float
    after: float
    since: str

    @property
    def relative(self) -> float | None:
        """0.1 for 10 % more; None if the figure was not above zero."""
        return self.after / self.before - 1 if self.before > 0 else None


class Measured(Protocol):
    """A point of a series."""

    @property
    def commit(self) -> str: ...
    @property
    def median(self) -> float: ...
    @property
    def low(self) -> float: ...
    @property
    def high(self) -> float: ...


def missing_package() -> str | None:
    """The reason why changes of timings cannot be found; None if they can."""
    if importlib.util.find_spec("ruptures"):
        return None
    return "change points of timings need the package ruptures: pip install 'layermatrix[history]'"


def of_counts(figure: str, points: Sequence[Measured]) -> Mapping[int, Change]:
    """The changes of a count, by their place in the series. A point is compared with the median since the
    last change, so that many small steps add up to one."""
    found: dict[int, Change] = {}
    noise, start = NOISE.get(figure, 0.0), 0
    for place in range(1, len(points)):
        before = statistics.median(point.median for point in points[start:place])
        after = points[place].median
        least = max(noise, LEAST_CHANGE * abs(before)) if noise else 0.0
        if abs(after - before) > least:
            found[place] = Change(before, after, points[place - 1].commit)
            start = place
    return found


def of_timings(_figure: str, points: Sequence[Measured]) -> Mapping[int, Change]:
    """The changes of a timing; none if `missing_package` has a reason, or the points are too few."""
    if len(points) < FEWEST or missing_package() or any(point.median <= 0 for point in points):
        return {}
    starts = [0, *_starts([math.log(point.median) for point in points], _noise(points)), len(points)]
    found = {}
    for first, start, end in zip(starts, starts[1:-1], starts[2:], strict=False):
        before = statistics.median(point.median for point in points[first:start])
        after = statistics.median(point.median for point in points[start:end])
        found[start] = Change(before, after, points[start - 1].commit)
    return found


def _starts(logs: Sequence[float], noise: float) -> list[int]:
    """Where the segments after the first one begin."""
    import numpy
    import ruptures

    signal = numpy.array(logs).reshape(-1, 1) / noise
    search = ruptures.KernelCPD(kernel="linear", min_size=1, jump=1).fit(signal)
    return [int(end) for end in search.predict(pen=PENALTY * math.log(len(logs)))[:-1]]


def _noise(points: Sequence[Measured]) -> float:
    """The relative standard deviation of a point."""
    logs = [math.log(point.median) for point in points]
    steps = [abs(after - before) for before, after in itertools.pairwise(logs)]
    of_steps = statistics.median(steps) / NORMAL_MAD / math.sqrt(2)
    of_points = statistics.median((point.high - point.low) / 2 / NORMAL_95 / point.median for point in points)
    return max(of_steps, of_points, LEAST_NOISE)
