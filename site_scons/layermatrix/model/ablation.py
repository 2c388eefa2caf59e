"""Derive variants that have no file: a resolved variant without one of its layers.

Reads resolved variants. Returns derived variants and their cells, or the reason why a layer cannot be left
out. A derived variant follows the rules for a variant's file (`spec.judgement`); a test compares the two.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from layermatrix.core.errors import hint_for, quote
from layermatrix.model.cells import Cell
from layermatrix.model.layers import ALL
from layermatrix.model.variants import Variant

INFIX = "_without_"


class AblationError(Exception):
    """A layer cannot be left out of a variant; str() is the reason, on one line."""


def expand(cells: Iterable[Cell], names: Sequence[str]) -> tuple[list[Cell], list[tuple[str, str]]]:
    """Each cell, followed by the same cell without each of these layers (`all` means every layer of it).

    Also returns (cell id, reason) for each layer that cannot be left out: another layer needs it, or it is
    the only one that serves a key.
    """
    made, left_out = [], []
    for cell in cells:
        made.append(cell)
        for name in _wanted(cell.variant, names):
            try:
                made.append(replace(cell, variant=without(cell.variant, name)))
            except AblationError as error:
                left_out.append(
                    (cell.id.replace(cell.variant.name, _name(cell.variant, name), 1), str(error))
                )
    return made, left_out


def without(variant: Variant, name: str) -> Variant:
    """The variant without this layer. Raises AblationError if the variant needs it or does not have it."""
    layers = [layer for layer in variant.layers if layer.name != name]
    if len(layers) == len(variant.layers):
        known = [layer.name for layer in layers]
        hint = hint_for(name, known)
        raise AblationError(f"{variant.name} has no layer {quote(name)}" + (f"; {hint}" if hint else ""))
    for layer in layers:
        if name in layer.needs:
            raise AblationError(f"layer {quote(layer.name)} needs {quote(name)}")
    own_name = _name(variant, name)
    title = next(layer.title for layer in variant.layers if layer.name == name)
    made = replace(
        variant,
        name=own_name,
        doc=f"{variant.name} without {title}.",
        lineage=(*variant.lineage, own_name),
        layers=tuple(replace(layer, position=place) for place, layer in enumerate(layers, start=1)),
        reported={},
        budget={},
    )
    for _, keys, how in made.gaps():
        raise AblationError(f"{keys[0]} would be {how}")
    return made


def _wanted(variant: Variant, names: Sequence[str]) -> list[str]:
    return [layer.name for layer in variant.layers] if ALL in names else list(names)


def _name(variant: Variant, layer: str) -> str:
    return f"{variant.name}{INFIX}{layer}"
