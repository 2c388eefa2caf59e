"""The catalogue: everything that variants are put together from, and the words in which reports speak of
it."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from layermatrix.core.kinds import (
    Choice,
    EnumOf,
    Items,
    Label,
    Misfit,
    Name,
    OneOf,
    OwnName,
    Record,
    Sentence,
)
from layermatrix.model.layers import Key, Layer, Option, Role, Storage
from layermatrix.model.system import System


class Better(enum.Enum):
    """Which direction of a figure is an improvement."""

    HIGHER = "higher"
    LOWER = "lower"


Direction = Annotated[Better, EnumOf(Better)]


@dataclass(frozen=True)
class Unit(Record):
    """What reports call one unit of work, and the figure of speed."""

    work: Label = "op"
    figure: Label = "M/s"
    better: Direction = Better.HIGHER


# measured figures beside which a reported one can stand, by the names that evidence has for them
MEASURED = ("speed", "asm_lines", "l1_misses", "conditional_paths", "runtime_checks")


@dataclass(frozen=True)
class ReportedFigure(Record):
    """A figure that a variant may quote under `reported:`, shown beside what is measured.

    type: `number` is a figure or a range of two (`40-50`), `text` anything. beside: the measured figure
    beside which it stands, where that has another name.
    """

    name: OwnName
    title: Label
    unit: Label = ""
    better: Direction = Better.HIGHER
    type: Annotated[str, OneOf("number", "text")] = "number"
    beside: Annotated[str, OneOf(*MEASURED)] | None = None


@dataclass(frozen=True)
class Setting(Record):
    """A named enumeration: templates see what a variant chose as `variant.settings.<name>`, and C as
    `macro`."""

    name: OwnName
    doc: Sentence
    values: Annotated[tuple[Choice, ...], Items(1, unique=True)]
    default: Choice
    macro: Name | None = None

    def __post_init__(self) -> None:
        if self.default not in self.values:
            raise Misfit(f"has the default {self.default!r}, which is none of its values")

    def number(self, value: str | int) -> int:
        """What C sees: a number as it is, a word as its index among the values."""
        return value if isinstance(value, int) else self.values.index(value)


@dataclass(frozen=True)
class Catalogue:
    """layers.yaml, resolved; an option's value is its default."""

    doc: str
    system: System
    profile: str  # of layermatrix.profiles; empty: none
    unit: Unit
    reported: Mapping[str, ReportedFigure]
    roles: Mapping[str, Role]  # in the order in which a variant lists its layers
    keys: tuple[Key, ...]
    settings: Mapping[str, Setting]
    storages: Mapping[str, Storage]
    options: Mapping[str, Option]
    layers: Mapping[str, Layer]
    places: Mapping[str, str]  # layer -> where its entry stands: path:line
    lines: Mapping[str, str] = field(default_factory=dict)  # file -> how many lines it was reported to have
