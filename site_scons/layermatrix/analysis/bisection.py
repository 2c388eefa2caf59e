"""Find the commit that moved a figure, by halving; commits that do not build are skipped.

Pure logic: the caller measures. The figure of each commit counts as that of the end to which it is nearer, so
among several moves the search ends at one that crosses the middle between the ends.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

Failed = str  # the reason why a commit has no figure
Finding = float | Failed


@dataclass(frozen=True)
class Ends:
    """The figures of the two ends."""

    good: float
    bad: float

    def is_bad(self, figure: float) -> bool:
        """Whether a figure is nearer to that of the bad end."""
        return abs(figure - self.bad) < abs(figure - self.good)


@dataclass
class Search:
    """commits: those after the good end, oldest first; the last one has the bad end's figure. findings: what
    is known about each."""

    commits: Sequence[str]
    ends: Ends
    findings: dict[str, Finding] = field(default_factory=dict)

    @property
    def bounds(self) -> tuple[int, int]:
        """The place of the last commit that is good (-1: the good end), and of the first after it that is
        bad."""
        low, high = -1, len(self.commits) - 1
        for place, commit in enumerate(self.commits[:-1]):
            found = self.findings.get(commit)
            if isinstance(found, float):
                if self.ends.is_bad(found):
                    high = place
                    break
                low = place
        return low, high

    @property
    def untried(self) -> list[int]:
        """The places between the bounds about which nothing is known."""
        low, high = self.bounds
        return [place for place in range(low + 1, high) if self.commits[place] not in self.findings]

    @property
    def next(self) -> str | None:
        """The commit to measure next: the one nearest to the middle; None at the end of the search."""
        low, high = self.bounds
        middle = (low + high) / 2
        place = min(self.untried, key=lambda one: abs(one - middle), default=None)
        return None if place is None else self.commits[place]

    @property
    def steps_left(self) -> int:
        """About how many commits are still to be measured."""
        return math.ceil(math.log2(len(self.untried) + 1))

    @property
    def suspects(self) -> tuple[str, ...]:
        """The commits of which one moved the figure: at the end, those that do not build and the first bad
        one."""
        low, high = self.bounds
        return tuple(self.commits[low + 1 : high + 1])

    @property
    def last_good(self) -> str | None:
        """The last commit with the good end's figure; None for the good end itself."""
        low, _ = self.bounds
        return None if low < 0 else self.commits[low]


def known(findings: Mapping[str, object]) -> dict[str, Finding]:
    """The findings of an earlier run, without entries that are none."""
    return {
        name: float(value) if isinstance(value, (int, float)) else value
        for name, value in findings.items()
        if isinstance(value, (int, float, str)) and not isinstance(value, bool)
    }
