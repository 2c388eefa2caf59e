"""What the job `tune` searches: the values of a variant that may change, and what makes one better."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from layermatrix.core.kinds import (
    LARGEST_INT,
    LEAST_INT,
    Choice,
    Entries,
    Items,
    LayerName,
    LoadName,
    Misfit,
    Name,
    OwnName,
    Ref,
    Sentence,
    Switch,
    VariantName,
    integer,
    number,
)

WholeNumber = Annotated[int, integer(LEAST_INT, LARGEST_INT)]
Weight = Annotated[float, number(0.001, 1000)]


@dataclass(frozen=True)
class Values:
    """The values to try: a list, or the whole numbers of a range.

    choices: the values, words or whole numbers. min, max: the ends of a range, both included. step: the
    distance between two values of a range. log: whether each order of magnitude is tried equally often.
    """

    choices: Annotated[tuple[Choice, ...], Items(2, unique=True)] = ()
    min: WholeNumber | None = None
    max: WholeNumber | None = None
    step: Annotated[int, integer(1, LARGEST_INT)] | None = None
    log: Switch | None = None

    def __post_init__(self) -> None:
        given = [key for key in ("min", "max", "step", "log") if getattr(self, key) is not None]
        if self.choices and given:
            what = f"has 'choices', so that {given[0]!r} means nothing"
            raise Misfit(f"{{slot}} {what}", at=(given[0],), whole=True, at_key=True)
        if self.choices:
            return
        for key in ("min", "max"):
            if key not in given:
                what = f"{{slot}} has neither 'choices' nor {key!r}"
                raise Misfit(what, "a range has 'min' and 'max'", whole=True, at_key=True)
        if self.step is not None and self.log is not None:
            raise Misfit("give 'step' or 'log', not both", at=("log",), whole=True, at_key=True)
        if self.low >= self.high:
            raise Misfit(f"'max' is less than 'min', {self.low}, or equal to it", at=("max",), whole=True)
        if self.log and self.low < 1:
            raise Misfit(
                f"'min' is {self.low}, and a range with 'log' begins at 1 or more", at=("min",), whole=True
            )

    @property
    def low(self) -> int:
        """The smallest value of a range."""
        assert self.min is not None
        return self.min

    @property
    def high(self) -> int:
        """The largest value of a range."""
        assert self.max is not None
        return self.max

    def __contains__(self, value: object) -> bool:
        """Whether this is one of the values."""
        if self.choices:
            return value in self.choices
        whole = isinstance(value, int) and not isinstance(value, bool)
        return whole and self.low <= int(str(value)) <= self.high and self._is_step(int(str(value)))

    def _is_step(self, value: int) -> bool:
        return (value - self.low) % (self.step or 1) == 0


Ranges = Mapping[Annotated[Name, Ref("setting")], Values]


@dataclass(frozen=True)
class Tuning:
    """The search of a variant's best values.

    loads: load -> its weight. memory_percent: the allowed growth of a load's peak memory over that of the
    variant, in percent; without it, memory is not limited. settings, options: values to try, by name.
    capacity, bytes: bounds of layers to try, in entries or bytes for each key, by layer. keys_of: variants
    whose table of keys is tried.
    """

    variant: OwnName
    loads: Annotated[Mapping[LoadName, Weight], Entries(1)] = field(hash=False)
    doc: Sentence = ""
    memory_percent: Annotated[float, number(0, 10_000)] | None = None
    settings: Ranges = field(default_factory=dict, hash=False)
    options: Mapping[Annotated[Name, Ref("option")], Values] = field(default_factory=dict, hash=False)
    capacity: Mapping[LayerName, Values] = field(default_factory=dict, hash=False)
    bytes: Mapping[LayerName, Values] = field(default_factory=dict, hash=False)
    keys_of: Annotated[tuple[VariantName, ...], Items(unique=True)] = ()

    def __post_init__(self) -> None:
        if not (self.parts or self.keys_of):
            hint = "name values under 'settings', 'options', 'capacity', 'bytes' or 'keys_of'"
            raise Misfit("{slot} has nothing to try", hint, whole=True, at_key=True)

    @property
    def parts(self) -> dict[str, Values]:
        """Every value with a range, as `capacity.ring`."""
        groups = {name: getattr(self, name) for name in GROUPS}
        return {f"{group}.{name}": one for group, given in groups.items() for name, one in given.items()}


GROUPS = ("settings", "options", "capacity", "bytes")
