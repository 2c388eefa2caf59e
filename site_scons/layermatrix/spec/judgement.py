"""Check that a variant's layers fit together: their order, needs, conflicts, and the keys that they serve.

Reads the catalogue and a variant whose list of layers is known; reports mistakes. A later check runs only if
the earlier checks that it depends on pass, so that one mistake is reported once.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from layermatrix.core.errors import Place, quote
from layermatrix.model.catalogue import Catalogue
from layermatrix.model.layers import Layer
from layermatrix.model.variants import Variant
from layermatrix.profiles import registry
from layermatrix.spec.catalogue import lacking
from layermatrix.spec.reading import Document, Path


@dataclass(frozen=True)
class Judgement:
    """Checks one variant. removed: the layers of its parent that it removes. document: its own file. places:
    where each of its layers is listed."""

    variant: Variant
    removed: Sequence[str]
    document: Document
    places: Mapping[str, Place]
    catalogue: Catalogue

    def judge(self) -> None:
        """Report the first kind of mistake, with all its occurrences."""
        of_layers = (self._order, self._last_role, self._relations, self._keys)
        for question in (*of_layers, self._coverage, self._settings):
            question()
            if not self.document.sound():
                return

    def _error(self, place: Place, what: str, hint: str | None = None) -> None:
        self.document.report.error(place, what, hint)
        self.document.broken.add(("layers",))

    def _order(self) -> None:
        roles = list(self.variant.roles)
        for above, below in itertools.pairwise(self.variant.layers):
            if roles.index(above.role) > roles.index(below.role):
                what = f"layer {quote(below.name)} ({below.role}) stands after"
                what = f"{what} {quote(above.name)} ({above.role})"
                self._error(self._own(below, above), what, f"the order is {', '.join(roles)}")

    def _last_role(self) -> None:
        last = list(self.variant.roles)[-1]
        if not self.variant.with_role(last):
            self._error(self._blame(last), f"no layer has the role {last}", "the last one must have it")

    def _relations(self) -> None:
        """Check that each layer has those that it needs, and none that it conflicts with."""
        for layer in self.variant.layers:
            for need in layer.needs:
                if need not in self.places:
                    what = f"layer {quote(layer.name)} needs {quote(need)}, which is not in this variant"
                    gone = self._removals(need)
                    self._error(self._first(*gone) if gone else self._own(layer), what)
        for above, below in itertools.combinations(self.variant.layers, 2):
            if below.name in above.conflicts or above.name in below.conflicts:
                what = f"layer {quote(above.name)} conflicts with {quote(below.name)}"
                self._error(self._own(above, below), what)

    def _keys(self) -> None:
        """Check that a variant's own table has the keys that its layers serve, with what their storages
        require."""
        names, profile = [key.name for key in self.variant.keys], registry.of(self.catalogue.profile)
        for layer in self.variant.layers:
            listed = self.catalogue.layers[layer.name]
            missing = [key.name for key in listed.keys if key.name not in names and not listed.serves_all]
            what = lacking(self.catalogue.storages.get(layer.storage), layer.bytes_bound, layer.keys)
            if missing:
                what = f"layer {quote(layer.name)} serves {profile.key} {quote(missing[0])}, which is not in"
                what = f"{what} this variant's {quote(profile.words.get('keys', 'keys'))}"
            place = self.places[layer.name]
            if what:
                self._error(place if place.path == self.document.shown else self._first(), what)

    def _coverage(self) -> None:
        for roles, missing, what in itertools.islice(self.variant.gaps(), 1):
            noun = registry.of(self.catalogue.profile).key
            plural = noun + ("es" if noun.endswith("s") else "s")
            keys = f"{noun} {missing[0]} is" if len(missing) == 1 else f"{plural} {', '.join(missing)} are"
            self._error(self._blame(*roles), f"{keys} {what}")

    def _settings(self) -> None:
        """Report settings that the profile rejects. Only a project with a unit can compile as one unit."""
        system, profile = self.variant.system, registry.of(self.catalogue.profile)
        if self.variant.layout == "unity" and system and system.unity is None:
            what = "'layout: unity' needs the system's 'unity' and 'unity_skeleton'"
            self._error(self._first(("set", "layout")), f"{what}, which the catalogue lacks")
        for objection in profile.objections(self.variant.keys, self.variant.settings):
            place = self._first(*(("set", name) for name in objection.settings))
            self._error(place, objection.what, objection.hint)

    # --- places

    def _own(self, *layers: Layer) -> Place:
        """The place of the first of these layers that the variant's own file names; otherwise, of the first
        layer."""
        places = [self.places[layer.name] for layer in layers]
        return next((place for place in places if place.path == self.document.shown), places[0])

    def _blame(self, *roles: str) -> Place:
        """Where to report something missing: at the removal of a layer with such a role, or at the list of
        layers."""
        names = [layer.name for layer in self.catalogue.layers.values() if layer.role in roles]
        return self._first(*self._removals(*names), ("layers", 0))

    def _removals(self, *names: str) -> list[Path]:
        """The items of `remove` with these layers."""
        return [("remove", index) for index, name in enumerate(self.removed) if name in names]

    def _first(self, *paths: Path) -> Place:
        """The place of the first of these values that the variant's file has; without any, its start."""
        found = (nodes[-1].place for path in paths if len(nodes := self.document.walk(path)) > len(path))
        return next(found, self.document.place(of_key=True))
