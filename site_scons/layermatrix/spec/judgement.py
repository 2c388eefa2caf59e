"""Check that a variant's layers fit together: their order, needs, conflicts, and the keys that they serve.

Reads the catalogue and a `Draft` whose list of layers is known; reports mistakes. A later check runs only if
the earlier checks that it depends on pass, so that one mistake is reported once.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from layermatrix.core.errors import Place, quote
from layermatrix.model.layers import Key
from layermatrix.spec.catalogue import Vocabulary, lacking, served
from layermatrix.spec.lineage import Draft, Placed
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

    @property
    def keys(self) -> tuple[Key, ...]:
        """The variant's table of keys."""
        return self.draft.keys or self.words.keys

    def served(self, name: str) -> list[Key]:
        return own_keys(self.layers[name], self.draft, self.words)

    def _error(self, place: Place, what: str, hint: str | None = None) -> None:
        self.document.report.error(place, what, hint)
        self.document.broken.add(("layers",))

    def _role(self, name: str) -> str:
        return self.layers[name].role

    def _order(self) -> None:
        for above, below in itertools.pairwise(self.draft.layers):
            upper, lower = self._role(above.value), self._role(below.value)
            if self.words.rank(upper) > self.words.rank(lower):
                what = f"layer {quote(below.value)} ({lower}) stands after {quote(above.value)} ({upper})"
                self._error(self._own(below, above), what, f"the order is {', '.join(self.words.roles)}")

    def _last_role(self) -> None:
        last = self.words.last_role
        if not any(self._role(layer.value) == last for layer in self.draft.layers):
            place = self._blame(lambda name: self._role(name) == last)
            self._error(place, f"no layer has the role {last}", "the last one must have it")

    def _relations(self) -> None:
        """Check that the layers that a layer needs are present, and that those it conflicts with are
        absent."""
        present = {layer.value: layer for layer in self.draft.layers}
        seen: set[frozenset[str]] = set()
        for name, layer in present.items():
            for need in self.layers[name].needs:
                if need not in present:
                    what = f"layer {quote(name)} needs {quote(need)}, which is not in this variant"
                    self._error(self._removed(need) or layer.place, what)
            for enemy in self.layers[name].conflicts:
                pair = frozenset((name, enemy))
                if enemy in present and pair not in seen:
                    seen.add(pair)
                    what = f"layer {quote(name)} conflicts with {quote(enemy)}"
                    self._error(self._own(layer, present[enemy]), what)

    def _keys(self) -> None:
        """Check that a variant's own table has the keys that its layers serve, with what their storages
        require."""
        if self.draft.keys is None:
            return
        noun, names = self.words.profile.key, [key.name for key in self.keys]
        for layer in self.draft.layers:
            wanted = served(self.layers[layer.value], self.words.keys)
            missing = [key.name for key in wanted if key.name not in names]
            what = lacking(self.layers[layer.value], self.served(layer.value), self.words.storages)
            if len(wanted) < len(self.words.keys) and missing:
                table = quote(self.words.profile.words.get("keys", "keys"))
                what = f"layer {quote(layer.value)} serves {noun} {quote(missing[0])}, "
                what += f"which is not in this variant's {table}"
            if what:
                own = layer.place.path == self.document.shown
                self._error(layer.place if own else self.document.key_place(), what)

    def _coverage(self) -> None:
        """Check that some layer stores each key, if roles store at all, and that a layer of the last role
        answers it."""
        storing, last = self.words.storing, self.words.last_role
        if storing:
            roles = " and no ".join(storing)
            self._covered(storing, f"stored by no {roles} layer")
        if self.document.sound():
            self._covered((last,), f"served by no {last} layer")
        if self.document.sound():
            what = f"served only by {last} layers that can be switched off"
            self._covered((last,), what, self._is_fixed)

    def _is_fixed(self, name: str) -> bool:
        """Whether this layer cannot be switched off at run time."""
        return self.draft.settings["toggles"] != "env" or self.layers[name].toggle is None

    def _covered(
        self, roles: Collection[str], otherwise: str, counts: Callable[[str], bool] = lambda _name: True
    ) -> None:
        named = [layer.value for layer in self.draft.layers if self._role(layer.value) in roles]
        covered = {key.index for name in named if counts(name) for key in self.served(name)}
        missing = [key.name for key in self.keys if key.index not in covered]
        if missing:
            place = self._blame(lambda name: self._role(name) in roles)
            self._error(place, f"{subject(self.words.profile.key, missing)} {otherwise}")

    def _settings(self) -> None:
        """Report settings that the profile rejects. Only a project with a unit can compile as one unit."""
        if self.draft.settings["layout"] == "unity" and not self.has_unit:
            what = (
                "'layout: unity' needs the system's 'unity' and 'unity_skeleton', which the catalogue lacks"
            )
            self._error(self._setting("layout"), what)
        for objection in self.words.profile.objections(self.keys, self.draft.settings):
            self._error(self._setting(*objection.settings), objection.what, objection.hint)

    def _setting(self, *names: str) -> Place:
        """Where the variant itself sets the first of these settings."""
        made = [name for name in names if name in self.spec.set.settings]
        return self.document.place("set", made[0]) if made else self.document.key_place()

    def _own(self, *layers: Placed) -> Place:
        """The place of the first of these layers that the variant's own file names; otherwise, of the first
        layer."""
        own = [layer.place for layer in layers if layer.place.path == self.document.shown]
        return own[0] if own else layers[0].place

    def _removed(self, name: str) -> Place | None:
        gone = [i for i, removed in enumerate(self.spec.remove) if removed == name]
        return self.document.place("remove", gone[0]) if gone else None

    def _blame(self, concerns: Callable[[str], bool]) -> Place:
        """Where to report something missing: at the removal of a related layer, or at the list of layers."""
        removed = [("remove", i) for i, name in enumerate(self.spec.remove) if concerns(name)]
        path = removed[0] if removed else ("layers", 0) if self.spec.layers else ()
        return self.document.place(*path) if path else self.document.key_place()


def own_keys(layer: LayerSpec, draft: Draft, words: Vocabulary) -> list[Key]:
    """The keys of a variant that a layer serves: all of them, or those whose names it serves in the
    catalogue."""
    of_catalogue = served(layer, words.keys)
    if draft.keys is None:
        return of_catalogue
    names = {key.name for key in of_catalogue}
    serves_all = len(of_catalogue) == len(words.keys)
    return [key for key in draft.keys if serves_all or key.name in names]


def subject(noun: str, names: list[str]) -> str:
    """The start of a sentence: "class C1 is", or "classes C1, C2 are"."""
    plural = noun + ("es" if noun.endswith("s") else "s")
    return f"{noun} {names[0]} is" if len(names) == 1 else f"{plural} {', '.join(names)} are"
