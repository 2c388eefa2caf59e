"""The records of the spec files whose form differs from the resolved project. `reading` fills them.

The other records of the files are those of `model`. `catalogue`, `lineage` and `matrix` check rules that
involve two values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from layermatrix.core.errors import quote
from layermatrix.core.kinds import (
    LARGEST_INT,
    OR_NONE,
    REST,
    Bytes,
    Capacity,
    Entries,
    FigureName,
    File,
    FreeName,
    Items,
    Label,
    LayerName,
    Layers,
    Line,
    Misfit,
    Name,
    Node,
    OneOf,
    OwnName,
    Ref,
    RoleName,
    Sentence,
    Short,
    Term,
    Text,
    Value,
    VariantName,
    integer,
)
from layermatrix.model.budgets import CONFIGURATIONS, COUNTED_MODES
from layermatrix.model.catalogue import ReportedFigure, Setting, Unit
from layermatrix.model.layers import ALL, NO_STORAGE, Option, Role, Storage, Toggle
from layermatrix.model.measuring import Experiment
from layermatrix.model.system import System
from layermatrix.profiles.registry import PROFILES

MOST_KEYS = 64  # bits of a mask
KeyValues = Annotated[Mapping[Name, Value], Short("size")]
Keys = Annotated[Mapping[FreeName, KeyValues], Entries(1, MOST_KEYS, listed=True)]
Configuration = Annotated[str, OneOf(*CONFIGURATIONS)]
Limit = Annotated[int, integer(0, LARGEST_INT)]
LIMITS = "a whole number, 'none', or a mapping of modes and compilers"
Limits = Annotated[Mapping[Configuration, Limit], Short(COUNTED_MODES[0], none=True, expects=LIMITS)]
Budgets = Mapping[Annotated[Name, Ref("entry")], Mapping[Name, Limits]]


@dataclass(frozen=True)
class LayerSpec:
    """One stage of the hot path. keys: names, ranges, or all."""

    name: OwnName
    title: Line
    doc: Sentence
    role: RoleName
    keys: Annotated[tuple[Annotated[str, Text()], ...], Items(1, alone=True)] = (ALL,)
    storage: Annotated[Name, Ref("storage")] = NO_STORAGE
    capacity: Capacity = 0
    bytes: Bytes = 0
    toggle: Toggle | None = None
    needs: Layers = ()
    conflicts: Layers = ()

    def __post_init__(self) -> None:
        for key, others in (("needs", self.needs), ("conflicts", self.conflicts)):
            if self.name in others:
                what = f"layer {quote(self.name)} is in its own {quote(key)}"
                raise Misfit(what, at=(key, others.index(self.name)), whole=True)
        for other in self.conflicts:
            if other in self.needs:
                what = f"layer {quote(self.name)} needs {quote(other)} as well"
                raise Misfit(what, at=("conflicts", self.conflicts.index(other)), whole=True)


@dataclass(frozen=True)
class CatalogueSpec:
    """layers.yaml: everything that variants consist of. lines: the reported number of lines of each file."""

    doc: Sentence
    system: System
    layers: Annotated[Mapping[Name, LayerSpec], Entries(1)]
    profile: Annotated[str, OneOf(*PROFILES)] = ""
    unit: Unit | None = None
    reported: Mapping[Name, ReportedFigure] = field(default_factory=dict)
    roles: Annotated[Mapping[Term, Role], Entries(1, listed=True)] = field(default_factory=dict)
    keys: Keys = field(default_factory=dict)
    settings: Mapping[Name, Setting] = field(default_factory=dict)
    storages: Mapping[Name, Storage] = field(default_factory=dict)
    options: Mapping[Name, Option] = field(default_factory=dict)
    lines: Mapping[File, Label] = field(default_factory=dict)


@dataclass(frozen=True)
class AddSpec:
    """A layer that a variant adds. Without `before` or `after`, it comes last among the layers of its
    role."""

    layer: LayerName
    before: LayerName | None = None
    after: LayerName | None = None

    def __post_init__(self) -> None:
        if self.before and self.after:
            raise Misfit("give 'before' or 'after', not both", at=("after",), whole=True, at_key=True)


@dataclass(frozen=True)
class SetSpec:
    """What a variant sets. The rest comes from the variant that it extends, or from the defaults. The
    catalogue defines the types of the values."""

    options: Mapping[Annotated[Name, Ref("option")], Node] = field(default_factory=dict)
    capacity: Mapping[LayerName, Node] = field(default_factory=dict)
    bytes: Mapping[LayerName, Node] = field(default_factory=dict)
    settings: Annotated[Mapping[Annotated[Name, Ref("setting")], Node], REST] = field(default_factory=dict)


@dataclass(frozen=True)
class VariantSpec:
    """A named choice of layers and settings, listed in full or as a change of another variant.

    budget: entry -> metric -> limits; None removes the limits of the variant that it extends.
    """

    doc: Sentence
    extends: VariantName | None = None
    keys: Keys = field(default_factory=dict)
    layers: Annotated[tuple[LayerName, ...], Items(1, unique=True)] = ()
    remove: Layers = ()
    add: tuple[Annotated[AddSpec, Short("layer")], ...] = ()
    set: SetSpec = field(default_factory=SetSpec)
    budget: Annotated[Budgets | None, OR_NONE] = field(default_factory=dict)
    reported: Mapping[FigureName, Node] = field(default_factory=dict)


@dataclass(frozen=True)
class ExperimentsSpec:
    """experiments.yaml: questions that a measurement answers."""

    doc: Sentence
    experiments: Annotated[Mapping[FreeName, Experiment], Entries(1)]
