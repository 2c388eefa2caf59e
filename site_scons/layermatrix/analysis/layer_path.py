"""Describe the path that a request takes through a variant's layers.

Reads a resolved `model.Variant`. The text of `explain`, the picture and the reports all draw from this one
description, so they cannot differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from layermatrix.model.layers import Option, Toggle

if TYPE_CHECKING:
    from layermatrix.model.layers import Layer
    from layermatrix.model.variants import Variant
    from layermatrix.profiles.base import Profile


@dataclass(frozen=True)
class Stage:
    """A layer on the path. keys: the names of the keys that it serves. toggle: None if it cannot be switched
    off. is_front: whether it has the first role. stores: whether its role stores anything. fills: the layers
    that it fills, if it has no storage."""

    name: str
    title: str
    doc: str
    role: str
    storage: str
    keys: tuple[str, ...]
    serves_all: bool
    capacity: int
    bytes_bound: int
    toggle: Toggle | None
    inlined: bool
    is_front: bool
    stores: bool
    fills: str


@dataclass(frozen=True)
class Overlap:
    """Keys that the same layers of the first role serve. There is more than one such layer."""

    keys: tuple[str, ...]
    layers: tuple[str, ...]


@dataclass(frozen=True)
class Backend:
    """The backend after the last layer."""

    name: str
    doc: str


@dataclass(frozen=True)
class LayerPath:
    """Everything that a picture of a variant's path shows.

    title: the name of the path. key: the word for a key; keys: their names in order; columns: the values
    shown for each key, by heading. stored: the word for what layers store; supply: how the last layer uses
    the backend. front: the name of the first role.
    """

    variant: str
    doc: str
    source: str
    lineage: tuple[str, ...]
    reported: Mapping[str, str]
    settings: Mapping[str, str]
    entries: Mapping[str, str]
    title: str
    key: str
    stored: str
    supply: str
    keys: tuple[str, ...]
    columns: Mapping[str, Sequence[str]]
    front: str
    layers: tuple[Stage, ...]
    overlaps: tuple[Overlap, ...]
    options: tuple[Option, ...]
    backend: Backend

    @property
    def titles(self) -> dict[str, str]:
        """The layers' titles by their names."""
        return {layer.name: layer.title for layer in self.layers}

    @property
    def entry(self) -> str:
        """The function of the first entry."""
        return next(iter(self.entries.values()))


def describe(variant: Variant, profile: Profile) -> LayerPath:
    """The path of a variant. profile: the catalogue's."""
    hot = {layer.name for layer in variant.hot_layers}
    toggled, front = {layer.name for layer in variant.toggled_layers}, front_role(variant)
    return LayerPath(
        variant=variant.name,
        doc=variant.doc,
        source=variant.source,
        lineage=variant.lineage,
        reported=dict(variant.reported),
        settings=settings(variant),
        entries={name: entry.function for name, entry in variant.system.entries.items()},
        title=profile.path,
        key=profile.key,
        stored=profile.stored,
        supply=profile.supply,
        keys=tuple(key.name for key in variant.keys),
        columns=profile.key_columns(variant.keys, variant.settings),
        front=front,
        layers=tuple(
            _stage(layer, variant, layer.name in hot, layer.name in toggled) for layer in variant.layers
        ),
        overlaps=tuple(overlaps(variant.with_role(front))),
        options=tuple(variant.options.values()),
        backend=Backend(variant.system.name, variant.system.doc),
    )


def settings(variant: Variant) -> dict[str, str]:
    """The variant's settings as a reader names them."""
    return {name: str(value) for name, value in variant.settings.items()}


def front_role(variant: Variant) -> str:
    """The first role. Its layers are tried first."""
    return next(iter(variant.roles))


def overlaps(front: Sequence[Layer]) -> list[Overlap]:
    """The keys that more than one layer of the first role serves. Keys with the same layers are grouped.

    Layers of other roles follow these by design, so they do not count as overlapping.
    """
    serving: dict[str, list[str]] = {}
    for layer in front:
        for key in layer.keys:
            serving.setdefault(key.name, []).append(layer.title)
    order = {key.name: key.index for layer in front for key in layer.keys}
    groups: dict[tuple[str, ...], list[str]] = {}
    for name in sorted(serving, key=order.__getitem__):
        if len(serving[name]) > 1:
            groups.setdefault(tuple(serving[name]), []).append(name)
    return [Overlap(tuple(names), titles) for titles, names in groups.items()]


def _stage(layer: Layer, variant: Variant, inlined: bool, toggled: bool) -> Stage:
    stores = variant.roles[layer.role].storage != "none"
    return Stage(
        name=layer.name,
        title=layer.title,
        doc=layer.doc,
        role=layer.role,
        storage=layer.storage,
        keys=tuple(key.name for key in layer.keys),
        serves_all=layer.serves_all,
        capacity=layer.capacity,
        bytes_bound=layer.bytes_bound,
        toggle=layer.toggle if toggled else None,
        inlined=inlined,
        is_front=layer.role == front_role(variant),
        stores=stores,
        fills="" if stores else _fills(layer, variant),
    )


def _fills(layer: Layer, variant: Variant) -> str:
    """The layers that a layer without a storage fills: those that it needs, otherwise the first with room."""
    titles = {other.name: other.title for other in variant.layers}
    needed = [titles[name] for name in layer.needs if name in titles]
    return " and ".join(needed) if needed else f"the first {front_role(variant)} with room"
