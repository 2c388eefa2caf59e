"""The result of a comparison with other libraries, as plain values. `peers` creates it; the reports print
it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from layermatrix.build import paths
from layermatrix.core.records import Format, Measured, NotMeasured
from layermatrix.evidence.bench import Ratio, Timing
from layermatrix.evidence.conditions import Conditions
from layermatrix.model.measuring import Scale

FILE = paths.REPORT / "peers.json"


@dataclass(frozen=True)
class FloorAbout:
    """The library that does the least work, and the C file that it is built from."""

    source: str
    doc: str


@dataclass(frozen=True)
class PeerLoadResult:
    """One load. group: empty if loads have no groups. parallel: the load runs several threads. figures: by
    name of the library. best: the fastest of the other libraries. shares: each library's speed divided by
    that of the best. against_best, against_floor: the speed of each variant divided by that of the best
    library or of the floor, where both were measured. scale: its place in a family of loads."""

    doc: str
    command: str
    group: str
    parallel: bool
    figures: Mapping[str, Timing | NotMeasured]
    best: str | None
    shares: Mapping[str, float]
    against_best: Mapping[str, Ratio]
    against_floor: Mapping[str, Ratio]
    scale: Scale | None = None

    def timing(self, name: str) -> Timing | None:
        found = self.figures.get(name)
        return found if isinstance(found, Timing) else None


@dataclass(frozen=True)
class Standing:
    """A library over several loads. Means are geometric, over the loads that have the figure. loads: the
    number of loads that it was timed with. speed: mean of its shares of the best. peak, after: mean ratio of
    its memory to the baseline's, at the peak and after all memory was freed. worst: the loads with the
    lowest shares, lowest first."""

    loads: int
    speed: float | None
    peak: float | None
    after: float | None
    worst: tuple[str, ...]


@dataclass(frozen=True)
class Summary:
    """A group of loads, or all loads: their number, and the summary of each library."""

    loads: int
    standings: Mapping[str, Standing]


@dataclass(frozen=True)
class PeerResults(Measured):
    """own: the variants. rivals: the other libraries. missing: libraries that are not installed, and why.
    summaries: by group, and `all`. quiet_seconds: the time between freeing all memory and reading the figure.
    work: the word for one operation. seed, conditions, stopped: as in a record `bench`."""

    baseline: str
    rivals: tuple[str, ...]
    floor: FloorAbout | None
    own: tuple[str, ...]
    rounds: int
    work: str
    quiet_seconds: float
    missing: Mapping[str, str]
    loads: Mapping[str, PeerLoadResult]
    summaries: Mapping[str, Summary]
    seed: int | None = None
    conditions: Conditions | None = None
    stopped: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """Every library in the comparison."""
        return (self.baseline, *self.rivals, *self.own)


FORMAT = Format("peers", PeerResults, version=4)
