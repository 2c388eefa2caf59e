"""Check that a variant's layers fit together: their order, needs, conflicts, and the keys that they serve.

Reads the catalogue and a `Draft` whose list of layers is known; reports mistakes. A later check runs only if
the earlier checks that it depends on pass, so that one mistake is reported once.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

from layermatrix.core.errors import Place, quote
from layermatrix.model.layers import Key
from layermatrix.spec.catalogue import Vocabulary, lacking, served
from layermatrix.spec.lineage import Draft
from layermatrix.spec.reading import Document
from layermatrix.spec.shapes import LayerSpec, VariantSpec


@dataclass(frozen=True)
class Judgement:
    """Checks one variant."""

    spec: VariantSpec
    document: Document
    draft: Draft
    layers: Mapping[str, LayerSpec]  # of the catalogue
    words: Vocabulary
    has_unit: bool  # whether the modules can be compiled as one unit

    def judge(self) -> None:
        """Report the first kind of mistake, with all its occurrences."""
        questions = (
            self._order, self._last_role, self._relations, self._keys, self._coverage, self._settings,
        )  # fmt: skip
        for question in questions:
            question()
            if not self.document.sound():
                return

    def _error(self, place: Place, what: str, hint: str | None = None) -> None:
        self.document.report.error(place, what, hint)
        self.document.broken.add(("layers",))

    def _role(self, name: str) -> str:
        return self.layers[name].role

    def _order(self) -> None:
        for above, below in itertools.pairwise(self.draft.layers):
            upper, lower = self._role(above), self._role(below)
            if self.words.rank(upper) > self.words.rank(lower):
                what = f"layer {quote(below)} ({lower}) stands after {quote(above)} ({upper})"
                self._error(self._own(below, above), what, f"the order is {', '.join(self.words.roles)}")

    def _last_role(self) -> None:
        last = self.words.last_role
        if all(self._role(name) != last for name in self.draft.layers):
            self._error(self._blame(last), f"no layer has the role {last}", "the last one must have it")

    def _relations(self) -> None:
        """Check that the layers that a layer needs are present, and that those it conflicts with are
        absent."""
        present = self.draft.layers
        for name, place in present.items():
            for need in self.layers[name].needs:
                if need not in present:
                    what = f"layer {quote(name)} needs {quote(need)}, which is not in this variant"
                    gone = [index for index, removed in enumerate(self.spec.remove) if removed == need]
                    self._error(self.document.place("remove", gone[0]) if gone else place, what)
            for enemy in self.layers[name].conflicts:
                if enemy in present:  # reported once, even if both layers declare it
                    above, below = sorted((name, enemy), key=list(present).index)
                    what = f"layer {quote(above)} conflicts with {quote(below)}"
                    self._error(self._own(above, below), what)

    def _keys(self) -> None:
        """Check that a variant's own table has the keys that its layers serve, with what their storages
        require."""
        names = {key.name for key in self.draft.keys}
        for name, place in self.draft.layers.items() if names else ():
            layer = self.layers[name]
            wanted = served(layer, self.words.keys)
            missing = [key.name for key in wanted if key.name not in names]
            what = lacking(layer, own_keys(layer, self.draft, self.words), self.words.storages)
            if len(wanted) < len(self.words.keys) and missing:
                table = quote(self.words.profile.words.get("keys", "keys"))
                what = f"layer {quote(name)} serves {self.words.profile.key} {quote(missing[0])}, "
                what += f"which is not in this variant's {table}"
            if what:
                own = place.path == self.document.shown
                self._error(place if own else self.document.key_place(), what)

    def _coverage(self) -> None:
        """Check that some layer stores each key, if roles store at all, and that a layer of the last role
        answers it."""
        storing, last = self.words.storing, self.words.last_role
        switched = self.draft.settings["toggles"] == "env"
        layers = [self.layers[name] for name in self.draft.layers]
        fixed = [layer for layer in layers if not (switched and layer.toggle)]
        stored = [(storing, layers, f"stored by no {' and no '.join(storing)} layer")] if storing else []
        for roles, members, otherwise in (
            *stored,
            ((last,), layers, f"served by no {last} layer"),
            ((last,), fixed, f"served only by {last} layers that can be switched off"),
        ):
            own = [own_keys(layer, self.draft, self.words) for layer in members if layer.role in roles]
            missing = [
                key.name for key in self.draft.keys or self.words.keys if not any(key in keys for keys in own)
            ]
            if missing:
                what = f"{subject(self.words.profile.key, missing)} {otherwise}"
                self._error(self._blame(*roles), what)
                return

    def _settings(self) -> None:
        """Report settings that the profile rejects. Only a project with a unit can compile as one unit."""
        if self.draft.settings["layout"] == "unity" and not self.has_unit:
            what = (
                "'layout: unity' needs the system's 'unity' and 'unity_skeleton', which the catalogue lacks"
            )
            self._error(self._setting("layout"), what)
        keys = self.draft.keys or self.words.keys
        for objection in self.words.profile.objections(keys, self.draft.settings):
            self._error(self._setting(*objection.settings), objection.what, objection.hint)

    # --- places

    def _setting(self, *names: str) -> Place:
        """Where the variant itself sets the first of these settings."""
        made = [name for name in names if name in self.spec.set.settings]
        return self.document.place("set", made[0]) if made else self.document.key_place()

    def _own(self, *layers: str) -> Place:
        """The place of the first of these layers that the variant's own file names; otherwise, of the first
        layer."""
        places = [self.draft.layers[name] for name in layers]
        return next((place for place in places if place.path == self.document.shown), places[0])

    def _blame(self, *roles: str) -> Place:
        """Where to report something missing: at the removal of a layer with such a role, or at the list of
        layers."""
        removed = [index for index, name in enumerate(self.spec.remove) if self._role(name) in roles]
        if removed:
            return self.document.place("remove", removed[0])
        return self.document.place("layers", 0) if self.spec.layers else self.document.key_place()


def own_keys(layer: LayerSpec, draft: Draft, words: Vocabulary) -> list[Key]:
    """The keys of a variant that a layer serves: all of them, or those whose names it serves in the
    catalogue."""
    of_catalogue = served(layer, words.keys)
    names = {key.name for key in of_catalogue}
    serves_all = len(of_catalogue) == len(words.keys)
    return [key for key in draft.keys or words.keys if serves_all or key.name in names]


def subject(noun: str, names: list[str]) -> str:
    """The start of a sentence: "class C1 is", or "classes C1, C2 are"."""
    plural = noun + ("es" if noun.endswith("s") else "s")
    return f"{noun} {names[0]} is" if len(names) == 1 else f"{plural} {', '.join(names)} are"
