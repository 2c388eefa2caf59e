"""The statements of the story: steps, standings and guards, each with the reported figure.

These are plain types. `reported` creates them, `results` holds them, and the exporters print them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Direction(Enum):
    """The comparison of a child's figure with its parent's. WITHIN: the intervals overlap. UNDECIDED: one of
    them is not known."""

    LOWER = "lower"
    HIGHER = "higher"
    SAME = "no difference"
    WITHIN = "within the spread"
    UNDECIDED = "not decided"


class Standing(Enum):
    """The comparison of a cell's speed with the baseline's."""

    SLOWER = "slower"
    SAME = "no difference"
    FASTER = "faster"
    UNDECIDED = "not decided"


class Verdict(Enum):
    """The comparison of a standing with the reported one."""

    AS_REPORTED = "as reported"
    BETTER = "better than reported"
    WORSE = "worse than reported"


class Extent(Enum):
    """Whether a step went as far as the reported figures project."""

    AS_FAR = "as far as reported"
    FARTHER = "farther than reported"
    LESS_FAR = "less far than reported"


@dataclass(frozen=True)
class Span:
    """A projected factor, or the range of it."""

    low: float
    high: float

    def __str__(self) -> str:
        low, high = f"{self.low:.2f}", f"{self.high:.2f}"
        return f"{low}x" if low == high else f"{low}-{high}x"


@dataclass(frozen=True)
class Step:
    """A figure of a child against its parent's. agrees: None where that is not decided; reason: why the
    figure is not known."""

    measure: str
    title: str
    config: str
    parent: str
    child: str
    expected: Direction
    projected: Span | None
    parent_value: float | None
    child_value: float | None
    ratio: float | None
    extent: Extent | None
    measured: Direction | None
    agrees: bool | None
    reason: str | None

    @property
    def is_reported(self) -> bool:
        """Whether the report has figures of the step."""
        return self.projected is not None


@dataclass(frozen=True)
class Against:
    """A cell against the baseline with a load."""

    config: str
    load: str
    variant: str
    ratio: float | None
    projected: Span | None
    expected: Standing | None
    measured: Standing | None
    verdict: Verdict | None

    @property
    def agrees(self) -> bool | None:
        """Whether it is as reported, or better."""
        return None if self.verdict is None else self.verdict is not Verdict.WORSE


@dataclass(frozen=True)
class Guard:
    """Debug strings that are left in a library; where output is guarded there are to be none."""

    config: str
    variant: str
    guarded: bool
    count: int

    @property
    def agrees(self) -> bool | None:
        return self.count == 0 if self.guarded else None


@dataclass(frozen=True)
class CounterPair:
    """What was counted for each operation on both sides."""

    name: str
    before: float
    after: float
    ratio: float | None


@dataclass(frozen=True)
class Deviation:
    """What is not as it was reported: the counters of both sides, and sentences that name the cause."""

    config: str
    figure: str
    variant: str
    against: str
    projected: Span | None
    ratio: float | None
    verdict: str
    counters: tuple[CounterPair, ...]
    why: tuple[str, ...]


@dataclass(frozen=True)
class Story:
    """All statements of the story. agrees: whether everything is as reported, or better; None where nothing
    could be decided."""

    steps: tuple[Step, ...] = ()
    standings: tuple[Against, ...] = ()
    guards: tuple[Guard, ...] = ()
    deviations: tuple[Deviation, ...] = ()
    sentences: tuple[str, ...] = ()

    @property
    def agrees(self) -> bool | None:
        verdicts = [item.agrees for items in (self.steps, self.standings, self.guards) for item in items]
        decided = [agrees for agrees in verdicts if agrees is not None]
        return all(decided) if decided else None
