"""Layers, and what they consist of: keys, storages, toggles, options. Frozen records with every value
filled in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from layermatrix.core.errors import article
from layermatrix.core.kinds import (
    LARGEST_INT,
    LEAST_INT,
    Capacity,
    EnvironmentName,
    Integer,
    Items,
    Name,
    OneOf,
    OwnName,
    Record,
    Sentence,
    Switch,
    Value,
)

NO_STORAGE = "none"
ALL = "all"  # every key, every value of an axis


@dataclass(frozen=True)
class Key:
    """What a layer tells requests apart by. `index` counts from 0; `values` are the catalogue's own, such as
    `size`, and templates see them as attributes of the key."""

    name: str
    index: int
    values: Mapping[str, str | bool | int] = field(default_factory=dict, hash=False)

    def __getitem__(self, name: str) -> str | bool | int:
        return self.values[name]

    def number(self, name: str) -> int:
        """A value that is known to be a number."""
        return int(self.values[name])


@dataclass(frozen=True)
class Role(Record):
    """A part that layers play. `storage`: whether a layer of this role stores what it hands out."""

    name: OwnName
    doc: Sentence = ""
    storage: Annotated[str, OneOf("optional", "required", "none")] = "optional"


@dataclass(frozen=True)
class Storage(Record):
    """How a layer stores what it hands out; printed from templates/storage/<name>.h.j2.

    bounds: one of these has to be given, and no other. shape, most: of a capacity. needs: the least that a
    value of each key may be that the layer serves, such as `size: 8`.
    """

    name: OwnName
    doc: Sentence = ""
    bounds: Annotated[tuple[Annotated[str, OneOf("capacity", "bytes")], ...], Items(1, unique=True)] = (
        "capacity",
    )
    shape: Annotated[str, OneOf("any", "even", "power_of_two")] = "any"
    most: Capacity = 65_535
    needs: Mapping[Name, Annotated[int, Integer(0, LARGEST_INT)]] = field(default_factory=dict, hash=False)

    @property
    def template(self) -> str:
        return f"storage/{self.name}.h.j2"

    def misfit(self, capacity: int) -> str | None:
        """Why it cannot be of this capacity."""
        title = f"{article(self.name)}'s capacity".replace("_", " ")
        if self.shape == "power_of_two" and capacity & (capacity - 1):
            return f"{title} is a power of two, not {capacity}"
        if self.shape == "even" and capacity % 2:
            return f"{title} is even, not {capacity}"
        if capacity > self.most:
            return f"{title} is at most {self.most}, not {capacity}"
        return None


@dataclass(frozen=True)
class Toggle(Record):
    """A layer's switch: the environment variable, and what holds without it."""

    env: EnvironmentName
    default: Switch


@dataclass(frozen=True)
class Layer:
    """One stage of the hot path, as a variant has it."""

    name: str
    title: str
    doc: str
    role: str
    keys: tuple[Key, ...]
    storage: str
    capacity: int  # entries of one key; 0: not bounded in entries
    bytes_bound: int  # bytes of one key; 0: not bounded in bytes
    limits: tuple[int, ...]  # entries that fit, for each key from the first to the last, by the tighter bound
    toggle: Toggle | None
    needs: tuple[str, ...]
    conflicts: tuple[str, ...]
    serves_all: bool
    position: int  # in the variant, from 1; 0 in the catalogue

    @property
    def own_template(self) -> str:
        """The template that a layer may have, relative to the folder of templates."""
        return f"layers/{self.name}.h.j2"

    @property
    def storage_template(self) -> str | None:
        """The template of its storage, which is the layer's where it has none of its own."""
        return None if self.storage == NO_STORAGE else f"storage/{self.storage}.h.j2"

    @property
    def mask(self) -> int:
        """Bit i stands for key i."""
        return sum(1 << key.index for key in self.keys)

    @property
    def first(self) -> int:
        """The index of its first key."""
        return self.keys[0].index

    @property
    def last(self) -> int:
        """The index of its last key."""
        return self.keys[-1].index

    @property
    def contiguous(self) -> bool:
        """Whether no key between the first and the last is left out."""
        return self.last - self.first + 1 == len(self.keys)


@dataclass(frozen=True)
class Option(Record):
    """What a variant may set besides its layers. With `env` it is read from the environment, and `default` is
    what holds without it; in a variant, an option without `env` has the value `default`."""

    name: OwnName
    doc: Sentence
    type: Annotated[str, OneOf("bool", "int")]
    default: Value
    min: Annotated[int, Integer(LEAST_INT, LARGEST_INT)] | None = None
    max: Annotated[int, Integer(LEAST_INT, LARGEST_INT)] | None = None
    env: EnvironmentName | None = None

    @property
    def value(self) -> bool | int:
        assert not isinstance(self.default, str)
        return self.default

    @property
    def low(self) -> int:
        """The least value, 0 of a bool."""
        if self.type == "bool":
            return 0
        return LEAST_INT if self.min is None else self.min

    @property
    def high(self) -> int:
        """The largest value, 1 of a bool."""
        if self.type == "bool":
            return 1
        return LARGEST_INT if self.max is None else self.max

    def refusal(self, value: object) -> str | None:
        """What a value has to be, where this one is not."""
        if self.type == "bool":
            return None if isinstance(value, bool) else "on or off"
        fits = type(value) is int and self.low <= value <= self.high
        return None if fits else f"a whole number from {self.low} to {self.high}"
