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


@dataclass(frozen=True)
class Words:
    """What a domain calls things: a key, all of them, what a layer stores, the path of a request, what the
    last layer does with the system behind it. A profile has its own, as `words` of a variant's `extra`."""

    key: str = "key"
    keys: str = "Keys"
    stored: str = "entry"
    path: str = "The path of a request"
    supply: str = "works on"


@dataclass(frozen=True)
class KeyAbout:
    """A key with its values. requests: which ones it serves, in words; empty where that is not known."""

    name: str
    values: Mapping[str, str | bool | int]
    requests: str


@dataclass(frozen=True)
class Stage:
    """A layer on the path. toggle: None where it cannot be switched off; fills: what a refill fills."""

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
    fills: str | None


@dataclass(frozen=True)
class Overlap:
    """Keys that the same caches serve, which are more than one."""

    keys: tuple[str, ...]
    layers: tuple[str, ...]


@dataclass(frozen=True)
class Backend:
    """What stands behind the last layer."""

    name: str
    doc: str


@dataclass(frozen=True)
class LayerPath:
    """Everything that a picture of a variant's path shows."""

    variant: str
    doc: str
    source: str
    lineage: tuple[str, ...]
    reported: Mapping[str, str]
    settings: Mapping[str, str]
    entries: Mapping[str, str]
    words: Words
    keys: tuple[KeyAbout, ...]
    layers: tuple[Stage, ...]
    overlaps: tuple[Overlap, ...]
    options: tuple[Option, ...]
    backend: Backend

    @property
    def order(self) -> list[str]:
        """The names of the keys."""
        return [key.name for key in self.keys]

    @property
    def entry(self) -> str:
        """The function of the first entry."""
        return next(iter(self.entries.values()))


def describe(variant: Variant) -> LayerPath:
    """The path of a variant."""
    hot = {layer.name for layer in variant.hot_layers}
    toggled = {layer.name for layer in variant.toggled_layers}
    return LayerPath(
        variant=variant.name,
        doc=variant.doc,
        source=variant.source,
        lineage=variant.lineage,
        reported=dict(variant.reported),
        settings=settings(variant),
        entries={name: entry.function for name, entry in variant.system.entries.items()},
        words=Words(**variant.extra.get("words", {})),
        keys=tuple(keys(variant)),
        layers=tuple(
            _stage(layer, variant, layer.name in hot, layer.name in toggled) for layer in variant.layers
        ),
        overlaps=tuple(overlaps(variant.with_role("cache"))),
        options=tuple(variant.options.values()),
        backend=Backend(variant.system.name, variant.system.doc),
    )


def settings(variant: Variant) -> dict[str, str]:
    """The variant's settings as a reader names them."""
    return {name: str(value) for name, value in variant.settings.items()}


def keys(variant: Variant) -> list[KeyAbout]:
    """Each key, with its values and what is known of the requests that it serves."""
    requests = variant.extra.get("requests", {})
    return [KeyAbout(key.name, dict(key.values), requests.get(key.name, "")) for key in variant.keys]


def overlaps(caches: Sequence[Layer]) -> list[Overlap]:
    """The keys that more than one cache serves, those with the same caches together.

    Overflow and refill layers stand behind the caches by design, so they do not count as overlapping.
    """
    serving: dict[str, list[str]] = {}
    for layer in caches:
        for key in layer.keys:
            serving.setdefault(key.name, []).append(layer.title)
    order = {key.name: key.index for layer in caches for key in layer.keys}
    groups: dict[tuple[str, ...], list[str]] = {}
    for name in sorted(serving, key=order.__getitem__):
        if len(serving[name]) > 1:
            groups.setdefault(tuple(serving[name]), []).append(name)
    return [Overlap(tuple(names), titles) for titles, names in groups.items()]


def _stage(layer: Layer, variant: Variant, inlined: bool, toggled: bool) -> Stage:
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
        fills=_fills(layer, variant) if layer.role == "refill" else None,
    )


def _fills(refill: Layer, variant: Variant) -> str:
    """What a refill layer fills: the layer that it needs, otherwise the caches."""
    titles = {layer.name: layer.title for layer in variant.layers}
    needed = [titles[name] for name in refill.needs if name in titles]
    return " and ".join(needed) if needed else "the first cache with room"
