"""What a run beside other libraries found, as plain values: `peers` makes them, the reports print them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from layermatrix.core.records import Format, Measured, NotMeasured
from layermatrix.evidence.bench import Ratio, Timing

FILE = Path("build/report/peers.json")


@dataclass(frozen=True)
class FloorAbout:
    """The library that does the least, and the C file that it is made of."""

    source: str
    doc: str


@dataclass(frozen=True)
class ContestLoad:
    """One load. group: empty where loads have none; parallel: of several threads. figures: by name of the
    library; best: the fastest of the others; shares: each one's speed as a share of the best one's.
    against_best, against_floor: how many times as fast as that each of ours is, where both have a figure."""

    doc: str
    command: str
    group: str
    parallel: bool
    figures: Mapping[str, Timing | NotMeasured]
    best: str | None
    shares: Mapping[str, float]
    against_best: Mapping[str, Ratio]
    against_floor: Mapping[str, Ratio]

    def timing(self, name: str) -> Timing | None:
        found = self.figures.get(name)
        return found if isinstance(found, Timing) else None


@dataclass(frozen=True)
class Standing:
    """A library over several loads; means are geometric, over the loads that have the figure. loads: with how
    many it was timed. speed: of its shares of the best. peak, after: of its memory, at its highest and after
    all was freed, to the baseline's. worst: the loads with the least shares, the least first."""

    loads: int
    speed: float | None
    peak: float | None
    after: float | None
    worst: tuple[str, ...]


@dataclass(frozen=True)
class Summary:
    """A group of loads, or all of them: how many loads, and where each library stands."""

    loads: int
    standings: Mapping[str, Standing]


@dataclass(frozen=True)
class Contest(Measured):
    """own: the variants; rivals: the other libraries; missing: those that are not installed, and why.
    summaries: by group, and `all`. quiet_seconds: how long after all was freed memory was read. work: the
    word for one operation."""

    baseline: str
    rivals: tuple[str, ...]
    floor: FloorAbout | None
    own: tuple[str, ...]
    rounds: int
    work: str
    quiet_seconds: float
    missing: Mapping[str, str]
    loads: Mapping[str, ContestLoad]
    summaries: Mapping[str, Summary]

    @property
    def names(self) -> tuple[str, ...]:
        """Everyone who is compared."""
        return (self.baseline, *self.rivals, *self.own)


FORMAT = Format("peers", Contest, version=3)
