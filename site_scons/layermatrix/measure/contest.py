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
    """One load. figures: by name of the library; best: the fastest of the others; against_best,
    against_floor: how many times as fast as that each of ours is, where both have a figure."""

    doc: str
    command: str
    figures: Mapping[str, Timing | NotMeasured]
    best: str | None
    against_best: Mapping[str, Ratio]
    against_floor: Mapping[str, Ratio]


@dataclass(frozen=True)
class Contest(Measured):
    """own: the variants; rivals: the other libraries; missing: those that are not installed, and why."""

    baseline: str
    rivals: tuple[str, ...]
    floor: FloorAbout | None
    own: tuple[str, ...]
    rounds: int
    missing: Mapping[str, str]
    loads: Mapping[str, ContestLoad]


FORMAT = Format("peers", Contest, version=2)
