"""Variants that no file says: a resolved variant with one of its layers left out.

Reads resolved `parts`; returns further variants and cells of them, or why a layer cannot be left out. The
rules are those that a variant's file has to follow (`judgement`); a test holds the two against each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from layermatrix.core.errors import hint_for, quote
from layermatrix.model.layers import ALL, Layer
from layermatrix.model.matrix import Cell
from layermatrix.model.variants import Variant

INFIX = "_without_"


class AblationError(Exception):
    """Why a layer cannot be left out of a variant; str() is one line."""


def expand(cells: Iterable[Cell], names: Sequence[str]) -> tuple[list[Cell], list[tuple[str, str]]]:
    """Each cell, and after it the same without each of these layers in turn (`all`: each that it has).

    Beside them (cell id, reason) of what cannot be: a layer that another one needs, or the last refill.
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


def whole_of(cell: Cell, cells: Iterable[Cell]) -> list[Cell]:
    """This cell and those of `cells` that are the same with one layer left out."""
    base = cell.variant
    found = [
        other
        for other in cells
        if other.variant.name.startswith(f"{base.name}{INFIX}")
        and _configuration(other) == _configuration(cell)
    ]
    return [cell, *found]


def without(variant: Variant, name: str) -> Variant:
    """The variant with this layer left out; AblationError where the others cannot do without it."""
    layers = [layer for layer in variant.layers if layer.name != name]
    if len(layers) == len(variant.layers):
        known = [layer.name for layer in layers]
        hint = hint_for(name, known)
        raise AblationError(f"{variant.name} has no layer {quote(name)}" + (f"; {hint}" if hint else ""))
    for layer in layers:
        if name in layer.needs:
            raise AblationError(f"layer {quote(layer.name)} needs {quote(name)}")
    _check_roles(variant, layers)
    made = _name(variant, name)
    title = next(layer.title for layer in variant.layers if layer.name == name)
    return replace(
        variant,
        name=made,
        doc=f"{variant.name} without {title}.",
        lineage=(*variant.lineage, made),
        layers=tuple(replace(layer, position=place) for place, layer in enumerate(layers, start=1)),
        reported={},
        budget={},
    )


def _check_roles(variant: Variant, layers: Sequence[Layer]) -> None:
    """Every key is stored by some layer, where roles have to store, and answered by one of the last role."""
    last = list(variant.roles)[-1]
    answering = [layer for layer in layers if layer.role == last]
    fixed = [layer for layer in answering if not (variant.is_env and layer.toggle)]
    storing = [layer for layer in layers if layer in variant.storing_layers]
    stored = any(role.storage == "required" for role in variant.roles.values())
    for members, otherwise in (
        (answering, f"served by no {last} layer"),
        (fixed, f"served only by {last} layers that can be switched off"),
        *(((storing, "stored by no layer"),) if stored else ()),
    ):
        covered = {key.index for layer in members for key in layer.keys}
        missing = [key.name for key in variant.keys if key.index not in covered]
        if missing:
            raise AblationError(f"{missing[0]} would be {otherwise}")


def _wanted(variant: Variant, names: Sequence[str]) -> list[str]:
    return [layer.name for layer in variant.layers] if ALL in names else list(names)


def _name(variant: Variant, layer: str) -> str:
    return f"{variant.name}{INFIX}{layer}"


def _configuration(cell: Cell) -> str:
    return cell.id.removeprefix(cell.variant.name)
