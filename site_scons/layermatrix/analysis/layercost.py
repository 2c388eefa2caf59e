"""What each layer of a cell costs a request, and what the path would cost without it.

Reads the evidence `layers` of the cell's twin whose layers count, the cell's own `asm`, and the `layers` of
variants with a layer left out, where these were counted too. Returns a record `layers`, joined of them.

The estimate of a layer left out, in instructions a request:

    total - own + moved * mean(next)

own: what is executed in the layer's lines. moved: its hits, and the offers it accepted; they go to the next
layer that serves their class and was used in this load, at the mean of what that one executes each time it
handles a block. What a miss cost is saved, and nothing comes instead. The estimate does not know that the
next layer may be compiled in another way when it comes first, nor that it may fill up: the measured change
beside it does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from layermatrix.core import records
from layermatrix.model import ablation
from layermatrix.model.layers import Layer
from layermatrix.model.matrix import Cell
from layermatrix.model.variants import Variant

Record = dict[str, Any]

HANDLED = ("entries", "offered", "refilled", "topped_up", "taken_in", "handed_up", "spilled", "drained")


def of_cell(cell: Cell, root: Path) -> Record:
    """The joined record; "not measured", with what to do about it, where the layers were not counted."""
    twin = _twin(cell)
    if twin is None:
        return records.not_measured("layers", "this project has no builds in which layers count")
    record = _load(twin, root)
    if not records.is_measured(record):
        return record
    code, reason = _code(twin, root)
    for name, load in record["loads"].items():
        without = {layer.name: _without(twin, layer, name, load, root) for layer in cell.variant.layers}
        for layer, figures in load["layers"].items():
            figures["cost"] = _cost(load, layer)
            figures["code"] = code.get(layer)
            figures["without"] = without[layer]
            del figures["classes"]  # they stay in the evidence of the twin
    if twin.id != cell.id:
        del record["programs"]  # whether they ran is that cell's matter
    return {**record, "code_reason": reason, "command": _command(twin)}


def _twin(cell: Cell) -> Cell | None:
    """The cell whose layers count in this one's stead."""
    stats = cell.variant.system.stats
    return replace(cell, mode=stats.mode, sanitizer="none") if stats else None


def _command(twin: Cell) -> str:
    return f"./sconsw variant={twin.variant.name} compiler={twin.compiler} layers"


def _load(twin: Cell, root: Path) -> Record:
    """The evidence of a cell that counts, as far as it is of the layers that the variant has now."""
    file = root / twin.build_dir / "evidence" / "layers.json"
    if not file.exists():
        return records.not_measured("layers", f"not counted yet: {_command(twin)}")
    record = records.load(file, "layers")
    if records.is_measured(record) and record["layers"] != [layer.name for layer in twin.variant.layers]:
        return records.not_measured("layers", f"counted with other layers: {_command(twin)}")
    return record


def _code(twin: Cell, root: Path) -> tuple[dict[str, int], str | None]:
    """Instructions that each layer has in the first entry's code as it is shipped, or why nobody knows."""
    asm = records.load(root / twin.shipped.build_dir / "evidence" / "asm.json", "asm")
    first: Mapping[str, Any] = next(iter(asm.get("entries", {}).values()), {})
    layers = first.get("layers")
    if not layers:
        return {}, asm["reason"] or first.get("layers_reason") or "the evidence does not tell layers apart"
    return {name: layer["instructions"] for name, layer in layers.items()}, None


def _cost(load: Record, layer: str) -> float | None:
    """Instructions a request that are executed in the layer's lines."""
    costs = load["instructions"]
    return float(costs["layers"][layer]) if costs["status"] == records.MEASURED else None


def _without(twin: Cell, layer: Layer, name: str, load: Record, root: Path) -> Record:
    """The change of the path's instructions a request: `estimate`, and `measured` where that was built."""
    try:
        rest = ablation.without(twin.variant, layer.name)
    except ablation.AblationError as error:
        return {"estimate": None, "measured": None, "reason": str(error)}
    if load["instructions"]["status"] != records.MEASURED:
        return {"estimate": None, "measured": None, "reason": load["instructions"]["reason"]}
    other = _counted_without(twin, replace(twin, variant=rest), root)
    costs = other.get("loads", {}).get(name, {}).get("instructions", {})
    measured = None
    if costs.get("status") == records.MEASURED:
        measured = round(costs["total"] - load["instructions"]["total"], 4)
    estimate, reason = _estimate(layer, rest, load)
    return {"estimate": estimate, "measured": measured, "reason": reason}


def _counted_without(twin: Cell, rest: Cell, root: Path) -> Record:
    """The evidence of the cell with a layer left out; empty where it was counted before this cell's library
    was built, that is, perhaps of older code."""
    library = root / twin.build_dir / f"lib{twin.variant.system.library}.so"
    file = root / rest.build_dir / "evidence" / "layers.json"
    try:
        is_older = file.stat().st_mtime_ns < library.stat().st_mtime_ns
    except OSError:
        return {}
    return {} if is_older else _load(rest, root)


def _estimate(layer: Layer, rest: Variant, load: Record) -> tuple[float | None, str | None]:
    own = _cost(load, layer.name)
    assert own is not None
    change = -own
    for next_layer, blocks in _moved(layer, rest, load):
        mean = _mean(load, next_layer) if next_layer else None
        if mean is None:
            where = next_layer.title if next_layer else "the backend"
            return None, f"what it handles would go to {where}, which nothing went to in this load"
        change += blocks * mean / load["requests"]
    return round(change, 4), None


def _moved(layer: Layer, rest: Variant, load: Record) -> Iterator[tuple[Layer | None, int]]:
    """Where the hits and the accepted offers of each class go to."""
    below = [other for other in rest.layers if other.position >= layer.position]
    for size_class in layer.keys:
        figures = load["layers"][layer.name]["classes"].get(size_class.name, {})
        for what, roles in (("hits", ("cache", "overflow", "refill")), ("accepted", ("cache", "overflow"))):
            if figures.get(what):
                fit = (
                    other
                    for other in below
                    if other.role in roles and size_class in other.keys and _mean(load, other) is not None
                )
                yield next(fit, None), figures[what]


def _mean(load: Record, layer: Layer) -> float | None:
    """Instructions each time the layer handles a block; None where it handled none."""
    figures = load["layers"][layer.name]
    handled = sum(figures[key] for key in HANDLED)
    return load["instructions"]["layers"][layer.name] * load["requests"] / handled if handled else None
