"""The catalogue: the parts that variants are made of, and the terms that reports use for them."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from layermatrix.core.kinds import (
    Choice,
    Items,
    Label,
    Misfit,
    Name,
    OneOf,
    OwnName,
    Sentence,
)
from layermatrix.model.layers import Key, Layer, Option, Role, Storage
from layermatrix.model.system import System


class Better(enum.Enum):
    """Which direction of a figure is an improvement."""

    HIGHER = "higher"
    LOWER = "lower"


@dataclass(frozen=True)
class Unit:
    """The terms of reports. work: one unit of work. figure: the unit of speed, such as M/s."""

    work: Label = "op"
    figure: Label = "M/s"
    better: Better = Better.HIGHER


# the measured figures that a reported one can be compared with, by their names in the evidence
MEASURED = ("speed", "asm_lines", "l1_misses", "conditional_paths", "runtime_checks")


@dataclass(frozen=True)
class ReportedFigure:
    """A figure that a variant may quote under `reported:`; reports show it beside the measured figure.

    type: `number` is a figure or a range (`40-50`), `text` any text. beside: the name of the measured figure,
    if it is not the reported figure's own name.
    """

    name: OwnName
    title: Label
    unit: Label = ""
    better: Better = Better.HIGHER
    type: Annotated[str, OneOf("number", "text")] = "number"
    beside: Annotated[str, OneOf(*MEASURED)] | None = None


@dataclass(frozen=True)
class Setting:
    """A named enumeration. Templates see a variant's choice as `variant.settings.<name>`, and C code sees it
    as the macro `macro`."""

    name: OwnName
    doc: Sentence
    values: Annotated[tuple[Choice, ...], Items(1, unique=True)]
    default: Choice
    macro: Name | None = None

    def __post_init__(self) -> None:
        if self.default not in self.values:
            raise Misfit(f"has the default {self.default!r}, which is not one of its values")

    def number(self, value: str | int) -> int:
        """The value in C: a number as it is, a name as its index among the values."""
        return value if isinstance(value, int) else self.values.index(value)


@dataclass(frozen=True)
class Catalogue:
    """The resolved layers.yaml. The value of an option is its default."""

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
    places: Mapping[str, str]  # layer -> the place of its entry, as path:line
    lines: Mapping[str, str] = field(default_factory=dict)  # file -> its reported number of lines
