"""The records of the spec files whose form differs from the resolved project. pydantic fills them.

The other records of the files are those of `model`. `catalogue`, `lineage` and `matrix` check rules that
involve two values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from layermatrix.core.errors import hint_for, quote
from layermatrix.core.kinds import (
    Bytes,
    Capacity,
    Entries,
    File,
    Integer,
    Items,
    Kind,
    Label,
    LayerName,
    Layers,
    Line,
    Misfit,
    Name,
    OneOf,
    OrNone,
    OwnName,
    Record,
    Ref,
    RoleName,
    Sentence,
    Short,
    Term,
    Text,
    Value,
    describe,
    text_of,
    value_of,
)
from layermatrix.model.budgets import CONFIGURATIONS, COUNTED_MODES
from layermatrix.model.catalogue import ReportedFigure, Setting, Unit
from layermatrix.model.layers import ALL, NO_STORAGE, Option, Role, Storage, Toggle
from layermatrix.model.measuring import Experiment
from layermatrix.model.system import System
from layermatrix.profiles.registry import PROFILES

MOST_KEYS = 64  # bits of a mask
SELECTED = Text()  # C2, C0-C3 or all
PARTS_OF_SET = ("options", "capacity")  # beside the settings
NO_LIMIT = "none"
MOST = Integer(0, 2**31 - 1)


class Listed(Entries):
    """A mapping, or a list of names alone."""

    def before(self, value: Any) -> Any:
        names = [text_of(part) for part in value] if isinstance(value, list) else []
        if names and None not in names:
            value = {name: {} for name in names}
        return super().before(value)


class _Figures(Kind):
    """Reported figures by name. The catalogue defines the type of each."""

    def read(self, node: object) -> dict[str, object]:
        if not isinstance(node, dict):
            raise Misfit(f"must be a mapping, not {describe(node)}")
        return node


class _Limits(Kind):
    """The limit of a figure: one number for every release cell; one number for each named configuration (a
    mode, a compiler, or `<mode>-<compiler>`); or `none`, which removes an inherited limit."""

    expects = f"a whole number, {quote(NO_LIMIT)}, or a mapping of modes and compilers"

    def read(self, node: object) -> dict[str, int]:
        if isinstance(node, dict):
            return {name: self._one(name, part) for name, part in node.items()}
        if text_of(node) == NO_LIMIT:
            return {}
        if type(value_of(node)) is not int:
            raise self.refuse(node)
        return {COUNTED_MODES[0]: MOST.read(node)}

    def _one(self, name: str, node: object) -> int:
        if name not in CONFIGURATIONS:
            what = f"a limit is for a mode, a compiler or <mode>-<compiler>, not for {quote(name)}"
            raise Misfit(what, hint_for(name, CONFIGURATIONS), (name,), whole=True)
        try:
            return MOST.read(node)
        except Misfit as wrong:
            raise Misfit(wrong.what, wrong.hint, (name,)) from None


@dataclass(frozen=True)
class SetSpec:
    """What a variant sets. The rest comes from the variant that it extends, or from the defaults."""

    settings: Mapping[str, object] = field(default_factory=dict)
    options: Mapping[str, object] = field(default_factory=dict)
    capacity: Mapping[str, object] = field(default_factory=dict)


class _Set(Kind):
    """Settings, `options` and `capacity`. The catalogue defines which settings exist."""

    def read(self, node: object) -> SetSpec:
        if not isinstance(node, dict):
            raise Misfit(f"must be a mapping, not {describe(node)}")
        for part in PARTS_OF_SET:
            if part in node and not isinstance(node[part], dict):
                raise Misfit(f"must be a mapping, not {describe(node[part])}", at=(part,))
        settings = {name: value for name, value in node.items() if name not in PARTS_OF_SET}
        return SetSpec(settings, *(node.get(part, {}) for part in PARTS_OF_SET))


Keys = Annotated[
    Mapping[Name, Annotated[Mapping[Name, Value], Short("size")]], Listed(at_least=1, at_most=MOST_KEYS)
]
Limits = Annotated[Mapping[str, int], _Limits()]
Budgets = Mapping[Annotated[Name, Ref("entry")], Mapping[Name, Limits]]


@dataclass(frozen=True)
class LayerSpec(Record):
    """One stage of the hot path. keys: names, ranges, or all."""

    name: OwnName
    title: Line
    doc: Sentence
    role: RoleName
    keys: Annotated[tuple[Annotated[str, SELECTED], ...], Items(1, alone=True)] = (ALL,)
    storage: Annotated[Name, Ref("storage")] = NO_STORAGE
    capacity: Capacity | None = None
    bytes: Bytes | None = None
    toggle: Toggle | None = None
    needs: Layers = ()
    conflicts: Layers = ()


@dataclass(frozen=True)
class CatalogueSpec(Record):
    """layers.yaml: everything that variants consist of. lines: the reported number of lines of each file."""

    doc: Sentence
    system: System
    layers: Annotated[Mapping[Name, LayerSpec], Entries(1, named=True)]
    profile: Annotated[str, OneOf(*PROFILES)] = ""
    unit: Unit | None = None
    reported: Annotated[Mapping[Name, ReportedFigure], Entries(named=True)] = field(default_factory=dict)
    roles: Annotated[Mapping[Term, Role], Listed(1, named=True)] = field(default_factory=dict)
    keys: Keys = field(default_factory=dict)
    settings: Annotated[Mapping[Name, Setting], Entries(named=True)] = field(default_factory=dict)
    storages: Annotated[Mapping[Name, Storage], Entries(named=True)] = field(default_factory=dict)
    options: Annotated[Mapping[Name, Option], Entries(named=True)] = field(default_factory=dict)
    lines: Mapping[File, Label] = field(default_factory=dict)


@dataclass(frozen=True)
class AddSpec(Record):
    """A layer that a variant adds. Without `before` or `after`, it comes last among the layers of its
    role."""

    layer: LayerName
    before: LayerName | None = None
    after: LayerName | None = None

    def __post_init__(self) -> None:
        if self.before and self.after:
            raise Misfit("give 'before' or 'after', not both", at=("after",), whole=True)


@dataclass(frozen=True)
class VariantSpec(Record):
    """A named choice of layers and settings, listed in full or as a change of another variant.

    budget: entry -> metric -> limits; None removes the limits of the variant that it extends.
    """

    doc: Sentence
    extends: Name | None = None
    keys: Keys = field(default_factory=dict)
    layers: Annotated[tuple[LayerName, ...], Items(1, unique=True)] = ()
    remove: Layers = ()
    add: tuple[Annotated[AddSpec, Short("layer")], ...] = ()
    set: Annotated[SetSpec, _Set()] = field(default_factory=SetSpec)
    budget: Annotated[Budgets | None, OrNone()] = field(default_factory=dict)
    reported: Annotated[Mapping[str, object], _Figures()] = field(default_factory=dict)


@dataclass(frozen=True)
class ExperimentsSpec(Record):
    """experiments.yaml: questions that a measurement answers."""

    doc: Sentence
    experiments: Annotated[Mapping[Name, Experiment], Entries(1, named=True)]
