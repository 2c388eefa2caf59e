"""Resolve each variant's layers and settings from `extends`, `remove`, `add` and `set`.

Reads the records of the catalogue and of the variants. Returns a `Draft` for each variant. `judgement` checks
whether the layers of a draft fit together, and only if nothing else is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, replace
from typing import Any

from layermatrix.core.errors import Place, hint_for, quote
from layermatrix.core.kinds import BYTES, CAPACITY, Misfit, Node, OneOf
from layermatrix.model.budgets import ENTRY_METRICS, LIBRARY_METRICS, Budget, BudgetLimit
from layermatrix.model.catalogue import Catalogue
from layermatrix.model.layers import Key, Layer
from layermatrix.model.system import LIBRARY
from layermatrix.model.variants import Variant
from layermatrix.profiles import registry
from layermatrix.spec.catalogue import check_keys, limits, table
from layermatrix.spec.reading import Document
from layermatrix.spec.shapes import AddSpec, VariantSpec

FROM_ENVIRONMENT = "env"  # the option value that means "read from the environment"


@dataclass(frozen=True)
class Draft:
    """A variant, the places where its layers are written, and whether its list of layers is what the user
    intended."""

    variant: Variant
    places: Mapping[str, Place] = field(default_factory=dict)
    known: bool = False


@dataclass(frozen=True)
class File:
    """A variant's file: the document, and its valid parts."""

    document: Document
    spec: VariantSpec


class Lineage:
    """Drafts the variants, each after the variant that it extends. document: the catalogue's."""

    def __init__(self, catalogue: Catalogue, document: Document, files: Mapping[str, File]) -> None:
        self.catalogue, self.document, self.files = catalogue, document, files
        self.drafts: dict[str, Draft] = {}
        self.default = Variant(
            name="",
            doc="",
            source="",
            lineage=(),
            keys=catalogue.keys,
            layers=(),
            settings={name: setting.default for name, setting in catalogue.settings.items()},
            numbers={},
            macros={},
            options={name: replace(option, env=None) for name, option in catalogue.options.items()},
            extra={},
            system=catalogue.system,
            roles=catalogue.roles,
            reported={},
            budget={},
        )

    def draft_all(self) -> dict[str, Draft]:
        """Draft every variant, parents before children."""
        lengths = {name: len(self._chain(name)) for name in self.files}
        for name in sorted(lengths, key=lambda name: lengths[name]):
            self.drafts[name] = self._draft(name, self.files[name].spec, self.files[name].document)
        return self.drafts

    def _chain(self, start: str) -> list[str]:
        """`start`, the variant that it extends, and so on; each once. A cycle is reported once, at the first
        of its variants by name."""
        names: dict[str, None] = {}
        name: str | None = start
        while name is not None and name in self.files and name not in names:
            names[name] = None
            name = self.files[name].spec.extends
        if name == start == min(names):
            what = f"circular extends: {' -> '.join([*names, start])}"
            self.files[start].document.error(("extends",), what)
        return list(names)

    def _draft(self, name: str, spec: VariantSpec, document: Document) -> Draft:
        parent = Draft(self.default, known=document.sound("extends"))
        if spec.extends is not None:
            parent = self.drafts.get(spec.extends, Draft(self.default))
        check_keys(spec.keys, self.catalogue, document)
        _check_shape(spec, document)
        sound = parent.known and all(document.sound(key) for key in (*SHAPE, "keys", "set"))
        places = self._layers(spec, parent, document) if sound else {}
        base, made = parent.variant, spec.set
        capacities = {layer.name: layer.capacity for layer in base.layers}
        capacities |= _made(made.capacity, ("set", "capacity"), self._capacity, document, places)
        sizes = {layer.name: layer.bytes_bound for layer in base.layers}
        sizes |= _made(made.bytes, ("set", "bytes"), self._bytes, document, places)
        options = _made(made.options, ("set", "options"), self._option, document)
        keys, valid = table(spec.keys) or base.keys, self.catalogue.layers
        variant = replace(
            base,
            name=name,
            doc=spec.doc,
            source=f"variants/{name}.yaml",
            lineage=(*base.lineage, name),
            keys=keys,
            layers=tuple(self._placed(one, keys, capacities, sizes) for one in places if one in valid),
            settings={**base.settings, **_made(made.settings, ("set",), self._setting, document)},
            options={**base.options, **options},
            reported={key: node.value for key, node in spec.reported.items()},
            budget=merged({} if spec.budget is None else base.budget, _budget(spec, document)),
        )
        return Draft(variant, places, sound and document.sound())

    def _placed(
        self, name: str, keys: tuple[Key, ...], capacities: Mapping[str, int], sizes: Mapping[str, int]
    ) -> Layer:
        """A layer in a variant. It serves all keys, or those whose names it serves in the catalogue."""
        layer = self.catalogue.layers[name]
        names = [key.name for key in layer.keys]
        own = tuple(key for key in keys if layer.serves_all or key.name in names)
        capacity = capacities.get(name, layer.capacity)
        size = sizes.get(name, layer.bytes_bound)
        every = len(own) == len(keys)
        return replace(layer, keys=own, capacity=capacity, bytes_bound=size, serves_all=every)

    def _layers(self, spec: VariantSpec, parent: Draft, document: Document) -> dict[str, Place]:
        own = {name: document.place("layers", index) for index, name in enumerate(spec.layers)}
        layers = own or dict(parent.places)
        for index, gone in enumerate(spec.remove):
            if layers.pop(gone, None) is None:
                what = f"layer {quote(gone)} is not in {quote(parent.variant.name)}"
                document.error(("remove", index), what, hint_for(gone, layers))
        for index, item in enumerate(spec.add):
            place = document.place("add", index, "layer")
            document.attempt(("add", index), self._add, item, place, layers)
        return layers

    def _add(self, item: AddSpec, place: Place, layers: dict[str, Place]) -> None:
        """Insert a layer: beside another one, or after the last layer of its role."""
        names, beside = list(layers), item.before or item.after
        if item.layer in layers:
            what, hint = "is in this variant already", "remove it as well if you want to move it"
            raise Misfit(f"layer {quote(item.layer)} {what}", hint, ("layer",), whole=True)
        if beside and beside not in layers:
            what, at = f"layer {quote(beside)} is not in this variant", "before" if item.before else "after"
            raise Misfit(what, hint_for(beside, names), (at,), whole=True)
        if beside:
            position = names.index(beside) + bool(item.after)
        else:
            order = {role: index for index, role in enumerate(self.catalogue.roles)}
            ranks = {name: order.get(layer.role, 0) for name, layer in self.catalogue.layers.items()}
            own = ranks.get(item.layer, len(order))
            position = max((i + 1 for i, name in enumerate(names) if ranks.get(name, 0) <= own), default=0)
        layers[item.layer] = place
        for name in names[position:]:  # moved behind it, in their order
            layers[name] = layers.pop(name)

    # --- the values in `set`; MISSING for one that cannot be checked, or is not known

    def _setting(self, name: str, node: Node) -> Any:
        setting = self.catalogue.settings.get(name)
        if setting is None or not self.document.sound("settings", name):
            return MISSING
        by_text = {str(value): value for value in setting.values}
        return by_text[OneOf(*by_text).read(node)]

    def _option(self, name: str, node: Node) -> Any:
        option = self.catalogue.options.get(name)
        if option is None:
            return MISSING
        if node.text != FROM_ENVIRONMENT:
            return replace(option, default=option.kind.read(node), env=None)
        if option.env is None:
            raise Misfit("has no environment variable")
        return option

    def _layer(self, name: str, layers: Mapping[str, Place]) -> Layer | None:
        """A layer of the variant; None if the catalogue does not have it, which is reported elsewhere."""
        layer = self.catalogue.layers.get(name)
        if layer is not None and layers and name not in layers:
            what = f"layer {quote(name)} is not in this variant"
            raise Misfit(what, hint_for(name, layers), whole=True, at_key=True)
        return layer

    def _capacity(self, name: str, node: Node, layers: Mapping[str, Place]) -> Any:
        layer = self._layer(name, layers)
        if layer is None:
            return MISSING
        storage = self.catalogue.storages.get(layer.storage)
        if not layer.capacity or storage is None:
            what = f"layer {quote(name)} has no capacity of its own to change"
            raise Misfit(what, whole=True, at_key=True)
        capacity = CAPACITY.read(node)
        if wrong := storage.misfit(capacity):
            raise Misfit(wrong, whole=True)
        return capacity

    def _bytes(self, name: str, node: Node, layers: Mapping[str, Place]) -> Any:
        layer = self._layer(name, layers)
        if layer is None:
            return MISSING
        if not layer.bytes_bound:
            what = f"layer {quote(name)} has no bound in bytes to change"
            raise Misfit(what, whole=True, at_key=True)
        return BYTES.read(node)


SHAPE = ("extends", "layers", "remove", "add")  # the keys that make a variant's list of layers


def _check_shape(spec: VariantSpec, document: Document) -> None:
    """Check that the variant either lists its layers or changes those of its parent."""
    if not all(document.sound(key) for key in SHAPE):
        return
    change = ("remove", 0) if spec.remove else ("add", 0, "layer") if spec.add else None
    if spec.layers and change:
        what = "'remove' and 'add' change the layers of another variant, but here are 'layers'"
        document.error(change, what)
    elif not spec.extends and change:
        what = "'remove' and 'add' need a variant to change"
        document.error(change, what, "name it with 'extends'")
    elif not spec.extends and not spec.layers:
        document.error((), "a variant has 'layers', or 'extends' another one", at_key=True)


def _made(
    given: Mapping[str, Node], path: tuple[str, ...], read: Callable[..., Any], document: Document, *more: Any
) -> dict[str, Any]:
    """The valid part of what a variant sets."""
    found = {name: document.attempt((*path, name), read, name, node, *more) for name, node in given.items()}
    return {name: value for name, value in found.items() if value is not MISSING}


def _budget(spec: VariantSpec, document: Document) -> Budget:
    """The valid limits that this variant sets."""
    good: dict[str, dict[str, dict[str, BudgetLimit]]] = {}
    for entry, metrics in (spec.budget or {}).items():
        known = LIBRARY_METRICS if entry == LIBRARY else ENTRY_METRICS
        for metric, most in metrics.items() if document.sound("budget", entry) else ():
            path = ("budget", entry, metric)
            if metric not in known:
                document.error(path, f"unknown metric {quote(metric)}", hint_for(metric, known), at_key=True)
            own = {word: BudgetLimit(most[word], document.place(*path, word).shown) for word in most}
            good.setdefault(entry, {})[metric] = own
    return good


def finished(variant: Variant, catalogue: Catalogue) -> Variant:
    """A valid variant with what is computed from its choices."""
    layers = [
        replace(layer, position=position, limits=limits(layer, catalogue.storages.get(layer.storage)))
        for position, layer in enumerate(variant.layers, start=1)
    ]
    numbers = {key: catalogue.settings[key].number(value) for key, value in variant.settings.items()}
    return replace(
        variant,
        layers=tuple(layers),
        numbers=numbers,
        macros={one.macro: numbers[key] for key, one in catalogue.settings.items() if one.macro},
        extra=registry.of(catalogue.profile).extra(variant.keys, variant.settings),
    )


def merged(parent: Budget, own: Budget) -> Budget:
    """A parent's limits, with single metrics replaced by those of the child."""
    return {entry: {**parent.get(entry, {}), **own.get(entry, {})} for entry in {**parent, **own}}
