"""What each variant consists of, after `extends`, `remove`, `add` and `set`.

Reads the shapes of the catalogue and of the variants; gives a `Draft` a variant, and reports names that
nobody knows. Whether the layers of a draft go together is asked in `judgement`, and only where nothing
else is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from layermatrix.core.errors import Report, hint_for, quote
from layermatrix.model.project import Budget, BudgetLimit
from layermatrix.spec.schema import Placed
from layermatrix.spec.shapes import (
    ENTRY_METRICS,
    LIBRARY,
    LIBRARY_METRICS,
    ROLES,
    AddSpec,
    CatalogueSpec,
    LayerSpec,
    OptionSpec,
    VariantSpec,
)

DEFAULTS: Mapping[str, str | int] = {
    "toggles": "fixed",
    "debug_output": "guarded",
    "layout": "modules",
    "fast_path": "inline",
    "min_align": 16,
    "checks": "basic",
    "tls": "initial_exec",
}
FROM_ENVIRONMENT = "env"  # an option's value that says so


@dataclass(frozen=True)
class Draft:
    """A variant's layers, each with the place where it was written, and settings.

    `known`: the list of layers is what the user means.
    """

    lineage: tuple[str, ...] = ()
    layers: tuple[Placed[str], ...] = ()
    settings: Mapping[str, str | int] = field(default_factory=lambda: dict(DEFAULTS))
    options: Mapping[str, str | bool | int] = field(default_factory=dict)
    capacities: Mapping[str, int] = field(default_factory=dict)
    budget: Budget = field(default_factory=dict)
    classes: tuple[tuple[str, int], ...] | None = None  # names and sizes; None: the catalogue's
    known: bool = False


NOTHING = Draft(known=True)  # what a variant starts from that extends none
BROKEN = Draft()


class Lineage:
    """Drafts the variants, each after the one that it extends."""

    def __init__(
        self, catalogue: CatalogueSpec | None, variants: Mapping[str, VariantSpec | None], report: Report
    ) -> None:
        self.variants = variants
        self.report = report
        self.layers: dict[str, LayerSpec | None] | None = None  # None: the catalogue's could not be read
        self.options: dict[str, OptionSpec | None] | None = None
        if catalogue and (catalogue.layers or catalogue.sound("layers")):
            self.layers = {name.value: layer for name, layer in catalogue.layers}
        if catalogue and (catalogue.options or catalogue.sound("options")):
            self.options = {name.value: option for name, option in catalogue.options}
        self.entries: list[str] | None = None
        if catalogue and catalogue.system:
            self.entries = [name.value for name, _ in catalogue.system.entries]
        self.drafts: dict[str, Draft] = {}

    def draft_all(self) -> dict[str, Draft]:
        """A draft of each variant, parents before children."""
        for name in self.variants:
            for member in reversed(list(self._undrafted(name))):
                self.drafts[member] = self._draft(member)
        return self.drafts

    def _undrafted(self, start: str) -> Iterator[str]:
        """`start`, the variant that it extends, and so on, as far as they are not drafted; each once."""
        seen: set[str] = set()
        name: str | None = start
        while name is not None and name in self.variants and name not in self.drafts and name not in seen:
            seen.add(name)
            yield name
            name = self._parent_name(name)

    def _parent_name(self, name: str) -> str | None:
        spec = self.variants.get(name)
        return spec.extends.value if spec and spec.extends else None

    def _draft(self, name: str) -> Draft:
        spec = self.variants[name]
        if spec is None:
            return BROKEN
        already = len(self.report.errors)
        parent = self._parent(name, spec)
        self._check_names(spec)
        options = {**parent.options, **self._options(spec)}
        capacities = {**parent.capacities, **self._capacities(spec)}
        known = parent.known and spec.sound("extends", "layers", "remove", "add", "classes")
        layers: tuple[Placed[str], ...] = ()
        if known and len(self.report.errors) == already:
            layers = self._layers(spec, parent)
        return Draft(
            lineage=(*parent.lineage, name),
            layers=layers,
            settings={**parent.settings, **own_settings(spec)},
            options=options,
            capacities=capacities,
            budget=merged({} if spec.budget.lifts else parent.budget, self._budget(spec)),
            classes=own_classes(spec) or parent.classes,
            known=known and len(self.report.errors) == already,
        )

    def _parent(self, name: str, spec: VariantSpec) -> Draft:
        if spec.extends is None:
            return NOTHING if spec.sound("extends") else BROKEN
        wanted = spec.extends.value
        if wanted not in self.variants:
            hint = hint_for(wanted, [known for known in self.variants if known != name])
            self.report.error(spec.extends.place, f"unknown variant {quote(wanted)}", hint)
        elif wanted not in self.drafts:
            self._refuse_circle(name)
        return self.drafts.get(wanted, BROKEN)

    def _refuse_circle(self, name: str) -> None:
        """All variants on a circle are undrafted when one of them is reached; told at the first by name."""
        circle = list(self._undrafted(name))
        first = circle.index(min(circle))
        ordered = circle[first:] + circle[:first]
        spec = self.variants[ordered[0]]
        if spec and spec.extends:
            circle_shown = " -> ".join([*ordered, ordered[0]])
            self.report.error(spec.extends.place, f"circular extends: {circle_shown}")

    def _check_names(self, spec: VariantSpec) -> None:
        """Every layer that is named is in the catalogue."""
        added = [part for item in spec.add for part in (item.layer, item.before, item.after)]
        for name in (*spec.layers, *spec.remove, *added):
            if name and self.layers is not None and name.value not in self.layers:
                hint = hint_for(name.value, self.layers)
                self.report.error(name.place, f"unknown layer {quote(name.value)}", hint)

    def _layers(self, spec: VariantSpec, parent: Draft) -> tuple[Placed[str], ...]:
        layers = list(spec.layers or parent.layers)
        for gone in spec.remove:
            found = [layer for layer in layers if layer.value == gone.value]
            if found:
                layers.remove(found[0])
            else:
                hint = hint_for(gone.value, [layer.value for layer in layers])
                what = f"layer {quote(gone.value)} is not in {quote(parent.lineage[-1])}"
                self.report.error(gone.place, what, hint)
        for item in spec.add:
            self._add(item, layers)
        return tuple(layers)

    def _add(self, item: AddSpec, layers: list[Placed[str]]) -> None:
        names = [layer.value for layer in layers]
        beside = item.before or item.after
        if item.layer.value in names:
            what = f"layer {quote(item.layer.value)} is in this variant already"
            self.report.error(item.layer.place, what, "remove it as well if you want to move it")
        elif beside is None:
            layers.insert(self._end_of_role(item.layer.value, names), item.layer)
        elif beside.value not in names:
            what = f"layer {quote(beside.value)} is not in this variant"
            self.report.error(beside.place, what, hint_for(beside.value, names))
        else:
            layers.insert(names.index(beside.value) + (1 if item.after else 0), item.layer)

    def _end_of_role(self, name: str, names: list[str]) -> int:
        """Where a layer goes that is added without a word on where: behind the last one of its role."""
        rank = self._rank(name)
        return max((index + 1 for index, other in enumerate(names) if self._rank(other) <= rank), default=0)

    def _rank(self, name: str) -> int:
        layer = self.layers.get(name) if self.layers else None
        return ROLES.index(layer.role.value) if layer and layer.sound("role") else len(ROLES)

    def _capacities(self, spec: VariantSpec) -> dict[str, int]:
        """The capacities that this variant sets, as far as they are right."""
        given = spec.set.capacity if spec.set else ()
        good = {}
        for name, blocks in given:
            if blocks and self.layers is not None and self._check_capacity(name, blocks, self.layers):
                good[name.value] = blocks.value
        return good

    def _check_capacity(
        self, name: Placed[str], blocks: Placed[int], layers: Mapping[str, LayerSpec | None]
    ) -> bool:
        if name.value not in layers:
            hint = hint_for(name.value, layers)
            self.report.error(name.place, f"unknown layer {quote(name.value)}", hint)
            return False
        layer = layers[name.value]
        if layer is None or not layer.sound("storage", "capacity"):
            return False
        if layer.capacity is None:
            self.report.error(name.place, f"layer {quote(name.value)} has no capacity in blocks")
            return False
        return layer.suits(blocks, self.report)

    def _budget(self, spec: VariantSpec) -> Budget:
        """The limits that this variant sets, as far as they are right."""
        good: dict[str, dict[str, dict[str, BudgetLimit]]] = {}
        for entry, metrics in spec.budget.entries:
            known = self._metrics_of(entry)
            for metric, limits in metrics or ():
                if known is not None and metric.value not in known:
                    what = f"unknown metric {quote(metric.value)}"
                    self.report.error(metric.place, what, hint_for(metric.value, known))
                elif limits is not None:
                    own = {word: BudgetLimit(most.value, most.place.shown) for word, most in limits}
                    good.setdefault(entry.value, {})[metric.value] = own
        return good

    def _metrics_of(self, entry: Placed[str]) -> tuple[str, ...] | None:
        """What can be limited of an entry; None of one that nobody knows, which is reported."""
        if entry.value == LIBRARY:
            return LIBRARY_METRICS
        if self.entries is not None and entry.value not in self.entries:
            hint = hint_for(entry.value, [*self.entries, LIBRARY])
            self.report.error(entry.place, f"unknown entry {quote(entry.value)}", hint)
            return None
        return ENTRY_METRICS

    def _options(self, spec: VariantSpec) -> dict[str, str | bool | int]:
        """The options that this variant sets, as far as they are right."""
        given = spec.set.options if spec.set else ()
        good = {}
        for name, value in given:
            if value and self.options is not None and self._check_option(name, value, self.options):
                good[name.value] = value.value
        return good

    def _check_option(
        self, name: Placed[str], value: Placed[str | bool | int], options: Mapping[str, OptionSpec | None]
    ) -> bool:
        if name.value not in options:
            hint = hint_for(name.value, options)
            self.report.error(name.place, f"unknown option {quote(name.value)}", hint)
            return False
        option = options[name.value]
        if option is None or not option.sound():
            return False
        if value.value == FROM_ENVIRONMENT:
            if option.env is None:
                self.report.error(value.place, f"option {quote(name.value)} has no environment variable")
            return option.env is not None
        return option.accepts(value, f"option {quote(name.value)}", self.report)


def merged(parent: Budget, own: Budget) -> Budget:
    """A parent's limits with those of a child, which replace single metrics."""
    return {entry: {**parent.get(entry, {}), **own.get(entry, {})} for entry in {**parent, **own}}


def own_classes(spec: VariantSpec) -> tuple[tuple[str, int], ...]:
    """The class table that a variant gives itself."""
    return tuple((name.value, size.value) for name, size in spec.classes if size)


def own_settings(spec: VariantSpec) -> dict[str, str | int]:
    """The settings that a variant makes itself."""
    given = {name: getattr(spec.set, name) for name in DEFAULTS} if spec.set else {}
    return {name: value.value for name, value in given.items() if value}
