"""Variants that are derived from another one, to be tried: without some layers, with others, or with other
values.

A candidate is the text of a variant's file. So it follows every rule for such a file, the reason why it
cannot be is the loader's own, and the best one can be kept as a file.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from layermatrix.model.catalogue import Catalogue
from layermatrix.model.variants import Variant


class How(Enum):
    """What a change does to a layer."""

    WITHOUT = "without"
    WITH = "with"


@dataclass(frozen=True)
class Change:
    """One layer left out of a variant, or put into it."""

    how: How
    layer: str

    @property
    def suffix(self) -> str:
        return f"_{self.how.value}_{self.layer}"


@dataclass(frozen=True)
class Candidate:
    """A variant to try. changes: what distinguishes it from its base."""

    name: str
    doc: str
    text: str
    changes: tuple[Change, ...] = ()


def singles(
    variant: Variant, catalogue: Catalogue, without: Iterable[str], added: Iterable[str]
) -> list[Candidate]:
    """The variant without each of these layers that it has, and with each of the others that it lacks."""
    own, gone = [layer.name for layer in variant.layers], set(without)
    changes = [Change(How.WITHOUT, name) for name in own if name in gone]
    changes += [Change(How.WITH, name) for name in added if name not in own]
    return [changed(variant, catalogue, (change,)) for change in changes]


def pairs(
    variant: Variant, catalogue: Catalogue, effects: Mapping[Change, float], most: int
) -> tuple[list[Candidate], int]:
    """The variant with two of these changes each, those with the largest effects first, and the number of
    pairs beyond `most`. effects: of the single changes that made a difference."""
    ranked = sorted(
        itertools.combinations(effects, 2),
        key=lambda pair: -sum(abs(effects[change]) for change in pair),
    )
    return [changed(variant, catalogue, pair) for pair in ranked[:most]], max(0, len(ranked) - most)


def changed(variant: Variant, catalogue: Catalogue, changes: Sequence[Change]) -> Candidate:
    """The variant with these changes."""
    gone = [change.layer for change in changes if change.how is How.WITHOUT]
    new = [change.layer for change in changes if change.how is How.WITH]
    words = [f"{change.how.value} {catalogue.layers[change.layer].title}" for change in changes]
    doc = f"{variant.name} {' and '.join(words)}."
    lines = [f"doc: {doc}", f"extends: {variant.name}"]
    lines += [f"remove: [{', '.join(gone)}]"] if gone else []
    lines += [f"add: [{', '.join(f'{{layer: {name}}}' for name in new)}]"] if new else []
    lines += ["budget: none # the limits are those of another code"] if variant.budget else []
    name = variant.name + "".join(change.suffix for change in changes)
    return Candidate(name, doc, "\n".join(lines) + "\n", tuple(changes))
