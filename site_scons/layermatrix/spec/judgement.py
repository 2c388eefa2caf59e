"""Whether a variant's layers go together: order, what they need, what they exclude, the classes they serve.

Reads a `Draft` whose list of layers is known, and the catalogue's layers; reports. One mistake is told
once, so later questions are asked only when the earlier ones have a good answer.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from layermatrix.core.errors import Place, Report, quote
from layermatrix.spec.lineage import Draft
from layermatrix.spec.schema import Placed
from layermatrix.spec.shapes import ROLES, LayerSpec, VariantSpec

MARKED = 16  # bytes of the smallest block that has room for a link and a mark


@dataclass(frozen=True)
class Judgement:
    """The question put to one variant."""

    spec: VariantSpec
    draft: Draft
    layers: Mapping[str, LayerSpec]  # of the catalogue
    served: Mapping[str, tuple[int, ...]]  # layer -> indexes of its classes
    classes: tuple[tuple[str, int], ...]  # names and sizes
    report: Report

    def judge(self) -> bool:
        """Whether all is well; reported if not."""
        already = len(self.report.errors)
        questions = (self._order, self._refill, self._relations, self._coverage, self._alignment)
        for question in questions:
            question()
            if len(self.report.errors) > already:
                return False
        return True

    def _role(self, name: str) -> str:
        return self.layers[name].role.value

    def _order(self) -> None:
        for above, below in itertools.pairwise(self.draft.layers):
            if ROLES.index(self._role(above.value)) > ROLES.index(self._role(below.value)):
                what = f"layer {quote(below.value)} ({self._role(below.value)}) stands after "
                what += f"{quote(above.value)} ({self._role(above.value)})"
                self.report.error(self._own(below, above), what, "the order is caches, overflow, refill")

    def _refill(self) -> None:
        if not any(self._role(layer.value) == "refill" for layer in self.draft.layers):
            place = self._blame(lambda name: self._role(name) == "refill")
            self.report.error(place, "no layer has the role refill", "the last one must have it")

    def _relations(self) -> None:
        """What a layer needs is there, and what it conflicts with is not."""
        present = {layer.value: layer for layer in self.draft.layers}
        told: set[frozenset[str]] = set()
        for name, layer in present.items():
            for need in self.layers[name].needs:
                if need.value not in present:
                    what = f"layer {quote(name)} needs {quote(need.value)}, which is not in this variant"
                    self.report.error(self._removed(need.value) or layer.place, what)
            for enemy in self.layers[name].conflicts:
                pair = frozenset((name, enemy.value))
                if enemy.value in present and pair not in told:
                    told.add(pair)
                    what = f"layer {quote(name)} conflicts with {quote(enemy.value)}"
                    self.report.error(self._own(layer, present[enemy.value]), what)

    def _coverage(self) -> None:
        """Blocks of every class are kept by some layer, and fetched by some refill."""
        self._covered(("cache", "overflow"), "kept by no cache and no overflow layer")
        already = len(self.report.errors)
        self._covered(("refill",), "refilled by no layer")
        if len(self.report.errors) == already:
            self._covered(("refill",), "refilled only by layers that can be switched off", self._is_fixed)

    def _is_fixed(self, name: str) -> bool:
        """Whether nobody can switch this layer off at run time."""
        return self.draft.settings["toggles"] != "env" or self.layers[name].toggle is None

    def _covered(
        self, roles: tuple[str, ...], otherwise: str, counts: Callable[[str], bool] = lambda _name: True
    ) -> None:
        named = [layer.value for layer in self.draft.layers if self._role(layer.value) in roles]
        members = [name for name in named if counts(name)]
        covered = {index for name in members for index in self.served[name]}
        missing = [name for index, (name, _) in enumerate(self.classes) if index not in covered]
        if missing:
            place = self._blame(lambda name: self._role(name) in roles)
            self.report.error(place, f"{subject(missing)} {otherwise}")

    def _alignment(self) -> None:
        align = int(self.draft.settings["min_align"])
        if not any(size % align == 0 for _, size in self.classes):
            place = self._setting("min_align")
            self.report.error(place, f"no class has a size that is a multiple of 'min_align', {align}")
        elif align < MARKED and self.draft.settings["checks"] != "none":
            what = f"checks mark free blocks in their second word, so they need 'min_align', {MARKED}"
            self.report.error(self._setting("checks", "min_align"), what, "or set 'checks: none'")

    def _setting(self, *names: str) -> Place:
        """Where the variant itself makes the first of these settings."""
        made = [getattr(self.spec.set, name) for name in names if self.spec.set]
        return next((setting.place for setting in made if setting), self.spec.place)

    def _own(self, *layers: Placed[str]) -> Place:
        """The place of the first of these layers that the variant's own file names; else of the first."""
        own = [layer.place for layer in layers if layer.place.path == self.spec.place.path]
        return own[0] if own else layers[0].place

    def _removed(self, name: str) -> Place | None:
        return next((gone.place for gone in self.spec.remove if gone.value == name), None)

    def _blame(self, concerns: Callable[[str], bool]) -> Place:
        """Where something is missing: the removal of a layer that it concerns, or the list of layers."""
        removed = [gone.place for gone in self.spec.remove if concerns(gone.value)]
        listed = [layer.place for layer in self.spec.layers]
        return next(iter((*removed, *listed)), self.spec.place)


def subject(classes: list[str]) -> str:
    """The start of a sentence: "class C1 is", or "classes C1, C2 are"."""
    return f"class {classes[0]} is" if len(classes) == 1 else f"classes {', '.join(classes)} are"
