"""Layers and their parts: keys, roles, storages, toggles, options. All are frozen records, fully resolved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated

from layermatrix.core.errors import article, quote
from layermatrix.core.kinds import (
    LARGEST_INT,
    LEAST_INT,
    Capacity,
    EnvironmentName,
    Items,
    Kind,
    Misfit,
    Name,
    OneOf,
    OwnName,
    Sentence,
    Single,
    Switch,
    Value,
    integer,
    node_of,
)

NO_STORAGE = "none"
ALL = "all"  # every key, every value of an axis


@dataclass(frozen=True)
class Key:
    """What distinguishes the requests to a layer. index: counts from 0. values: named values from the
    catalogue, such as `size`; templates see them as attributes of the key."""

    name: str
    index: int
    values: Mapping[str, str | bool | int] = field(default_factory=dict, hash=False)

    def __getitem__(self, name: str) -> str | bool | int:
        return self.values[name]

    def number(self, name: str) -> int:
        """A value that is a number."""
        return int(self.values[name])


@dataclass(frozen=True)
class Role:
    """The role of a layer. storage: whether a layer with this role must, may or must not have a storage."""

    name: OwnName
    doc: Sentence = ""
    storage: Annotated[str, OneOf("optional", "required", "none")] = "optional"


@dataclass(frozen=True)
class Storage:
    """How a layer stores its entries; printed from templates/storage/<name>.h.j2.

    bounds: a layer must set exactly one of these. shape, most: the form and the maximum of a capacity, in
    entries. needs: the minimum of a named value of every key that the layer serves, such as `size: 8`.
    """

    name: OwnName
    doc: Sentence = ""
    bounds: Annotated[tuple[Annotated[str, OneOf("capacity", "bytes")], ...], Items(1, unique=True)] = (
        "capacity",
    )
    shape: Annotated[str, OneOf("any", "even", "power_of_two")] = "any"
    most: Capacity = 65_535
    needs: Mapping[Name, Annotated[int, integer(0, LARGEST_INT)]] = field(default_factory=dict, hash=False)

    @property
    def template(self) -> str:
        return f"storage/{self.name}.h.j2"

    def misfit(self, capacity: int) -> str | None:
        """The reason why the storage cannot have this capacity; None if it can."""
        title = f"{article(self.name)}'s capacity".replace("_", " ")
        if self.shape == "power_of_two" and capacity & (capacity - 1):
            return f"{title} is a power of two, not {capacity}"
        if self.shape == "even" and capacity % 2:
            return f"{title} is even, not {capacity}"
        if capacity > self.most:
            return f"{title} is at most {self.most}, not {capacity}"
        return None


@dataclass(frozen=True)
class Toggle:
    """A layer's switch at run time. env: the environment variable. default: the state if it is not set."""

    env: EnvironmentName
    default: Switch


@dataclass(frozen=True)
class Layer:
    """One stage of the hot path, with the values of one variant."""

    name: str
    title: str
    doc: str
    role: str
    keys: tuple[Key, ...]
    storage: str
    capacity: int  # entries per key; 0: no limit in entries
    bytes_bound: int  # bytes per key; 0: no limit in bytes
    limits: tuple[int, ...]  # entries that fit, for each key from first to last; none in the catalogue
    toggle: Toggle | None
    needs: tuple[str, ...]
    conflicts: tuple[str, ...]
    serves_all: bool
    position: int  # in the variant, from 1; 0 in the catalogue

    @property
    def own_template(self) -> str:
        """The path of the layer's own template, which is optional, relative to the folder of templates."""
        return f"layers/{self.name}.h.j2"

    @property
    def storage_template(self) -> str | None:
        """The template of the storage, used if the layer has no template of its own; None without storage."""
        return None if self.storage == NO_STORAGE else f"storage/{self.storage}.h.j2"

    @property
    def mask(self) -> int:
        """The served keys as bits: bit i is key i."""
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
        """Whether the layer serves every key between the first and the last."""
        return self.last - self.first + 1 == len(self.keys)


@dataclass(frozen=True)
class Option:
    """A value that a variant may set besides its layers. With `env`, programs read it from that environment
    variable at run time, and `default` is the value if it is not set. Without `env`, the value is fixed at
    `default`."""

    name: OwnName
    doc: Sentence
    type: Annotated[str, OneOf("bool", "int")]
    default: Value
    min: Annotated[int, integer(LEAST_INT, LARGEST_INT)] | None = None
    max: Annotated[int, integer(LEAST_INT, LARGEST_INT)] | None = None
    env: EnvironmentName | None = None

    def __post_init__(self) -> None:
        bounds = [key for key in ("min", "max") if getattr(self, key) is not None]
        if bounds and self.type == "bool":
            what = f"an option of type bool has no {quote(bounds[0])}"
            raise Misfit(what, at=(bounds[0],), whole=True)
        if self.low > self.high:
            raise Misfit(f"'max' is less than 'min', {self.low}", at=("max",), whole=True)
        try:
            self.kind.read(node_of(self.default))
        except Misfit as wrong:
            raise replace(wrong, at=("default",)) from None

    @property
    def value(self) -> bool | int:
        assert not isinstance(self.default, str)
        return self.default

    @property
    def low(self) -> int:
        """The smallest value; 0 for a bool."""
        if self.type == "bool":
            return 0
        return LEAST_INT if self.min is None else self.min

    @property
    def high(self) -> int:
        """The largest value; 1 for a bool."""
        if self.type == "bool":
            return 1
        return LARGEST_INT if self.max is None else self.max

    @property
    def kind(self) -> Kind:
        """The rule for its values."""
        return Single("on or off", bool) if self.type == "bool" else integer(self.low, self.high)
