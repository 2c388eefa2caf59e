"""Describe the path that an allocation takes through a variant's layers, as a plain record.

Reads a resolved `model.Variant`; returns JSON-ready dicts. The text of `explain`, the picture and the
report all draw from this one description, so they cannot tell different stories.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from layermatrix.model.layers import Layer, Option
    from layermatrix.model.variants import Variant

Record = dict[str, Any]


def describe(variant: Variant) -> Record:
    """Everything that a picture of the variant's path shows."""
    hot = {layer.name for layer in variant.hot_layers}
    toggled = {layer.name for layer in variant.toggled_layers}
    return {
        "variant": variant.name,
        "doc": variant.doc,
        "source": variant.source,
        "lineage": list(variant.lineage),
        "quoted": dict(variant.reported),
        "settings": settings(variant),
        "entries": {name: entry.function for name, entry in variant.system.entries.items()},
        "classes": class_ranges(variant),
        "layers": [
            _layer(layer, variant, layer.name in hot, layer.name in toggled) for layer in variant.layers
        ],
        "overlaps": overlaps(variant.with_role("cache")),
        "options": [_option(option) for option in variant.options.values()],
        "backend": {"name": variant.system.name, "doc": variant.system.doc},
    }


def settings(variant: Variant) -> dict[str, str]:
    """The variant's settings as a reader names them."""
    return {name: str(value) for name, value in variant.settings.items()}


def class_ranges(variant: Variant) -> list[Record]:
    """Each size class with its lowest and highest request; None where no request reaches it."""
    step, slots = variant.extra.get("lookup_step", 1), variant.extra.get("size_index", ())
    reached: dict[int, tuple[int, int]] = {}
    for slot, index in enumerate(slots):
        low, high = (slot - 1) * step + 1, slot * step
        known = reached.get(index)
        reached[index] = (known[0] if known else max(low, 0), high)
    ranges = []
    for cls in variant.keys:
        low_high = reached.get(cls.index, (None, None))
        ranges.append(
            {"name": cls.name, "size": cls.values.get("size"), "low": low_high[0], "high": low_high[1]}
        )
    return ranges


def overlaps(caches: Sequence[Layer]) -> list[Record]:
    """The classes that more than one cache serves, those with the same caches together.

    Overflow and refill layers stand behind the caches by design, so they do not count as overlapping.
    """
    serving: dict[str, list[str]] = {}
    for layer in caches:
        for cls in layer.keys:
            serving.setdefault(cls.name, []).append(layer.title)
    order = {cls.name: cls.index for layer in caches for cls in layer.keys}
    groups: dict[tuple[str, ...], list[str]] = {}
    for name in sorted(serving, key=order.__getitem__):
        if len(serving[name]) > 1:
            groups.setdefault(tuple(serving[name]), []).append(name)
    return [{"classes": classes, "layers": list(titles)} for titles, classes in groups.items()]


def _layer(layer: Layer, variant: Variant, inlined: bool, toggled: bool) -> Record:
    toggle = layer.toggle if toggled else None
    return {
        "name": layer.name,
        "title": layer.title,
        "doc": layer.doc,
        "role": layer.role,
        "storage": layer.storage,
        "classes": [cls.name for cls in layer.keys],
        "serves_all": layer.serves_all,
        "capacity": layer.capacity,
        "bytes_bound": layer.bytes_bound,
        "toggle": {"env": toggle.env, "default": toggle.default} if toggle else None,
        "inlined": inlined,
        "fills": _fills(layer, variant) if layer.role == "refill" else None,
    }


def _fills(refill: Layer, variant: Variant) -> str:
    """What a refill layer fills: the layer that it needs, otherwise the caches."""
    titles = {layer.name: layer.title for layer in variant.layers}
    needed = [titles[name] for name in refill.needs if name in titles]
    return " and ".join(needed) if needed else "the first cache with room"


def _option(option: Option) -> Record:
    return {"name": option.name, "doc": option.doc, "value": option.value, "env": option.env}
