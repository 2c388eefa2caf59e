"""Resolve each variant's layers and settings from `extends`, `remove`, `add` and `set`.

Reads the records of the catalogue and of the variants. Returns a `Draft` for each variant, and reports
unknown names. `judgement` checks whether the layers of a draft fit together, and only if nothing else is
wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from layermatrix.core.errors import Place, hint_for, quote
from layermatrix.core.kinds import Integer, Misfit, OneOf, describe, text_of, value_of
from layermatrix.model.budgets import ENTRY_METRICS, LIBRARY_METRICS, Budget, BudgetLimit
from layermatrix.model.catalogue import Setting
from layermatrix.model.layers import Key
from layermatrix.model.system import LIBRARY
from layermatrix.spec import references
from layermatrix.spec.catalogue import Vocabulary, check_keys, table
from layermatrix.spec.reading import Document, report_misfit
from layermatrix.spec.shapes import PARTS_OF_SET, AddSpec, CatalogueSpec, VariantSpec

T = TypeVar("T")
FROM_ENVIRONMENT = "env"  # the option value that means "read from the environment"
CAPACITY = Integer(1, 65_535)


@dataclass(frozen=True)
class Placed:
    """A layer's name and the place where it is written."""

    value: str
    place: Place


@dataclass(frozen=True)
class Draft:
    """A variant's settings and its layers, each with the place where it is written.

    `known`: the list of layers is what the user intended.
    """

    lineage: tuple[str, ...] = ()
    layers: tuple[Placed, ...] = ()
    settings: Mapping[str, str | int] = field(default_factory=dict)
    options: Mapping[str, str | bool | int] = field(default_factory=dict)
    capacities: Mapping[str, int] = field(default_factory=dict)
    budget: Budget = field(default_factory=dict)
    keys: tuple[Key, ...] | None = None  # None: the catalogue's keys
    known: bool = False


@dataclass(frozen=True)
class File:
    """A variant's file: the document, and its valid parts."""

    document: Document
    spec: VariantSpec | None


class Lineage:
    """Drafts the variants, each after the variant that it extends."""

    def __init__(
        self,
        catalogue: CatalogueSpec | None,
        words: Vocabulary | None,
        layers: Document,
        files: Mapping[str, File],
    ) -> None:
        self.catalogue, self.words, self.files = catalogue, words, files
        self.layers = layers.names("layers") or None  # None: layers cannot be checked
        self.broken_layers = [name for name in self.layers or () if not layers.sound("layers", name)]
        known = catalogue is not None and (layers.names("options") or layers.sound("options"))
        self.options = layers.names("options") if known else None
        self.document = layers
        self.known = {"layer": self.layers} if self.layers else {}
        if catalogue is not None:
            self.known["entry"] = [*layers.names("system", "entries"), LIBRARY]
        self.drafts: dict[str, Draft] = {}

    def draft_all(self) -> dict[str, Draft]:
        """Draft every variant, parents before children."""
        for name in self.files:
            for member in reversed(list(self._undrafted(name))):
                self.drafts[member] = self._draft(member)
        return self.drafts

    def _undrafted(self, start: str) -> Iterator[str]:
        """`start`, the variant that it extends, and so on, up to the first that is drafted; each once."""
        seen: set[str] = set()
        name: str | None = start
        while name is not None and name in self.files and name not in self.drafts and name not in seen:
            seen.add(name)
            yield name
            spec = self.files[name].spec
            name = spec.extends if spec else None

    def _draft(self, name: str) -> Draft:
        file = self.files[name]
        spec, document = file.spec, file.document
        if spec is None:
            return Draft()
        parent = self._parent(name, spec, document)
        self._check_shape(spec, document)
        references.check(spec, self.known, document)
        if self.words:
            check_keys(spec.keys, self.words.profile, document)
        sound = parent.known and all(
            document.sound(key) for key in ("extends", "layers", "remove", "add", "keys", "set")
        )
        layers = self._layers(spec, parent, document) if sound else ()
        made, names = spec.set, [layer.value for layer in layers]
        capacities = self._made(
            "capacity", made.capacity, lambda name, node: self._capacity(name, node, names), document
        )
        return Draft(
            lineage=(*parent.lineage, name),
            layers=layers,
            settings={**parent.settings, **self._made("", made.settings, self._setting, document)},
            options={**parent.options, **self._made("options", made.options, self._option, document)},
            capacities={**parent.capacities, **capacities},
            budget=merged({} if spec.budget is None else parent.budget, self._budget(spec, document)),
            keys=table(spec.keys) or parent.keys,
            known=sound and document.sound(),
        )

    def _parent(self, name: str, spec: VariantSpec, document: Document) -> Draft:
        if spec.extends is None:
            defaults = {key: one.default for key, one in self.words.settings.items()} if self.words else {}
            return Draft(settings=defaults, known=document.sound("extends"))
        if spec.extends not in self.files:
            hint = hint_for(spec.extends, [known for known in self.files if known != name])
            document.error(("extends",), f"unknown variant {quote(spec.extends)}", hint)
        elif spec.extends not in self.drafts:
            self._refuse_circle(name)
        return self.drafts.get(spec.extends, Draft())

    def _refuse_circle(self, name: str) -> None:
        """Report a cycle of variants once, at the first by name. None of its variants is drafted when one is
        reached."""
        circle = list(self._undrafted(name))
        first = circle.index(min(circle))
        ordered = circle[first:] + circle[:first]
        shown = " -> ".join([*ordered, ordered[0]])
        self.files[ordered[0]].document.error(("extends",), f"circular extends: {shown}")

    def _check_shape(self, spec: VariantSpec, document: Document) -> None:
        """Take the layers that the variant lists, or change those of its parent."""
        if not all(document.sound(key) for key in ("extends", "layers", "remove", "add")):
            return
        change = ("remove", 0) if spec.remove else ("add", 0, "layer") if spec.add else None
        if spec.layers and change:
            what = "'remove' and 'add' change the layers of another variant, but here are 'layers'"
            document.error(change, what)
        elif not spec.extends and change:
            what = "'remove' and 'add' need a variant to change"
            document.error(change, what, "say which one with 'extends'")
        elif not spec.extends and not spec.layers:
            document.error((), "a variant has 'layers', or 'extends' another one", at_key=True)

    def _layers(self, spec: VariantSpec, parent: Draft, document: Document) -> tuple[Placed, ...]:
        own = [Placed(name, document.place("layers", i)) for i, name in enumerate(spec.layers)]
        layers = own or list(parent.layers)
        for index, gone in enumerate(spec.remove):
            found = [layer for layer in layers if layer.value == gone]
            if found:
                layers.remove(found[0])
            else:
                hint = hint_for(gone, [layer.value for layer in layers])
                what = f"layer {quote(gone)} is not in {quote(parent.lineage[-1])}"
                document.error(("remove", index), what, hint)
        for index, item in enumerate(spec.add):
            self._add(item, index, layers, document)
        return tuple(layers)

    def _add(self, item: AddSpec, index: int, layers: list[Placed], document: Document) -> None:
        names = [layer.value for layer in layers]
        beside = item.before or item.after
        place = document.place("add", index, "layer")
        if item.layer in names:
            what = f"layer {quote(item.layer)} is in this variant already"
            document.error(("add", index, "layer"), what, "remove it as well if you want to move it")
        elif beside is None:
            layers.insert(self._end_of_role(item.layer, names), Placed(item.layer, place))
        elif beside not in names:
            what = f"layer {quote(beside)} is not in this variant"
            document.error(
                ("add", index, "before" if item.before else "after"), what, hint_for(beside, names)
            )
        else:
            layers.insert(names.index(beside) + (1 if item.after else 0), Placed(item.layer, place))

    def _end_of_role(self, name: str, names: list[str]) -> int:
        """The position of an added layer without `before` or `after`: after the last layer of its role."""
        rank = self._rank(name)
        return max((index + 1 for index, other in enumerate(names) if self._rank(other) <= rank), default=0)

    def _rank(self, name: str) -> int:
        layer = self.catalogue.layers.get(name) if self.catalogue else None
        return self.words.rank(layer.role) if layer and self.words else 1000

    # --- set

    def _made(
        self,
        part: str,
        given: Mapping[str, object],
        read: Callable[[str, object], T | None],
        document: Document,
    ) -> dict[str, T]:
        """The valid part of what a variant sets; None for a value that cannot be checked."""
        good = {}
        for name, node in given.items():
            try:
                value = read(name, node)
                good.update({name: value} if value is not None else {})
            except Misfit as wrong:
                path = ("set", part, name) if part else ("set", name)
                report_misfit(wrong, path, document)
        return good

    def _setting(self, name: str, node: object) -> str | int | None:
        if self.words is None or not self.document.sound("settings"):
            return None
        setting = self.words.settings.get(name)
        if setting is None:
            hint = hint_for(name, [*self.words.settings, *PARTS_OF_SET])
            raise Misfit(f"unknown key {quote(name)} in 'set'", hint, whole=True)
        return chosen(setting, node)

    def _capacity(self, name: str, node: object, names: list[str]) -> int | None:
        if self.layers is None or self.words is None or name in self.broken_layers:
            return None
        if name not in self.layers:
            raise Misfit(f"unknown layer {quote(name)}", hint_for(name, self.layers), whole=True)
        if names and name not in names:
            raise Misfit(f"layer {quote(name)} is not in this variant", hint_for(name, names), whole=True)
        layer = self.catalogue.layers[name] if self.catalogue else None
        storage = self.words.storages.get(layer.storage) if layer else None
        if layer is None or layer.capacity is None or storage is None:
            raise Misfit(f"layer {quote(name)} has no capacity of its own to change", whole=True)
        capacity = CAPACITY.read(node)
        if misfit := storage.misfit(capacity):
            raise Misfit(misfit, whole=True)
        return capacity

    def _option(self, name: str, node: object) -> str | bool | int | None:
        if self.options is None or self.catalogue is None:
            return None
        if name not in self.options:
            raise Misfit(f"unknown option {quote(name)}", hint_for(name, self.options), whole=True)
        option = self.catalogue.options.get(name)
        if option is None or not self.document.sound("options", name):
            return None
        if text_of(node) == FROM_ENVIRONMENT:
            if option.env is None:
                raise Misfit("has no environment variable")
            return FROM_ENVIRONMENT
        value = value_of(node)
        if expects := option.refusal(value):
            raise Misfit(f"must be {expects}, not {describe(node)}")
        return value if isinstance(value, (bool, int)) else None

    # --- budget

    def _budget(self, spec: VariantSpec, document: Document) -> Budget:
        """The valid limits that this variant sets."""
        good: dict[str, dict[str, dict[str, BudgetLimit]]] = {}
        for entry, metrics in (spec.budget or {}).items():
            known = LIBRARY_METRICS if entry == LIBRARY else ENTRY_METRICS
            if not document.sound("budget", entry):  # an unknown entry
                continue
            for metric, limits in metrics.items():
                path = ("budget", entry, metric)
                if metric not in known:
                    what = f"unknown metric {quote(metric)}"
                    document.error(path, what, hint_for(metric, known), at_key=True)
                else:
                    own = {
                        word: BudgetLimit(most, document.place(*path, word).shown)
                        for word, most in limits.items()
                    }
                    good.setdefault(entry, {})[metric] = own
        return good


def chosen(setting: Setting, node: object) -> str | int:
    """The value of a setting; raises Misfit if the setting does not have it."""
    by_text = {str(value): value for value in setting.values}
    return by_text[OneOf(*by_text).read(node)]


def merged(parent: Budget, own: Budget) -> Budget:
    """A parent's limits, with single metrics replaced by those of the child."""
    return {entry: {**parent.get(entry, {}), **own.get(entry, {})} for entry in {**parent, **own}}
