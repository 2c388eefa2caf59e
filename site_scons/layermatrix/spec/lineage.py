"""Resolve each variant's layers and settings from `extends`, `remove`, `add` and `set`.

Reads the records of the catalogue and of the variants. Returns the variants; `finished` adds what is computed
from their choices. `judgement` checks whether the layers of a variant fit together, if nothing else is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from layermatrix.core.errors import Place, hint_for, quote
from layermatrix.core.kinds import BYTES, CAPACITY, Misfit, Node, OneOf
from layermatrix.model.budgets import ENTRY_METRICS, LIBRARY_METRICS, Budget, BudgetLimit
from layermatrix.model.catalogue import Catalogue
from layermatrix.model.layers import Key, Layer, Option, Storage
from layermatrix.model.system import LIBRARY
from layermatrix.model.variants import Variant
from layermatrix.profiles import registry
from layermatrix.spec.catalogue import check_keys, figure, table
from layermatrix.spec.judgement import Judgement
from layermatrix.spec.reading import Document
from layermatrix.spec.shapes import AddSpec, VariantSpec

FROM_ENVIRONMENT = "env"  # the option value that means "read from the environment"
SHAPE = ("extends", "layers", "remove", "add")  # the keys that make a variant's list of layers
File = tuple[Document, VariantSpec]  # a variant's file, and its valid parts
Places = Mapping[str, Place]  # a variant's layers, in order, and where they are written


class Lineage:
    """Drafts the variants, each after the variant that it extends. sound: whether the catalogue's terms are
    valid, so that layers can be judged."""

    def __init__(self, catalogue: Catalogue, files: Mapping[str, File], *, sound: bool) -> None:
        self.catalogue, self.files, self.sound = catalogue, files, sound
        self.variants: dict[str, Variant] = {}
        self.places: dict[str, Places | None] = {}  # None: a mistake leaves open what the layers are
        self.default = Variant(
            name="",
            doc="",
            source="",
            lineage=(),
            keys=catalogue.keys,
            layers=(),
            settings={name: setting.default for name, setting in catalogue.settings.items()},
            options={name: replace(option, env=None) for name, option in catalogue.options.items()},
            system=catalogue.system,
            roles=catalogue.roles,
        )

    def draft_all(self) -> dict[str, Variant]:
        """Draft every variant, parents before children, and check that the layers of those without mistakes
        fit together. A circle is reported at the first of its variants by name."""
        parents = {name: spec.extends for name, (_, spec) in self.files.items()}
        chains = {name: chain(name, parents) for name in self.files}
        for name in sorted(chains, key=lambda name: len(chains[name])):
            document, spec = self.files[name]
            if is_circle(chains[name]):
                document.error(("extends",), f"circular extends: {' -> '.join(chains[name])}")
            variant = self.variants[name] = self._draft(name, spec, document)
            places = self.places[name]
            sound = self.sound and all(self.files[one][0].sound() for one in variant.lineage)
            if sound and places and len(variant.layers) == len(places):
                Judgement(variant, spec.remove, document, places, self.catalogue).judge()
        return self.variants

    def _draft(self, name: str, spec: VariantSpec, document: Document) -> Variant:
        catalogue, made, own = self.catalogue, document.made, spec.set
        base = self.variants.get(spec.extends or "", self.default)
        check_keys(spec.keys, catalogue, document)
        places = self.places[name] = self._layers(spec, base, document)
        keys = table(spec.keys) or base.keys
        layers = {one: self._placed(one, keys, base) for one in places or () if one in catalogue.layers}
        for key, given in (("capacity", own.capacity), ("bytes", own.bytes)):
            known, bounded = {**catalogue.layers, **layers}, partial(self._bounded, key, places)
            changed = made(("set", key), given, known, bounded)
            layers = {one: changed.get(one, layer) for one, layer in layers.items()}
        chosen = made(
            ("set",), own.settings, catalogue.settings, lambda one, node: OneOf(*one.values).read(node)
        )
        options = made(("set", "options"), own.options, catalogue.options, _option)
        return replace(
            base,
            name=name,
            doc=spec.doc,
            source=f"variants/{name}.yaml",
            lineage=(*base.lineage, name),
            keys=keys,
            layers=tuple(layers.values()),
            settings={**base.settings, **chosen},
            options={**base.options, **options},
            reported=made(("reported",), spec.reported, catalogue.reported, figure),
            budget=_budget(spec, base.budget, document),
        )

    def _layers(self, spec: VariantSpec, base: Variant, document: Document) -> Places | None:
        if all(document.sound(key) for key in SHAPE):
            _check_shape(spec, document)
        inherited = self.places.get(spec.extends) if spec.extends else {}
        if inherited is None or not all(document.sound(key) for key in SHAPE):
            return None
        layers = {one: document.place("layers", at) for at, one in enumerate(spec.layers)} or {**inherited}
        for index, gone in enumerate(spec.remove):
            if layers.pop(gone, None) is None:
                what = f"layer {quote(gone)} is not in {quote(base.name)}"
                document.error(("remove", index), what, hint_for(gone, layers))
        for index, item in enumerate(spec.add):
            document.attempt(("add", index), self._add, item, document.place("add", index, "layer"), layers)
        return layers if all(document.sound(key) for key in SHAPE) else None

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

    def _placed(self, name: str, keys: Sequence[Key], base: Variant) -> Layer:
        """A layer in a variant, with its bounds in the parent, if it is there. It serves all keys, or those
        whose names it serves in the catalogue."""
        listed = self.catalogue.layers[name]
        names = [key.name for key in listed.keys]
        own = tuple(key for key in keys if listed.serves_all or key.name in names)
        last = next((layer for layer in base.layers if layer.name == name), listed)
        return replace(last, keys=own, serves_all=len(own) == len(keys))

    def _bounded(self, key: str, places: Places | None, layer: Layer, node: Node) -> Layer:
        """The layer with the bound in entries or bytes that the variant sets."""
        field, term, kind = "capacity", "capacity of its own", CAPACITY
        if key == "bytes":
            field, term, kind = "bytes_bound", "bound in bytes", BYTES
        if places is not None and layer.name not in places:
            what = f"layer {quote(layer.name)} is not in this variant"
            raise Misfit(what, hint_for(layer.name, places), whole=True, at_key=True)
        if not getattr(layer, field):
            raise Misfit(f"layer {quote(layer.name)} has no {term} to change", whole=True, at_key=True)
        bound = kind.read(node)
        storage = self.catalogue.storages.get(layer.storage)  # None: it is invalid
        if storage and key == "capacity" and (wrong := storage.misfit(bound)):
            raise Misfit(wrong, whole=True)
        return replace(layer, **{field: bound})


def chain(start: str, parents: Mapping[str, str | None]) -> list[str]:
    """A name, its parent, and so on. In a circle, the last name is there for the second time."""
    names = [start]
    while (parent := parents.get(names[-1])) in parents and names[-1] not in names[:-1]:
        names.append(str(parent))
    return names


def is_circle(names: list[str]) -> bool:
    """Whether this chain is a circle, and the one that is reported of those of its names."""
    return len(names) > 1 and names[0] == names[-1] == min(names)


def _check_shape(spec: VariantSpec, document: Document) -> None:
    """Check that the variant either lists its layers or changes those of its parent."""
    change = ("remove", 0) if spec.remove else ("add", 0, "layer") if spec.add else None
    if spec.layers and change:
        what = "'remove' and 'add' change the layers of another variant, but here are 'layers'"
        document.error(change, what)
    elif not spec.extends and change:
        document.error(change, "'remove' and 'add' need a variant to change", "name it with 'extends'")
    elif not spec.extends and not spec.layers:
        document.error((), "a variant has 'layers', or 'extends' another one", at_key=True)


def _option(option: Option, node: Node) -> Option:
    is_read = node.text == FROM_ENVIRONMENT
    if is_read and option.env is None:
        raise Misfit("has no environment variable")
    return option if is_read else replace(option, default=option.kind.read(node), env=None)


def _budget(spec: VariantSpec, inherited: Budget, document: Document) -> Budget:
    """The parent's limits, with single metrics replaced by those that the variant sets."""
    found = {entry: {**own} for entry, own in inherited.items()} if spec.budget is not None else {}
    for entry, metrics in (spec.budget or {}).items():
        known = LIBRARY_METRICS if entry == LIBRARY else ENTRY_METRICS
        for metric, most in metrics.items() if document.sound("budget", entry) else ():
            path = ("budget", entry, metric)
            if metric not in known:
                document.error(path, f"unknown metric {quote(metric)}", hint_for(metric, known), at_key=True)
            own = {word: BudgetLimit(most[word], document.place(*path, word).shown) for word in most}
            found.setdefault(entry, {})[metric] = own
    return found


def finished(variant: Variant, catalogue: Catalogue) -> Variant:
    """A valid variant with what is computed from its choices."""
    layers = [
        replace(layer, position=position, limits=_limits(layer, catalogue.storages.get(layer.storage)))
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


def _limits(layer: Layer, storage: Storage | None) -> tuple[int, ...]:
    """The number of entries that fit, for each key from the first to the last. The tightest bound applies."""
    if storage is None:
        return ()
    by_index = {}
    for key in layer.keys:
        by_bytes = max(layer.bytes_bound // key.number("size"), 1) if layer.bytes_bound else storage.most
        by_index[key.index] = min(layer.capacity or storage.most, by_bytes, storage.most)
    return tuple(by_index.get(index, 0) for index in range(layer.first, layer.last + 1))
